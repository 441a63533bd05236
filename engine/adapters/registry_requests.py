"""Requests to registries: hosts in turn, credentials, redirects, and errors put in our words."""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Set
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

import aiohttp

from api.errors import Forbidden, SkepError
from api.references import DEFAULT_DOMAIN, Reference
from api.types.registry import AuthConfig
from engine.adapters.registry_auth import Authorizer
from engine.adapters.registry_certificates import ROOTS, RegistryCertificates
from engine.core.auth import is_inward
from engine.core.registry_endpoints import Endpoint
from engine.core.registry_endpoints import endpoints as list_endpoints
from engine.core.registry_errors import (
    RegistryRefused,
    RegistryUnreachable,
    push_error,
    registry_error,
)
from engine.settings import LiveSettings

_CONNECT_S = 15
_SILENCE_S = 60
_ERROR_BODY_LIMIT = 64 << 10
_REDIRECTS = 5
_HUB_SEARCH = "https://index.docker.io"
_READ_BUFFER = 1 << 20


@dataclass(frozen=True, slots=True)
class Order:
    """One request to a registry itself, to write.

    `target` is a path below the repository, or the whole URL that an earlier answer named.
    `content` is asked anew for each try. `silence_s` bounds the wait for the answer.
    """

    method: str
    target: str
    scope: str
    expected: Set[int]
    headers: Mapping[str, str] = field(default_factory=dict)
    content: Callable[[], bytes | AsyncIterator[bytes]] | None = None
    silence_s: float | None = _SILENCE_S


class RegistryRequests:
    """One session for all registries; opened in the running loop."""

    def __init__(self, settings: LiveSettings) -> None:
        self._settings = settings
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, limit_per_host=0, ttl_dns_cache=30),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=_CONNECT_S, sock_read=_SILENCE_S
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=True,
            read_bufsize=_READ_BUFFER,
            headers={"User-Agent": "skep", "Accept-Encoding": "identity"},
        )
        self._certificates = RegistryCertificates(ROOTS)
        self.authorizer = Authorizer(self._session, self._certificates)
        self._answered: dict[str, Endpoint] = {}

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    def endpoints(self, domain: str, *, mirrors: bool = True) -> list[Endpoint]:
        """Return what to try; what answered last comes first."""
        current = self._settings.current
        found = list_endpoints(
            domain, current.insecure_registries, current.registry_mirrors if mirrors else ()
        )
        answered = self._answered.get(domain)
        if answered in found and not answered.is_mirror:
            found = [each for each in found if each.is_mirror] + [answered]
        return found

    def search_endpoints(self, domain: str) -> list[Endpoint]:
        """Return where to search: Docker Hub's search is not where its images are."""
        if domain == DEFAULT_DOMAIN:
            return [Endpoint(_HUB_SEARCH)]
        return self.endpoints(domain, mirrors=False)

    @asynccontextmanager
    async def get(
        self, reference: Reference, path: str, auth: AuthConfig | None, headers: dict[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask the endpoints in turn; the first that answers well, or the last error."""
        failure: SkepError | None = None
        found = self.endpoints(reference.domain)
        for endpoint in found:
            its_auth = None if endpoint.is_mirror else auth
            try:
                response = await self._ask(endpoint, reference, path, its_auth, headers)
            except RegistryUnreachable as error:
                failure = error
                self._answered.pop(reference.domain, None)
                continue
            except SkepError as error:
                if not endpoint.is_mirror:
                    raise
                failure = error
                continue
            if not endpoint.is_mirror:
                self._answered[reference.domain] = endpoint
            try:
                with translated(str(response.url)):
                    yield response
            finally:
                response.release() if response.content.at_eof() else response.close()
            return
        assert failure is not None
        raise failure

    @asynccontextmanager
    async def write(
        self, reference: Reference, order: Order, auth: AuthConfig | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send an order to the registry, never to a mirror; its answer has an expected status.

        Errors:  RegistryUnreachable, and what `push_error` makes of other answers.
        """
        endpoint = await self._home(reference.domain)
        base = f"{endpoint.url}/v2/{reference.path}/"
        url = urljoin(base, order.target)
        if order.target.startswith(("http:", "https:")):
            _check_redirect(url, endpoint)
        try:
            response = await self._send_order(endpoint, url, order, auth)
        except RegistryUnreachable:
            self._answered.pop(reference.domain, None)
            raise
        try:
            with translated(url):
                if response.status not in order.expected:
                    raise push_error(response.status, url, await _head(response))
                yield response
        finally:
            response.release() if response.content.at_eof() else response.close()

    async def _home(self, domain: str) -> Endpoint:
        """Return the first endpoint of a registry that answers at all."""
        failure: SkepError | None = None
        for endpoint in self.endpoints(domain, mirrors=False):
            if self._answered.get(domain) == endpoint:
                return endpoint
            try:
                (await self.send(endpoint, f"{endpoint.url}/v2/", {})).close()
            except RegistryUnreachable as error:
                failure = error
                continue
            self._answered[domain] = endpoint
            return endpoint
        assert failure is not None
        raise failure

    async def _send_order(
        self, endpoint: Endpoint, url: str, order: Order, auth: AuthConfig | None
    ) -> aiohttp.ClientResponse:
        """Send an order with what credentials it takes, to the registry's own host only."""
        is_home = urlsplit(url).netloc == endpoint.host
        known = self.authorizer.known(endpoint, order.scope, auth) if is_home else None
        response = await self._send_once(endpoint, url, order, known)
        if response.status == HTTPStatus.UNAUTHORIZED and is_home:
            challenges = response.headers.getall("WWW-Authenticate", [])
            response.close()
            with translated(url):
                known = await self.authorizer.answer(endpoint, order.scope, auth, challenges, url)
            response = await self._send_once(endpoint, url, order, known)
        return response

    async def _send_once(
        self, endpoint: Endpoint, url: str, order: Order, authorization: str | None
    ) -> aiohttp.ClientResponse:
        headers = dict(order.headers)
        if authorization:
            headers["Authorization"] = authorization
        tls = await self._tls(endpoint, url)
        with translated(url):
            return await self._session.request(
                order.method,
                url,
                headers=headers,
                data=order.content() if order.content else None,
                allow_redirects=False,
                ssl=tls,
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=_CONNECT_S, sock_read=order.silence_s
                ),
            )

    async def _ask(
        self,
        endpoint: Endpoint,
        reference: Reference,
        path: str,
        auth: AuthConfig | None,
        headers: dict[str, str],
    ) -> aiohttp.ClientResponse:
        """Send a GET with what credentials it takes; return a response that is 200 or 206."""
        url = f"{endpoint.url}/v2/{reference.path}/{path}"
        scope = f"repository:{reference.path}:pull"
        known = self.authorizer.known(endpoint, scope, auth)
        response = await self._follow(endpoint, url, headers, known)
        if response.status == HTTPStatus.UNAUTHORIZED and urlsplit(str(response.url)).netloc == (
            endpoint.host
        ):
            challenges = response.headers.getall("WWW-Authenticate", [])
            response.close()
            with translated(url):
                known = await self.authorizer.answer(endpoint, scope, auth, challenges, url)
            response = await self._follow(endpoint, url, headers, known)
        if response.status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            return response
        try:
            with translated(url):
                body = await _head(response)
        finally:
            response.close()
        raise registry_error(reference, response.status, url, body)

    async def _follow(
        self, endpoint: Endpoint, url: str, headers: dict[str, str], authorization: str | None
    ) -> aiohttp.ClientResponse:
        """Follow redirects by hand: credentials stay with the host that they are for."""
        target = url
        for _ in range(_REDIRECTS):
            is_home = urlsplit(target)[:2] == urlsplit(url)[:2]
            extra = {"Authorization": authorization} if authorization and is_home else {}
            response = await self.send(endpoint, target, {**headers, **extra})
            location = response.headers.get("Location")
            if response.status not in {301, 302, 303, 307, 308} or not location:
                return response
            response.close()
            target = urljoin(target, location)
            _check_redirect(target, endpoint)
        raise RegistryRefused(f'stopped after {_REDIRECTS} redirects of "{url}"')

    async def send(
        self, endpoint: Endpoint, url: str, headers: dict[str, str]
    ) -> aiohttp.ClientResponse:
        """Send one GET and return its answer, whatever it is; the caller closes it.

        Errors:  RegistryUnreachable.
        """
        tls = await self._tls(endpoint, url)
        with translated(url):
            return await self._session.get(url, headers=headers, allow_redirects=False, ssl=tls)

    async def _tls(self, endpoint: Endpoint, url: str) -> ssl.SSLContext | bool:
        """Return how to speak TLS: only the registry itself may be spared a valid certificate."""
        host = urlsplit(url).netloc
        return await self._certificates.of(host, verify=endpoint.verify or host != endpoint.host)


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Turn what the network does into RegistryUnreachable, in the words that Docker shows."""
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise RegistryUnreachable(url, _reason(error)) from error


def _reason(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return f"tls: failed to verify certificate: x509: {error.certificate_error}"
        case aiohttp.ClientConnectorError():
            return _connect_reason(error)
        case TimeoutError():
            return "context deadline exceeded"
        case aiohttp.ClientPayloadError() | aiohttp.ServerDisconnectedError():
            return "unexpected EOF"
        case _:
            return str(error) or type(error).__name__


def _connect_reason(error: aiohttp.ClientConnectorError) -> str:
    os_error = error.os_error
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"dial tcp: lookup {error.host}: no such host"
    if "WRONG_VERSION_NUMBER" in str(error):
        return "http: server gave HTTP response to HTTPS client"
    if isinstance(os_error, ssl.SSLError):
        return f"tls: {os_error.reason}"
    words = os.strerror(os_error.errno).lower() if os_error.errno else str(os_error)
    return f"dial tcp {error.host}:{error.port}: connect: {words}"


async def read_limited(response: aiohttp.ClientResponse, limit: int, what: str) -> bytes:
    """Return a body of at most `limit` bytes. Errors: RegistryRefused when it is longer."""
    pieces: list[bytes] = []
    size = 0
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > limit:
            raise RegistryRefused(f"the registry sent a {what} of more than {limit} bytes")
        pieces.append(piece)
    return b"".join(pieces)


async def _head(response: aiohttp.ClientResponse) -> bytes:
    pieces: list[bytes] = []
    while sum(map(len, pieces)) < _ERROR_BODY_LIMIT:
        piece = await response.content.readany()
        if not piece:
            break
        pieces.append(piece)
    return b"".join(pieces)


def _check_redirect(target: str, endpoint: Endpoint) -> None:
    """Refuse to be sent to this machine, or from TLS to none. Errors: Forbidden."""
    parts = urlsplit(target)
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https"} or not host:
        raise Forbidden(f"refusing the registry's redirect to {target[:200]!r}")
    if parts.scheme == "http" and endpoint.verify and endpoint.url.startswith("https:"):
        raise Forbidden(f"refusing the registry's redirect to {host} without TLS")
    if is_inward(host) and not is_inward(urlsplit(endpoint.url).hostname or ""):
        raise Forbidden(f"refusing the registry's redirect to {host}: an address of this machine")
