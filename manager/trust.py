"""Whom this manager trusts and what it shows, as both change while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import grpc.aio
import structlog

from api.errors import SkepError
from api.types.nodes import NodeRole
from manager.adapters.tls import ServerTLS
from manager.core.ca.signer import trusted_roots
from manager.core.objects.node import Node
from manager.core.store.errors import LaggedBehind
from manager.core.store.tables import CLUSTERS
from manager.core.store.watch import Match
from manager.rpc.guard import Guard
from manager.state import State
from manager.store import Store
from protos.identity.certificates import Identity, load_chain
from protos.identity.channels import Credentials, open_channel
from protos.identity.join import join_authority
from protos.identity.tokens import parse_join_token
from protos.identity.trust import Trust

log = structlog.get_logger(__name__)

_LOOK_S = 1.0


class Standing:
    """What this manager shows and trusts now; `follow` keeps it up to date.

    The certificate on disk is the agent's to renew; the roots and tokens are the cluster's.
    """

    def __init__(
        self,
        identity: Identity,
        credentials: Credentials,
        state: State,
        store: Store,
        on_change: Callable[[], Awaitable[None]],
    ) -> None:
        self._state = state
        self._store = store
        self._on_change = on_change
        self._credentials = credentials
        self._version = self._file_version()
        self._sources: tuple[list[bytes], list[str]] | None = None
        self._trust = self._trusted()
        self.tls = ServerTLS(credentials, self._trust)
        self.guard = Guard(identity.cluster_id, Membership(store), self._trust)

    def open_channel(self, address: str) -> grpc.aio.Channel:
        """Return a channel to another manager, with the certificate of now."""
        return open_channel(address, self._credentials)

    @property
    def credentials(self) -> Credentials:
        """What this manager shows now."""
        return self._credentials

    async def follow(self) -> None:
        """Take over what changes, until cancelled."""
        while True:
            with suppress(LaggedBehind), self._store.watch(Match(CLUSTERS)) as changes:
                while True:
                    await self._refresh()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_LOOK_S):
                            await anext(changes)

    async def _refresh(self) -> None:
        version = self._file_version()
        has_news = version != self._version
        if has_news:
            try:
                self._credentials = await self._state.credentials()
            except SkepError as error:
                log.warning("certificate.unreadable", reason=error.message)
                return
            self._version = version
            log.info("certificate.taken_over")
        trust = self._trusted()
        if has_news or trust is not self._trust:
            self._trust = trust
            self.tls.update(self._credentials, trust)
            self.guard.believe(trust)
            await self._on_change()

    def _file_version(self) -> tuple[int, ...]:
        try:
            return self._state.certificates.version()
        except FileNotFoundError:
            return ()

    def _trusted(self) -> Trust:
        """Return the roots of the certificate and of the cluster, and the tokens of now.

        It is the same object as long as these are the same: a token's authority is a fresh
        certificate each time that it is made.
        """
        cluster = next(iter(self._store.view().clusters), None)
        pems, tokens = [self._credentials.roots], []
        if cluster is not None:
            pems += [pem.encode() for pem in trusted_roots(cluster.root)]
            tokens = [cluster.root.worker_token, cluster.root.manager_token]
        if (pems, tokens) != self._sources:
            self._sources = (pems, tokens)
            roots = dict.fromkeys(root for pem in pems for root in load_chain(pem))
            joins = [join_authority(parse_join_token(each)) for each in tokens if each]
            self._made = Trust(tuple(roots), tuple(joins))
        return self._made


class Membership:
    """What the guard asks of the cluster's nodes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def is_removed(self, node_id: str) -> bool:
        """Whether the node was removed from the cluster."""
        return any(node_id in each.removed_nodes for each in self._store.view().clusters)

    def is_worker(self, node_id: str) -> bool:
        """Whether the node is known as a worker by now."""
        node: Node | None = self._store.view().nodes.get(node_id)
        return node is not None and node.role is NodeRole.WORKER
