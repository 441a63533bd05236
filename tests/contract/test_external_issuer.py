"""Authorities elsewhere, asked over HTTP: what they sign, and what they may not get away with."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from msgspec.structs import replace

from api.types.swarm import ExternalCA
from manager.adapters.external_issuer import CfsslIssuer, ExternalIssuerFailed
from manager.adapters.issuer import LocalIssuer
from manager.core.ca.signer import Signer
from manager.core.objects.cluster import RootCA
from manager.ports.issuer import Root
from protos.identity.certificates import (
    Identity,
    Role,
    identity_of,
    is_issued_by,
    load_certificate,
    new_request,
)
from protos.identity.channels import Credentials
from protos.identity.in_memory import load_into
from protos.identity.keys import key_to_pem, new_key

MANAGER = Identity("node1", Role.MANAGER, "cluster1")
LIFE_NS = 24 * 3600 * 10**9
Answer = Callable[[dict[str, Any]], Awaitable[web.Response]]


class Cfssl:
    """An authority that answers as a test wants."""

    def __init__(self) -> None:
        self.issuer = LocalIssuer()
        self.root = self.issuer.new_root()
        self.answer: Answer = self.sign
        self.orders: list[dict[str, Any]] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a request."""
        order = await request.json()
        self.orders.append(order)
        return await self.answer(order)

    async def sign(self, order: dict[str, Any]) -> web.Response:
        """Sign as ordered."""
        return signed(self.issue(order, by=self.root))

    def issue(self, order: dict[str, Any], by: Root) -> str:
        """Return the certificate that an order is for, by any root."""
        subject = order["subject"]
        names = subject["names"][0]
        identity = Identity(subject["CN"], Role(names["OU"]), names["O"])
        request = order["certificate_request"].encode()
        return self.issuer.issue(
            Signer(by.certificate, by.key), request, identity, LIFE_NS
        ).decode()

    def authorities(self) -> list[ExternalCA]:
        """Return how the cluster's spec names this authority."""
        return [ExternalCA(Protocol="cfssl", URL=self.url, CACert=self.root.certificate)]


def signed(certificate: str) -> web.Response:
    """Return cfssl's answer with a certificate."""
    return web.json_response(
        {"success": True, "result": {"certificate": certificate}, "errors": [], "messages": []}
    )


@pytest_asyncio.fixture
async def cfssl() -> AsyncIterator[Cfssl]:
    """Lend an authority without TLS."""
    authority = Cfssl()
    app = web.Application()
    app.router.add_post("/api/v1/cfssl/sign", authority.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    authority.url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/v1/cfssl/sign"
    yield authority
    await runner.cleanup()


def asking(credentials: Credentials | None = None, timeout_s: float = 5) -> CfsslIssuer:
    """Return the manager's side."""
    return CfsslIssuer(lambda: credentials, timeout_s)


async def ask(cfssl: Cfssl) -> bytes:
    """Have a certificate for a manager signed."""
    request = new_request(new_key())
    return await asking().issue(cfssl.authorities(), cfssl.root.certificate, request, MANAGER)


async def test_certificate_is_signed_as_ordered(cfssl: Cfssl) -> None:
    certificate = load_certificate(await ask(cfssl))

    assert MANAGER == identity_of(certificate)
    assert is_issued_by(certificate, load_certificate(cfssl.root.certificate.encode()))
    assert ["swarm-manager", "node1"] == cfssl.orders[0]["hosts"]


async def test_refusal_is_told_in_the_authoritys_words(cfssl: Cfssl) -> None:
    async def refuse(_: dict[str, Any]) -> web.Response:
        errors = [{"code": 5200, "message": "policy violation"}]
        return web.json_response({"success": False, "errors": errors}, status=400)

    cfssl.answer = refuse

    with pytest.raises(ExternalIssuerFailed, match=r"policy violation \(code 5200\)") as raised:
        await ask(cfssl)
    assert cfssl.url in raised.value.message


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"success": true}', b"{" * 100_000, b"\xff" * 3_000_000]
)
async def test_nonsense_is_refused(cfssl: Cfssl, body: bytes) -> None:
    async def babble(_: dict[str, Any]) -> web.Response:
        return web.Response(body=body, status=200)

    cfssl.answer = babble

    with pytest.raises(ExternalIssuerFailed):
        await ask(cfssl)


async def test_certificate_by_another_root_is_refused(cfssl: Cfssl) -> None:
    other = cfssl.issuer.new_root()
    cfssl.answer = altered(cfssl, by=other)

    with pytest.raises(ExternalIssuerFailed, match="not signed by the cluster's root"):
        await ask(cfssl)


def altered(cfssl: Cfssl, by: Root, **changes: Any) -> Answer:
    """Return an authority that signs something else than what was ordered."""

    async def answer(order: dict[str, Any]) -> web.Response:
        return signed(cfssl.issue({**order, **changes}, by))

    return answer


async def test_certificate_for_another_key_is_refused(cfssl: Cfssl) -> None:
    request = new_request(new_key()).decode()
    cfssl.answer = altered(cfssl, cfssl.root, certificate_request=request)

    with pytest.raises(ExternalIssuerFailed, match="for another key"):
        await ask(cfssl)


async def test_certificate_for_another_subject_is_refused(cfssl: Cfssl) -> None:
    subject = {"CN": "node2", "names": [{"OU": "swarm-manager", "O": "cluster1"}]}
    cfssl.answer = altered(cfssl, cfssl.root, subject=subject)

    with pytest.raises(ExternalIssuerFailed, match="for another subject"):
        await ask(cfssl)


async def test_next_authority_is_asked_when_one_fails(cfssl: Cfssl, unused_tcp_port: int) -> None:
    dead = ExternalCA(URL=f"http://127.0.0.1:{unused_tcp_port}/sign")

    chain = await asking().issue(
        [dead, *cfssl.authorities()], cfssl.root.certificate, new_request(new_key()), MANAGER
    )

    assert MANAGER == identity_of(load_certificate(chain))


async def test_silence_ends_at_the_time_limit(cfssl: Cfssl) -> None:
    released = asyncio.Event()

    async def wait(_: dict[str, Any]) -> web.Response:
        await released.wait()
        return web.Response()

    cfssl.answer = wait

    with pytest.raises(ExternalIssuerFailed, match="no answer in time"):
        await asking(timeout_s=0.2).issue(
            cfssl.authorities(), cfssl.root.certificate, new_request(new_key()), MANAGER
        )
    released.set()


async def test_redirects_are_not_followed(cfssl: Cfssl) -> None:
    """A request for a manager's certificate goes where the operator said, nowhere else."""

    async def redirect(_: dict[str, Any]) -> web.Response:
        return web.Response(status=307, headers={"Location": cfssl.url})

    cfssl.answer = redirect

    with pytest.raises(ExternalIssuerFailed, match="HTTP 307"):
        await ask(cfssl)
    assert 1 == len(cfssl.orders)


async def test_no_authority_at_all_is_said() -> None:
    with pytest.raises(ExternalIssuerFailed, match="there is none"):
        await asking().issue([], "", new_request(new_key()), MANAGER)


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1/x", "http://"])
async def test_url_that_is_none_is_said(cfssl: Cfssl, url: str) -> None:
    broken = [replace(each, URL=url) for each in cfssl.authorities()]

    with pytest.raises(ExternalIssuerFailed):
        await asking().issue(broken, cfssl.root.certificate, new_request(new_key()), MANAGER)


async def test_new_root_is_cross_signed_elsewhere(cfssl: Cfssl) -> None:
    new = cfssl.issuer.new_root()

    async def cross_sign(order: dict[str, Any]) -> web.Response:
        assert "CA" == order["profile"]
        return signed(cfssl.issuer.cross_sign(order["certificate_request"], cfssl.root))

    cfssl.answer = cross_sign
    old = RootCA(certificate=cfssl.root.certificate)

    bridge = await asking().cross_sign(cfssl.authorities(), new.certificate, old)

    middle = load_certificate(bridge.encode())
    assert is_issued_by(middle, load_certificate(cfssl.root.certificate.encode()))
    assert load_certificate(new.certificate.encode()).public_key() == middle.public_key()


async def test_cross_signature_over_something_else_is_refused(cfssl: Cfssl) -> None:
    async def other(_: dict[str, Any]) -> web.Response:
        return signed(cfssl.issuer.cross_sign(cfssl.issuer.new_root().certificate, cfssl.root))

    cfssl.answer = other
    old = RootCA(certificate=cfssl.root.certificate)

    with pytest.raises(ExternalIssuerFailed, match="not for the new root"):
        await asking().cross_sign(cfssl.authorities(), cfssl.issuer.new_root().certificate, old)


async def test_manager_shows_its_certificate_where_tls_asks_for_one(cfssl: Cfssl) -> None:
    issuer, root = cfssl.issuer, cfssl.root
    mine = credentials(issuer, root, MANAGER)
    app = web.Application()
    app.router.add_post("/sign", cfssl.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=root.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    load_into(context, credentials(issuer, root, Identity("localhost", Role.MANAGER, "cluster1")))
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        url = f"https://localhost:{runner.addresses[0][1]}/sign"
        authorities = [ExternalCA(URL=url)]
        request = new_request(new_key())

        chain = await asking(mine).issue(authorities, root.certificate, request, MANAGER)
        with pytest.raises(ExternalIssuerFailed, match=r"(?i)certificate"):
            await asking(None).issue(authorities, root.certificate, request, MANAGER)
    finally:
        await runner.cleanup()

    assert issuer.has_issued(root.certificate, chain)


def credentials(issuer: LocalIssuer, root: Root, identity: Identity) -> Credentials:
    """Return what a node with this identity shows."""
    key = new_key()
    signer = Signer(root.certificate, root.key)
    chain = issuer.issue(signer, new_request(key), identity, LIFE_NS)
    return Credentials(root.certificate.encode(), chain, key_to_pem(key))
