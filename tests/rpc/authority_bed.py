"""Managers that answer for a cluster's authority over real gRPC, and nodes that join them.

The store is one in memory: what managers agree on is not the question here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import grpc.aio
from cryptography import x509
from msgspec.structs import replace

from agent.adapters.authority_client import GrpcAuthority
from agent.adapters.certificate_files import DiskCertificates
from agent.certificates import NodeCertificates
from api.types.nodes import NodeRole
from api.types.swarm import CAConfig
from manager.adapters.leader_authority import GrpcLeaderAuthority
from manager.adapters.tls import ServerTLS
from manager.cluster.authority.sign import sign
from manager.cluster.swarm.update import Rotations, update_swarm
from manager.core.ca.signer import trusted_roots
from manager.core.objects.cluster import Cluster
from manager.core.objects.node import IssuanceState, Node
from manager.core.store.tables import CLUSTERS, NODES
from manager.core.store.transaction import Transaction
from manager.core.store.watch import Match
from manager.loops.rotate import RotationLoop
from manager.rpc.ca import Authority
from manager.rpc.guard import Guard
from protos.identity.certificates import Identity, Role, load_certificate, new_request
from protos.identity.channels import SERVER_OPTIONS, Credentials
from protos.identity.join import join_authority
from protos.identity.keys import key_to_pem, new_key
from protos.identity.tokens import parse_join_token
from protos.identity.trust import Trust
from protos.skep.v1.ca_pb2_grpc import add_CAServicer_to_server
from tests.fakes.leadership import FakeLeadership
from tests.fakes.small_cluster import SmallCluster, small_cluster


class Managers:
    """The cluster, as its managers see it."""

    def __init__(self, cluster: SmallCluster, directory: Path) -> None:
        self.cluster = cluster
        self.env = cluster.env
        self.directory = directory
        self.leader = ""
        self.servers: list[Server] = []

    @property
    def object(self) -> Cluster:
        """The cluster's object of now."""
        return next(iter(self.env.store.view().clusters))

    @property
    def members(self) -> list[Node]:
        """The nodes that are known."""
        return list(self.env.store.view().nodes)

    def is_removed(self, node_id: str) -> bool:
        """Tell whether a node was removed."""
        return node_id in self.object.removed_nodes

    def is_worker(self, node_id: str) -> bool:
        """Tell whether a node is known as a worker."""
        node = self.env.store.view().nodes.get(node_id)
        return node is not None and node.role is NodeRole.WORKER

    def trust(self) -> Trust:
        """Return whom managers trust now."""
        root = self.object.root
        tokens = (root.worker_token, root.manager_token)
        return Trust(
            tuple(load_certificate(each.encode()) for each in trusted_roots(root)),
            tuple(join_authority(parse_join_token(each)) for each in tokens),
        )

    async def credentials(self, identity: Identity) -> Credentials:
        """Return a certificate by the root that signs now."""
        key = new_key()
        chain = await sign(
            self.env.issuer,
            self.env.external_issuer,
            self.object.root,
            self.object.spec.CAConfig,
            new_request(key),
            identity,
        )
        return Credentials(self.trust().roots_pem(), chain, key_to_pem(key))

    async def rotate(self, config: CAConfig | None = None) -> None:
        """Do what `docker swarm ca --rotate` does."""
        present = self.object
        forced = replace(present.spec.CAConfig, ForceRotate=present.spec.CAConfig.ForceRotate + 1)
        spec = replace(present.spec, CAConfig=config or forced)
        await update_swarm(self.env, present.meta.version_index, spec, Rotations())

    async def rotate_tokens(self) -> None:
        """Do what `docker swarm join-token --rotate` does, for both."""
        present = self.object
        both = Rotations(worker_token=True, manager_token=True)
        await update_swarm(self.env, present.meta.version_index, present.spec, both)


class Server:
    """A manager's port. renew gives it a certificate by the root of now, as its agent would."""

    def __init__(self, managers: Managers, number: int, *, is_leader: bool) -> None:
        self._managers = managers
        self.identity = Identity(f"m{number}", Role.MANAGER, managers.object.id)
        self.leadership = FakeLeadership(is_leader=is_leader)
        self.address = ""
        self.trusted: tuple[x509.Certificate, ...] = ()

    async def serve(self, stack: AsyncExitStack) -> None:
        """Serve until the stack unwinds."""
        trust = self._managers.trust()
        self._credentials = await self._managers.credentials(self.identity)
        self._tls = ServerTLS(self._credentials, trust)
        self._guard = Guard(self.identity.cluster_id, self._managers, trust)
        server = grpc.aio.server(interceptors=[self._guard], options=SERVER_OPTIONS)
        leader = GrpcLeaderAuthority(lambda: self._credentials)
        add_CAServicer_to_server(Authority(self._managers.env, self.leadership, leader), server)
        port = server.add_secure_port("127.0.0.1:0", self._tls.credentials())
        self.address = f"127.0.0.1:{port}"
        await server.start()
        stack.push_async_callback(server.stop, None)

    async def follow(self) -> None:
        """Show and trust what the cluster says now."""
        self._credentials = await self._managers.credentials(self.identity)
        trust = self._managers.trust()
        self._guard.believe(trust)
        self._tls.update(self._credentials, trust)
        self.trusted = trust.roots


@asynccontextmanager
async def managers(directory: Path, number: int = 1) -> AsyncIterator[Managers]:
    """Lend so many managers; the first leads, and sees rotations through."""
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(small_cluster(managers=0))
        lent = Managers(cluster, directory)
        for each in range(1, number + 1):
            server = Server(lent, each, is_leader=each == 1)
            await server.serve(stack)
            lent.servers.append(server)
        lent.leader = lent.servers[0].address
        for server in lent.servers[1:]:
            server.leadership.move(is_leader=False, leader_address=lent.leader)
        loops = [
            asyncio.create_task(RotationLoop(lent.env.store, lent.env.issuer).run()),
            asyncio.create_task(_follow(lent)),
        ]
        try:
            yield lent
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.wait(loops)


async def _follow(lent: Managers) -> None:
    with lent.env.store.watch(Match(CLUSTERS)) as news:
        async for _ in news:
            for server in lent.servers:
                await server.follow()


class Joiner:
    """A node: its directory and the daemon's part of its certificate."""

    def __init__(self, lent: Managers, name: str) -> None:
        self._managers = lent
        self.directory = lent.directory / name
        self.certificates = self._new()
        self._running: list[asyncio.Task[None]] = []

    def _new(self) -> NodeCertificates:
        async def no_unlock_key() -> str:
            raise AssertionError

        store = DiskCertificates(self.directory)
        return NodeCertificates(store, GrpcAuthority(), no_unlock_key, _Now(), lambda: 0.5)

    async def join(self, token: str, address: str = "") -> None:
        """Join by a token."""
        await self.certificates.join([address or self._managers.leader], token, "active")

    async def show(self) -> None:
        """Tell the managers what it holds, as a session does when it begins."""
        told = self.certificates.tls_info()

        def change(tx: Transaction) -> None:
            node = tx.nodes.need(self.certificates.node_id)
            tx.nodes.update(replace(node, description=replace(node.description, TLSInfo=told)))

        await self._managers.env.store.update(change)

    async def attend(self) -> None:
        """Be told what a session tells, and tell what it would, until cancelled."""
        with self._managers.env.store.watch(Match(CLUSTERS), Match(NODES)) as news:
            while True:
                await self._hear()
                changing = asyncio.ensure_future(self.certificates.changed())
                hearing = asyncio.ensure_future(anext(news))
                await asyncio.wait({changing, hearing}, return_when=asyncio.FIRST_COMPLETED)
                changing.cancel()
                hearing.cancel()

    async def _hear(self) -> None:
        node = self._managers.env.store.view().nodes.get(self.certificates.node_id)
        if node is None:
            return
        await self.certificates.trust(self._managers.trust().roots_pem())
        if node.certificate.state is IssuanceState.RENEW:
            self.certificates.want()
        if node.description.TLSInfo != self.certificates.tls_info():
            await self.show()

    def start(self, address: str = "") -> None:
        """Be up: keep the certificate valid, and a session."""
        addresses = [address or self._managers.leader]
        self._running = [
            asyncio.create_task(self.certificates.keep(lambda: addresses)),
            asyncio.create_task(self.attend()),
        ]

    async def stop(self) -> None:
        """Be down."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self._running = []

    async def restart(self) -> None:
        """Come back as a new process would."""
        await self.stop()
        self.certificates = self._new()
        await self.certificates.load()
        self.start()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a change of the certificate after which the condition holds."""
        async with asyncio.timeout(20):
            while not condition():
                await self.certificates.changed()


@asynccontextmanager
async def joiners(lent: Managers, *names: str) -> AsyncIterator[list[Joiner]]:
    """Lend nodes that have joined nothing yet."""
    nodes = [Joiner(lent, name) for name in names]
    try:
        yield nodes
    finally:
        for node in nodes:
            with suppress(asyncio.CancelledError):
                await node.stop()


class _Now:
    """The time of day, and a sleep that really passes."""

    def now_ns(self) -> int:
        """Return nanoseconds since the epoch."""
        return time.time_ns()

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        await asyncio.sleep(seconds)
