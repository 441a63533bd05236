"""The door of the manager's gRPC server: who calls, may they, and how errors leave.

Every call passes here. The caller is read from the certificate of its connection; the method's
row in `roles.METHODS` says which roles may call. SkepErrors raised inside become statuses that
`protos.errors.raised_here` turns back at the caller.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Protocol, TypeAlias, cast

import grpc
import grpc.aio
import structlog

from api.errors import Forbidden, SkepError
from manager.rpc.roles import METHODS
from protos.errors import code_of, details_of, metadata_of
from protos.identity.certificates import Identity, Role
from protos.identity.errors import BadCertificate
from protos.identity.trust import Peer, Trust, peer_of

log = structlog.get_logger(__name__)

_KNOWN_LIMIT = 4096  # peers remembered; a cluster of that many nodes costs a few MB
_caller: ContextVar[Identity] = ContextVar("caller")

_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class NotAllowed(Forbidden):
    """The caller's role does not open the method, or the node was removed."""


class Members(Protocol):
    """What the guard asks of the cluster's state; answered from memory."""

    def is_removed(self, node_id: str) -> bool:
        """Whether the node was removed from the cluster, so that its certificate is void."""
        ...

    def is_worker(self, node_id: str) -> bool:
        """Whether the node is known as a worker by now, whatever its certificate says."""
        ...


def caller() -> Identity:
    """Return who makes the call that is being served; JOINING for a joining node."""
    return _caller.get()


class Guard(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in stubs alone
    """An interceptor of one server; streaming methods behind it are async generators."""

    def __init__(
        self,
        cluster_id: str,
        members: Members,
        trust: Trust,
        methods: Mapping[str, frozenset[Role]] = METHODS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._cluster_id = cluster_id
        self._members = members
        self._trust = trust
        self._methods = methods
        self._now = now
        self._known: dict[tuple[bytes, bytes], Peer] = {}
        self._behind: dict[str, _Handler] = {}

    def believe(self, trust: Trust) -> None:
        """Judge all further calls by these roots and tokens, on open connections too."""
        self._trust = trust
        self._known.clear()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler:
        """Return the method's handler with the guard before it."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return handler  # no such method: the library answers UNIMPLEMENTED
        method = handler_call_details.method
        guarded = self._behind.get(method)
        if guarded is None:
            guarded = self._behind[method] = self._guarded(handler, method)
        return guarded

    def identify(self, context: grpc.aio.ServicerContext[Any, Any], method: str) -> Identity:
        """Return the caller; Unauthenticated or Forbidden when it may not call the method."""
        identity = self._identity(context)
        if identity.role not in self._methods.get(method, frozenset()):
            log.warning("rpc.refused", method=method, node_id=identity.node_id, role=identity.role)
            raise NotAllowed(f"{identity.role} may not call {method}")
        return identity

    def _identity(self, context: grpc.aio.ServicerContext[Any, Any]) -> Identity:
        shown = context.auth_context()
        pem, chain = _joined(shown, "x509_pem_cert"), _joined(shown, "x509_pem_cert_chain")
        if not pem:
            raise BadCertificate("the connection shows no certificate")
        peer = self._peer(pem, chain)
        if peer.is_expired(self._now()):
            raise BadCertificate("the certificate has expired")
        identity = peer.identity
        if identity.role is Role.JOIN:
            return identity
        if identity.cluster_id != self._cluster_id:
            raise BadCertificate("the certificate is of another cluster")
        if self._members.is_removed(identity.node_id):
            raise NotAllowed(f"node {identity.node_id} was removed from the cluster")
        if identity.role is Role.MANAGER and self._members.is_worker(identity.node_id):
            return Identity(identity.node_id, Role.WORKER, identity.cluster_id)
        return identity

    def _peer(self, pem: bytes, chain: bytes) -> Peer:
        peer = self._known.get((pem, chain))
        if peer is None:
            peer = peer_of(pem, chain, self._trust)
            if len(self._known) >= _KNOWN_LIMIT:
                self._known.clear()
            self._known[pem, chain] = peer
        return peer

    def _guarded(self, handler: _Handler, method: str) -> _Handler:
        """Return the handler with the check in front, of the same one of the four kinds."""
        call = cast("Callable[[Any, Any], Any]", _behaviour(handler))

        async def one(request: Any, context: Any) -> Any:
            try:
                _caller.set(self.identify(context, method))
                return await call(request, context)
            except SkepError as error:
                await _abort(context, error)

        async def many(request: Any, context: Any) -> AsyncIterator[Any]:
            try:
                _caller.set(self.identify(context, method))
                async with aclosing(call(request, context)) as answers:
                    async for answer in answers:
                        yield answer
            except SkepError as error:
                await _abort(context, error)

        behaviour = many if handler.response_streaming else one
        return _KINDS[handler.request_streaming, handler.response_streaming](
            behaviour, handler.request_deserializer, handler.response_serializer
        )


async def _abort(context: grpc.aio.ServicerContext[Any, Any], error: SkepError) -> None:
    await context.abort(code_of(error), details_of(error), metadata_of(error))


_KINDS: Mapping[tuple[bool, bool], Callable[..., _Handler]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


def _joined(shown: Mapping[str, Iterable[bytes]], key: str) -> bytes:
    return b"".join(shown.get(key, ()))


def _behaviour(handler: _Handler) -> object:
    """Return the one of a handler's four functions that is set."""
    return (
        handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    )
