"""What agents hear from a manager's dispatcher."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from api.errors import InvalidArgument, Unsupported
from api.swarm_errors import NoLeader
from api.types.nodes import NodeDescription
from manager.core.dispatcher.notice import Peer
from manager.loops.agent_sessions import AgentSessions, NoSession
from manager.ports.outcomes import NotLeader
from manager.rpc import guard
from manager.rpc.dispatcher import Dispatcher
from protos.identity.certificates import Identity, Role
from protos.skep.v1.dispatcher_pb2 import (
    ApiValue,
    HeartbeatRequest,
    NodeRole,
    PauseRequest,
    SessionMessage,
    SessionRequest,
)
from tests.fakes.clock import FakeClock
from tests.fakes.small_cluster import SmallCluster, small_cluster

DESCRIPTION = ApiValue(version=1, msgpack=msgspec.msgpack.encode(NodeDescription(Hostname="box")))


class _Context:
    """Who calls, for the address alone."""

    def __init__(self, peer: str) -> None:
        self._peer = peer

    def peer(self) -> str:
        return self._peer


def context(peer: str = "ipv4:10.9.8.7:4711") -> Any:
    """Return the context of a call from an address."""
    return _Context(peer)


def _serving(cluster: SmallCluster) -> tuple[Dispatcher, AgentSessions]:
    sessions = AgentSessions("m1", cluster.store, FakeClock())
    return Dispatcher(lambda: sessions, lambda: None, lambda: None), sessions


def _call_as(node_id: str) -> None:
    guard._caller.set(Identity(node_id, Role.WORKER, "c1"))


async def _first(stream: AsyncIterator[SessionMessage]) -> SessionMessage:
    async with asyncio.timeout(5):
        return await anext(stream)


def _session(dispatcher: Dispatcher, call: Any, **request: Any) -> AsyncIterator[SessionMessage]:
    return dispatcher.Session(SessionRequest(**{"description": DESCRIPTION, **request}), call)


async def test_session_registers_the_callers_node() -> None:
    async with small_cluster(workers=1) as cluster:
        dispatcher, _ = _serving(cluster)
        _call_as("w1")

        message = await _first(_session(dispatcher, context()))

        node = cluster.node("w1")
        assert ("box", "10.9.8.7", "ready") == (
            node.description.Hostname,
            node.status.Addr,
            node.status.State,
        )
        assert (5000, NodeRole.NODE_ROLE_WORKER) == (message.heartbeat_period_ms, message.role)
        assert ["10.0.0.1:2377"] == [each.address for each in message.managers]
        assert message.root_certificates.startswith(b"-----BEGIN CERTIFICATE-----")


@pytest.mark.parametrize(
    ("peer", "told", "address"),
    [
        ("ipv4:10.9.8.7:4711", "192.0.2.1", "192.0.2.1"),
        ("ipv6:%5Bfd00::7%5D:4711", "", "fd00::7"),
        ("ipv4:10.9.8.7:4711", "", "10.9.8.7"),
    ],
)
async def test_address_is_what_the_agent_tells_or_where_it_calls_from(
    peer: str, told: str, address: str
) -> None:
    async with small_cluster(workers=1) as cluster:
        dispatcher, _ = _serving(cluster)
        _call_as("w1")

        await _first(_session(dispatcher, context(peer), address=told))

        assert address == cluster.node("w1").status.Addr


async def test_heartbeat_needs_the_nodes_own_session() -> None:
    async with small_cluster(workers=2) as cluster:
        dispatcher, _ = _serving(cluster)
        _call_as("w1")
        session = (await _first(_session(dispatcher, context()))).session_id

        assert (
            5000
            == (
                await dispatcher.Heartbeat(HeartbeatRequest(session_id=session), context())
            ).period_ms
        )
        await dispatcher.Pause(PauseRequest(session_id=session), context())
        _call_as("w2")
        with pytest.raises(NoSession):
            await dispatcher.Heartbeat(HeartbeatRequest(session_id=session), context())
        with pytest.raises(NoSession):
            await dispatcher.Pause(PauseRequest(session_id=session), context())


async def test_other_managers_send_agents_to_the_leader() -> None:
    leader = Peer("m7", "10.0.0.7:2377", 4)
    dispatcher = Dispatcher(lambda: None, lambda: None, lambda: leader)

    message = await _first(_session(dispatcher, context()))

    assert ("m7", "10.0.0.7:2377") == (message.leader.node_id, message.leader.address)
    with pytest.raises(NotLeader):
        await dispatcher.Heartbeat(HeartbeatRequest(session_id="x"), context())
    with pytest.raises(NotLeader):
        await dispatcher.Pause(PauseRequest(session_id="x"), context())


async def test_without_a_leader_agents_are_told_so() -> None:
    dispatcher = Dispatcher(lambda: None, lambda: None, lambda: None)

    with pytest.raises(NoLeader):
        await _first(_session(dispatcher, context()))


@pytest.mark.parametrize(
    ("description", "error"),
    [
        (ApiValue(version=1, msgpack=b"\xc1"), InvalidArgument),
        (ApiValue(version=1, msgpack=msgspec.msgpack.encode({"Hostname": 7})), InvalidArgument),
        (ApiValue(version=9, msgpack=b""), Unsupported),
    ],
)
async def test_nonsense_descriptions_are_refused(
    description: ApiValue, error: type[Exception]
) -> None:
    async with small_cluster(workers=1) as cluster:
        dispatcher, sessions = _serving(cluster)
        _call_as("w1")

        with pytest.raises(error):
            await _first(_session(dispatcher, context(), description=description))

        assert 0 == len(sessions)
