"""Registries with certificates of their own, on the loopback."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from api.references import parse_normalized
from engine.adapters.registry import DeferredRegistry
from engine.adapters.registry_certificates import RegistryCertificates, UnusableCertificate
from engine.core.registry_errors import RegistryUnreachable
from engine.settings import LiveSettings, Settings
from tests.certificates import make_certificates

MANIFEST = b'{"schemaVersion":2}'


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lend an authority, and keys of a server and a client."""
    return make_certificates(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def certs_d(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lend an empty certs.d, and let the client read it."""
    monkeypatch.setattr("engine.adapters.registry_requests.ROOTS", (tmp_path,))
    return tmp_path


@pytest_asyncio.fixture
async def host(keys: Path) -> AsyncIterator[str]:
    """Lend a registry that takes clients of the authority alone."""

    async def manifest(_: web.Request) -> web.Response:
        return web.Response(body=MANIFEST)

    app = web.Application()
    app.router.add_get("/v2/x/manifests/latest", manifest)
    runner = web.AppRunner(app)
    await runner.setup()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=keys / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(keys / "server.pem", keys / "server-key.pem")
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    yield f"127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def put(directory: Path, keys: Path, *names: tuple[str, str]) -> None:
    """Copy keys into a host's directory, under other names."""
    directory.mkdir(exist_ok=True)
    for source, target in names:
        (directory / target).write_bytes((keys / source).read_bytes())


async def test_a_client_certificate_is_shown_where_there_is_one(
    host: str, keys: Path, certs_d: Path
) -> None:
    """And from the moment on that it is there, without a restart."""
    client = DeferredRegistry(LiveSettings(Settings()))
    name = parse_normalized(f"{host}/x:latest")
    with pytest.raises(RegistryUnreachable):
        await client.manifest(name, None)

    put(certs_d / host, keys, ("client.pem", "me.cert"), ("client-key.pem", "me.key"))
    found = await client.manifest(name, None)
    await client.close()

    assert MANIFEST == found.document


async def test_an_authority_is_trusted_for_its_host_alone(
    host: str, keys: Path, tmp_path: Path
) -> None:
    """Besides those of the system; another host is none of its business."""
    put(tmp_path / host, keys, ("ca.pem", "ca.crt"))
    certificates = RegistryCertificates([tmp_path])

    context = await certificates.of(host, verify=True)

    assert isinstance(context, ssl.SSLContext)
    assert ssl.CERT_REQUIRED == context.verify_mode
    subjects = [each["subject"] for each in context.get_ca_certs()]
    assert ((("commonName", "ca"),),) in subjects
    assert await certificates.of(host, verify=True) is context
    assert await certificates.of("other:5000", verify=True) is True
    assert await certificates.of("..", verify=False) is False


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([("client.pem", "me.cert")], "missing key me.key for client certificate me.cert. CA"),
        ([("client-key.pem", "me.key")], "missing client certificate me.cert for key me.key"),
        ([("ext", "ca.crt")], "ca.crt"),
    ],
)
async def test_files_that_cannot_be_used_are_named(
    keys: Path, tmp_path: Path, names: list[tuple[str, str]], words: str
) -> None:
    """In Docker's words where it has some."""
    put(tmp_path / "host", keys, *names)

    with pytest.raises(UnusableCertificate, match=words):
        await RegistryCertificates([tmp_path]).of("host", verify=True)
