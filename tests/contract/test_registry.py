"""The registry client against servers on the loopback: tokens, redirects, hostile answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from api.errors import Forbidden, InvalidArgument, SkepError, Unsupported
from api.references import Reference, parse_normalized
from api.types.registry import AuthConfig
from engine.adapters.registry import DeferredRegistry
from engine.core.manifest import Descriptor
from engine.core.registry_errors import LoginFailed, RegistryRefused
from engine.ports.registry import Registry
from engine.settings import LiveSettings, Settings
from tests.fakes.token_server import TokenRegistry, serve_tokens

ANN = AuthConfig(username="ann", password="pw")
MANIFEST = b'{"schemaVersion":2}'


def digest_of(content: bytes) -> str:
    """Return sha256:<hex>."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Registry]:
    """Lend a client that gives up early."""
    registry = DeferredRegistry(LiveSettings(Settings(max_download_attempts=2)))
    yield registry
    await registry.close()


@pytest_asyncio.fixture
async def server() -> AsyncIterator[TokenRegistry]:
    """Lend a registry that wants tokens of ann."""
    async with serve_tokens("ann", "pw") as registry:
        registry.answers = {"/v2/x/manifests/latest": MANIFEST, "/v2/": b"{}"}
        yield registry


def image(server: TokenRegistry) -> Reference:
    """Return the name of the image x there."""
    return parse_normalized(f"{server.host}/x:latest")


async def test_a_token_is_fetched_once_and_kept(client: Registry, server: TokenRegistry) -> None:
    """Four requests for the first manifest's round, one for the next."""
    first = await client.manifest(image(server), ANN)
    await client.manifest(image(server), ANN)

    assert MANIFEST == first.document
    assert digest_of(MANIFEST) == first.digest
    tokens = [path for path, _ in server.seen if path.startswith("/token")]
    assert ["/token?account=ann&scope=repository:x:pull&service=test"] == tokens
    assert 4 == len(server.seen)


async def test_a_users_token_is_not_used_for_another(
    client: Registry, server: TokenRegistry
) -> None:
    """Nor for nobody."""
    await client.manifest(image(server), ANN)

    for auth in (None, AuthConfig(username="bob", password="pw")):
        with pytest.raises(RegistryRefused, match="incorrect username or password"):
            await client.manifest(image(server), auth)


async def test_an_identity_token_is_exchanged(client: Registry, server: TokenRegistry) -> None:
    """What login gave is enough later, by the OAuth2 form."""
    identity = await client.login(AuthConfig("ann", "pw", serveraddress=server.host))

    found = await client.manifest(image(server), AuthConfig(identitytoken=identity))

    assert "kept" == identity
    assert MANIFEST == found.document


async def test_a_login_that_fails_is_401(client: Registry, server: TokenRegistry) -> None:
    """The docker command shows the text."""
    with pytest.raises(
        LoginFailed, match=r"login attempt to http://.*/v2/ failed with status: 401"
    ):
        await client.login(AuthConfig("ann", "no", serveraddress=server.host))


async def test_a_redirect_gets_no_credentials(
    client: Registry, server: TokenRegistry, tmp_path: Path
) -> None:
    """Attack 9: storage on another host must not see the token."""
    content = b"blob" * 1000
    blob = Descriptor(digest=digest_of(content), size=len(content))
    async with serve_tokens("", "") as storage:
        storage.answers = {"/elsewhere/blob": content}
        server.answers = {
            f"/v2/x/blobs/{blob.digest}": f"http://{storage.host}/elsewhere/blob?signed=1"
        }

        await client.download(image(server), blob, ANN, tmp_path / "blob", lambda _: None)

        assert [("/elsewhere/blob?signed=1", "")] == storage.seen
    assert content == (tmp_path / "blob").read_bytes()


@pytest.mark.parametrize("target", ["file:///etc/passwd", "gopher://x/", "https://"])
async def test_a_redirect_out_of_http_is_refused(
    client: Registry, server: TokenRegistry, target: str
) -> None:
    """Attack 9."""
    server.answers = {"/v2/x/manifests/latest": target}

    with pytest.raises(SkepError, match="refusing the registry's redirect"):
        await client.manifest(image(server), ANN)


async def test_redirects_end(client: Registry, server: TokenRegistry) -> None:
    """A circle is no answer."""
    server.answers = {"/v2/x/manifests/latest": "/v2/x/manifests/latest"}

    with pytest.raises(RegistryRefused, match="stopped after 5 redirects"):
        await client.manifest(image(server), ANN)


async def test_a_strange_realm_is_refused(client: Registry, server: TokenRegistry) -> None:
    """Attack 9: credentials go to no file and to no user's URL."""
    server.realm = "ftp://a/token"

    with pytest.raises(Forbidden, match="malformed token server"):
        await client.manifest(image(server), ANN)


async def test_a_huge_manifest_is_refused(client: Registry, server: TokenRegistry) -> None:
    """Attack 7: at most 4 MiB are read."""
    server.answers = {"/v2/x/manifests/latest": b" " * ((4 << 20) + 1)}

    with pytest.raises(RegistryRefused, match="image manifest of more than 4194304 bytes"):
        await client.manifest(image(server), ANN)


async def test_a_manifest_of_another_digest_is_refused(
    client: Registry, server: TokenRegistry
) -> None:
    """Attack 8."""
    wanted = digest_of(b"other")
    server.answers = {f"/v2/x/manifests/{wanted}": MANIFEST}

    with pytest.raises(InvalidArgument, match="manifest verification failed for digest"):
        await client.manifest(image(server).bare().with_digest(wanted), ANN)


async def test_a_blob_longer_than_promised_is_refused(
    client: Registry, server: TokenRegistry, tmp_path: Path
) -> None:
    """Attack 8: the disk is not filled by a lie about the size."""
    blob = Descriptor(digest=digest_of(b""), size=10)
    server.answers = {f"/v2/x/blobs/{blob.digest}": b"x" * 1000}

    with pytest.raises(InvalidArgument, match="size mismatch"):
        await client.download(image(server), blob, ANN, tmp_path / "blob", lambda _: None)

    assert (tmp_path / "blob").stat().st_size <= 10


async def test_a_range_that_is_ignored_starts_anew(
    client: Registry, server: TokenRegistry, tmp_path: Path
) -> None:
    """A server without ranges sends the whole."""
    content = b"0123456789"
    blob = Descriptor(digest=digest_of(content), size=10)
    (tmp_path / "blob").write_bytes(b"zzz")
    server.answers = {f"/v2/x/blobs/{blob.digest}": content}

    await client.download(image(server), blob, ANN, tmp_path / "blob", lambda _: None)

    assert content == (tmp_path / "blob").read_bytes()


async def test_tags_are_listed(client: Registry, server: TokenRegistry) -> None:
    """For a pull of all of them."""
    server.answers = {"/v2/x/tags/list": json.dumps({"tags": ["a", "b"]}).encode()}

    assert ["a", "b"] == await client.tags(image(server), ANN)


async def test_a_search_asks_the_registry_of_version_one(
    client: Registry, server: TokenRegistry
) -> None:
    """With the path that Docker Hub has; one without it says so."""
    server.answers = {"/elsewhere": b"", "/v1/search": b'{"results":[{"name":"found"}]}'}
    with pytest.raises(Unsupported, match=r"has no search \(it answered 401 to /v1/search\)"):
        await client.search(server.host, "q=a&n=25", None)

    server.is_open = True
    (found,) = await client.search(server.host, "q=a&n=25", None)

    assert "found" == found.name
    assert "/v1/search?q=a&n=25" == server.seen[-1][0]


async def test_a_manifest_is_proved_by_the_algorithm_that_names_it(
    client: Registry, server: TokenRegistry
) -> None:
    true = f"sha512:{hashlib.sha512(MANIFEST).hexdigest()}"
    false = f"sha512:{hashlib.sha512(b'other').hexdigest()}"
    server.answers = {f"/v2/x/manifests/{each}": MANIFEST for each in (true, false)}

    found = await client.manifest(image(server).bare().with_digest(true), ANN)

    assert (true, MANIFEST) == (found.digest, found.document)
    with pytest.raises(InvalidArgument, match="manifest verification failed for digest sha512"):
        await client.manifest(image(server).bare().with_digest(false), ANN)
