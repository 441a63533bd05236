"""What reaches a manager's port from people who should not be there, and kills in bad moments."""

from __future__ import annotations

import asyncio
import http.client
import os
import random
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace

import pytest

from api.errors import Forbidden, InvalidArgument, SkepError, Unavailable
from manager.adapters.keys import Keys
from manager.rpc.roles import METHODS
from protos.errors import raised_here
from protos.identity.certificate_files import CertificateFiles
from protos.identity.certificates import Identity, Role
from protos.identity.channels import MESSAGE_LIMIT_BYTES, Credentials, open_channel
from protos.identity.in_memory import load_into
from protos.identity.join import join_credentials
from protos.identity.tokens import parse_join_token
from protos.skep.v1 import (
    ca_pb2,
    control_pb2,
    dispatcher_pb2,
    logs_pb2,
    membership_pb2,
    overlay_pb2,
    raft_pb2,
)
from tests.authority import DAY, Authority
from tests.managers.joining import get_certificate
from tests.managers.process import Answer, ManagerProcess, wait_until


def services() -> Iterator[str]:
    """Yield the full names of all methods that any manager's service has."""
    modules = (
        ca_pb2, control_pb2, dispatcher_pb2, logs_pb2, membership_pb2, overlay_pb2, raft_pb2,
    )  # fmt: skip
    for module in modules:
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                yield f"/{service.full_name}/{method.name}"


MANAGERS_ONLY = [name for name, roles in METHODS.items() if roles == {Role.MANAGER}]


def test_every_method_has_its_row_and_every_row_its_method() -> None:
    assert {*METHODS} == {*services()}


@pytest.fixture(scope="module")
def worker(cluster: ManagerProcess, tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    """Lend a worker's certificate, as a thief would have it."""
    node = ManagerProcess(tmp_path_factory.mktemp("worker"))
    get_certificate(node, cluster.get("/swarm")["JoinTokens"]["Worker"], cluster)
    return CertificateFiles(node.state).load()


def joining(cluster: ManagerProcess) -> Credentials:
    """Return what whoever has a manager's token can show."""
    token = parse_join_token(cluster.get("/swarm")["JoinTokens"]["Manager"])
    return join_credentials(token, CertificateFiles(cluster.state).read_public()[0])


async def send(address: str, credentials: Credentials, method: str, message: bytes = b"") -> bytes:
    """Send one message to any method, and return the first answer."""

    def same(content: bytes) -> bytes:
        return content

    async with open_channel(address, credentials) as channel:
        with raised_here():
            answer: bytes = await channel.unary_unary(method, same, same)(message, timeout=10)
    return answer


@pytest.mark.parametrize("method", MANAGERS_ONLY)
def test_worker_and_joining_node_get_nothing_that_is_for_managers(
    cluster: ManagerProcess, worker: Credentials, method: str
) -> None:
    for credentials in (worker, joining(cluster)):
        with pytest.raises(Forbidden, match="may not call"):
            asyncio.run(send(cluster.address, credentials, method))
    assert 200 == cluster.request("GET", "/swarm").status


@pytest.mark.parametrize("method", sorted(METHODS))
def test_stranger_gets_nothing_at_all(cluster: ManagerProcess, method: str) -> None:
    """A manager's certificate of another cluster, and an expired one of another."""
    roots, _ = CertificateFiles(cluster.state).read_public()
    foreign = Authority("swarm-ca")
    identity = Identity("m1", Role.MANAGER, cluster.get("/swarm")["ID"])
    for issued in (foreign.issue(identity), foreign.issue(identity, -DAY)):
        shown = issued.credentials(foreign.certificate)
        with pytest.raises(Unavailable):
            asyncio.run(send(cluster.address, replace(shown, roots=roots), method))


@pytest.mark.parametrize("method", sorted(METHODS))
def test_garbage_in_a_message_does_no_harm(
    cluster: ManagerProcess, worker: Credentials, method: str
) -> None:
    """From a worker, and from the manager's own certificate, stolen."""
    own = own_credentials(cluster)
    for credentials in (worker, own):
        for garbage in (b"\xff" * 40, os.urandom(4096)):
            with pytest.raises(SkepError):
                asyncio.run(send(cluster.address, credentials, method, garbage))
    assert cluster.process is not None
    assert cluster.process.poll() is None
    assert 200 == cluster.request("GET", "/swarm").status


def own_credentials(cluster: ManagerProcess) -> Credentials:
    """Return what the manager shows: its keys are not locked, so its disk gives it away."""
    keys = Keys(cluster.state, time.monotonic)
    assert keys.open()
    return CertificateFiles(cluster.state).load(keys.ring.node_key)


def test_message_beyond_the_limit_is_refused(cluster: ManagerProcess) -> None:
    with pytest.raises(InvalidArgument, match="larger than max"):
        asyncio.run(
            send(
                cluster.address,
                own_credentials(cluster),
                "/skep.v1.Control/Forward",
                bytes(MESSAGE_LIMIT_BYTES + 1),
            )
        )
    assert 200 == cluster.request("GET", "/swarm").status


@pytest.mark.parametrize(
    "noise", [b"", b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01"]
)
def test_noise_and_silence_on_the_port_do_no_harm(cluster: ManagerProcess, noise: bytes) -> None:
    with ExitStack() as stack:
        for _ in range(100):
            line = stack.enter_context(socket.create_connection(("127.0.0.1", cluster.port), 5))
            line.sendall(noise)

        assert_serves(cluster)


def test_stream_of_garbage_after_a_good_handshake_does_no_harm(cluster: ManagerProcess) -> None:
    own = own_credentials(cluster)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    load_into(context, own)
    for garbage in (os.urandom(1 << 20), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 100_000):
        with (
            socket.create_connection(("127.0.0.1", cluster.port), 5) as line,
            context.wrap_socket(line) as secure,
            suppress(OSError),
        ):
            secure.sendall(garbage)
            while secure.recv(1 << 16):
                pass

    assert_serves(cluster)


def assert_serves(cluster: ManagerProcess) -> None:
    """See that nodes and users are still answered."""
    asyncio.run(send(cluster.address, own_credentials(cluster), "/skep.v1.CA/GetRootCertificate"))
    assert 200 == cluster.request("GET", "/swarm").status


def test_nothing_secret_was_logged_through_all_of_this(cluster: ManagerProcess) -> None:
    tokens = cluster.get("/swarm")["JoinTokens"].values()

    logged = cluster.log()

    for secret in ("PRIVATE KEY", *(token.rpartition("-")[2] for token in tokens)):
        assert secret not in logged


def test_kill_in_the_middle_of_a_key_rotation_leaves_a_key_that_somebody_has(
    manager: ManagerProcess,
) -> None:
    """Whatever moment it is: the key that was shown last, or the one before, opens the data."""
    manager.init(AutoLockManagers=True)
    known = [manager.get("/swarm/unlockkey")["UnlockKey"]]
    manager.request("POST", "/secrets/create", {"Name": "kept", "Data": "eA=="})
    chance = random.Random(7)
    for _ in range(4):
        rotating = threading.Thread(target=rotate, args=(manager, known))
        rotating.start()
        time.sleep(chance.uniform(0.0, 0.5))
        manager.kill()
        rotating.join()

        assert manager.start()["locked"]
        assert any(is_opened(manager, key) for key in reversed(known)), manager.log()
        wait_until(lambda: manager.request("GET", "/secrets").status == 200)
        assert ["kept"] == [each["Spec"]["Name"] for each in manager.get("/secrets")]


def rotate(manager: ManagerProcess, known: list[str]) -> None:
    """Rotate the key and note the new one, as the CLI does, if there is an answer at all."""
    with suppress(OSError, http.client.HTTPException):
        swarm = manager.get("/swarm")
        target = f"/swarm/update?version={swarm['Version']['Index']}&rotateManagerUnlockKey=1"
        manager.request("POST", target, swarm["Spec"])
        known.append(manager.get("/swarm/unlockkey")["UnlockKey"])


def is_opened(manager: ManagerProcess, key: str) -> bool:
    """Tell whether a key opens a locked manager; wrong ones may not be tried too fast."""
    answers: list[Answer] = []

    def is_tried() -> bool:
        answers.append(manager.request("POST", "/swarm/unlock", {"UnlockKey": key}))
        return answers[-1].status != 503

    wait_until(is_tried)
    return answers[-1].status == 200
