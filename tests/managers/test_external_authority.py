"""A cluster whose certificates are signed elsewhere: by what speaks cfssl's protocol."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from manager.adapters.issuer import LocalIssuer
from manager.core.ca.signer import Signer
from protos.identity.certificate_files import CertificateFiles
from protos.identity.certificates import Identity, Role, is_issued_by, load_certificate
from tests.managers.conftest import MakeManager
from tests.managers.joining import get_certificate
from tests.managers.process import ManagerProcess

LIFE_NS = 24 * 3600 * 10**9


class Elsewhere:
    """An authority on the loopback; it may be told to refuse."""

    def __init__(self) -> None:
        self.issuer = LocalIssuer()
        self.root = self.issuer.new_root()
        self.is_refusing = False
        self.url = ""

    def answer(self, order: dict[str, Any]) -> dict[str, Any]:
        """Answer as cfssl does."""
        if self.is_refusing:
            return {"success": False, "errors": [{"code": 1, "message": "closed today"}]}
        names = order["subject"]["names"][0]
        identity = Identity(order["subject"]["CN"], Role(names["OU"]), names["O"])
        signer = Signer(self.root.certificate, self.root.key)
        request = order["certificate_request"].encode()
        chain = self.issuer.issue(signer, request, identity, LIFE_NS)
        return {"success": True, "result": {"certificate": chain.decode()}, "errors": []}

    def config(self) -> dict[str, Any]:
        """Return what the swarm's spec says of it."""
        external = {"Protocol": "cfssl", "URL": self.url, "CACert": self.root.certificate}
        return {"CAConfig": {"ExternalCAs": [external]}}


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    """Lend an authority that serves."""
    authority = Elsewhere()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(authority.answer(order)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    authority.url = f"http://127.0.0.1:{server.server_port}/api/v1/cfssl/sign"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield authority
    server.shutdown()
    thread.join()
    server.server_close()


def test_cluster_lives_by_an_authority_elsewhere(
    manager: ManagerProcess, make_manager: MakeManager, elsewhere: Elsewhere
) -> None:
    manager.init(Spec=elsewhere.config())
    node = make_manager()

    get_certificate(node, manager.get("/swarm")["JoinTokens"]["Worker"], manager)

    root = load_certificate(elsewhere.root.certificate.encode())
    assert elsewhere.root.certificate == manager.get("/swarm")["TLSInfo"]["TrustRoot"]
    for each in (manager, node):
        _, chain = CertificateFiles(each.state).read_public()
        assert is_issued_by(load_certificate(chain), root)
    assert {"manager", "worker"} == {each["Spec"]["Role"] for each in manager.get("/nodes")}


def test_authority_that_refuses_is_quoted_and_nothing_is_left(
    manager: ManagerProcess, elsewhere: Elsewhere
) -> None:
    elsewhere.is_refusing = True

    said = manager.start("--init", orders={"Request": {"Spec": elsewhere.config()}})

    assert "closed today" in said["error"]
    assert not manager.state.exists() or [] == list(manager.state.iterdir())


def test_root_is_moved_elsewhere_and_needs_somebody_who_signs(
    manager: ManagerProcess, elsewhere: Elsewhere
) -> None:
    manager.init()
    swarm = manager.get("/swarm")
    target = f"/swarm/update?version={swarm['Version']['Index']}"
    wanted = {**swarm["Spec"], "CAConfig": {"SigningCACert": elsewhere.root.certificate}}

    refused = manager.request("POST", target, wanted)
    assert "at least one valid, reachable external CA" in refused.message
    assert not manager.get("/swarm").get("RootRotationInProgress")

    external = elsewhere.config()["CAConfig"]["ExternalCAs"]
    wanted["CAConfig"] = {**wanted["CAConfig"], "ExternalCAs": external}
    assert 200 == manager.request("POST", target, wanted).status
    assert manager.get("/swarm")["RootRotationInProgress"]
