"""Root rotation as a loop of the leader: asks nodes to renew, and finishes when all have."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

import structlog
from msgspec.structs import replace

from manager.cluster.authority.change import completed
from manager.cluster.swarm.state import the_cluster
from manager.core.ca.rotation import Progress, asked, progress
from manager.core.ca.signer import signer_of
from manager.core.objects.cluster import Cluster, RootCA
from manager.core.objects.node import Node
from manager.core.store.apply import Event
from manager.core.store.command import Action
from manager.core.store.errors import LaggedBehind
from manager.core.store.tables import CLUSTERS, NODES
from manager.core.store.transaction import Transaction
from manager.core.store.watch import Match
from manager.ports.issuer import Issuer
from manager.ports.store import Store
from protos.identity.tls_info import tls_info

log = structlog.get_logger(__name__)

# How long changes are gathered before it is looked again: in a rotation every node brings some.
_PAUSE_S = 0.1
_REMEMBERED = 20_000


class RotationLoop:
    """Runs while this manager leads. It looks at all nodes once, then at those that change."""

    def __init__(self, store: Store, issuer: Issuer) -> None:
        self._store = store
        self._issuer = issuer
        self._issued: dict[tuple[str, bytes], bool] = {}
        self._root: RootCA | None = None
        self._waiting: set[str] = set()

    async def run(self) -> None:
        """Lead rotations to their end until cancelled."""
        while True:
            with suppress(LaggedBehind), self._store.watch(Match(CLUSTERS), Match(NODES)) as news:
                self._root = None
                await self.reconcile(())
                async for events in news:
                    await asyncio.sleep(_PAUSE_S)
                    more = (event for some in iter(news.take, []) for event in some)
                    changed = {each.object.id for each in (*events, *more) if _may_matter(each)}
                    if changed:
                        await self.reconcile(changed)

    async def reconcile(self, changed: Iterable[str]) -> None:
        """Do what has to be done now, where these nodes changed, or the root that signs.

        Nothing where all certificates are of that root.
        """
        view = self._store.view()
        cluster = next(iter(view.clusters), None)
        if cluster is None:
            return
        root = cluster.root
        if root != self._root:
            self._root, self._waiting = root, set()
            found = self._progress(view.nodes, root)
        else:
            nodes = [node for each in changed if (node := view.nodes.get(each)) is not None]
            found = self._progress(nodes, root)
            self._waiting.difference_update(changed)
        self._waiting.update(found.waiting)
        if found.to_ask:
            log.info("rotation.asking", nodes=len(found.to_ask))
            await self._store.batch(self._asking(each, root) for each in found.to_ask)
        elif root.rotation is not None and not self._waiting:
            await self._finish(root)

    def _asking(self, node_id: str, root: RootCA) -> Callable[[Transaction], None]:
        certificate = signer_of(root).certificate

        def change(tx: Transaction) -> None:
            node = tx.nodes.get(node_id)
            if node is not None and not self._is_issued(certificate, node):
                tx.nodes.update(asked(node))

        return change

    async def _finish(self, root: RootCA) -> None:
        following = completed(self._issuer, root)

        def change(tx: Transaction) -> bool:
            cluster = the_cluster(tx.clusters)
            is_due = cluster.root == root and not self._progress(tx.nodes, root).waiting
            if is_due:
                tx.clusters.update(replace(cluster, root=following))
            return is_due

        if await self._store.update(change):
            log.info("rotation.finished", digest=following.digest)

    def _progress(self, nodes: Iterable[Node], root: RootCA) -> Progress:
        certificate = signer_of(root).certificate
        key = tls_info(certificate.encode()).CertIssuerPublicKey
        return progress(nodes, key, lambda node: self._is_issued(certificate, node))

    def _is_issued(self, certificate: str, node: Node) -> bool:
        """Tell whether a root signed a node's certificate; what was looked at is remembered."""
        key = certificate, node.certificate.certificate
        if not key[1]:
            return False
        if key not in self._issued:
            if len(self._issued) >= _REMEMBERED:
                self._issued.clear()
            self._issued[key] = self._issuer.has_issued(*key)
        return self._issued[key]


def _may_matter(event: Event) -> bool:
    """Tell whether a change is of what rotations go by: roots, certificates, what nodes hold."""
    old, new = event.old, event.object
    if isinstance(new, Cluster):
        return old is None or old.root != new.root
    return (
        old is None
        or event.action is Action.REMOVE
        or old.certificate != new.certificate
        or old.description.TLSInfo != new.description.TLSInfo
    )
