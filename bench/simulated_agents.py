"""Agents that only pretend to run tasks: real certificates, real gRPC, no containers.

They share the machine with the manager that is measured, so they do no more than they must: of an
assignment they read which task it is and what it is to be, and tasks that began together are
reported together.

`python -m bench.simulated_agents ADDRESS TOKEN COUNT` prints a line when all are registered, and
goes on until its standard input ends.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import grpc.aio
import msgspec
import uvloop

from agent.adapters.assignments_wire import to_wire
from api.types.nodes import EngineDescription, NodeDescription, Platform
from api.types.resources import ResourceObject
from api.types.tasks import TaskState, TaskStatus
from protos.identity.certificates import new_request
from protos.identity.channels import Credentials, open_channel
from protos.identity.join import join_credentials
from protos.identity.keys import key_to_pem, new_key
from protos.identity.root import fetch_root
from protos.identity.tokens import parse_join_token
from protos.skep.v1 import dispatcher_pb2 as wire
from protos.skep.v1.ca_pb2 import IssueNodeCertificateRequest
from protos.skep.v1.ca_pb2_grpc import CAStub
from protos.skep.v1.dispatcher_pb2_grpc import DispatcherStub

_JOINS_AT_ONCE = 20
_PAUSE_S = 0.02
# So long it takes until a container runs.
_START_S = 0.1
_RUNNING = wire.ApiValue(
    version=1, msgpack=msgspec.msgpack.encode(TaskStatus(State=TaskState.RUNNING))
)
_SHUTDOWN = wire.ApiValue(
    version=1, msgpack=msgspec.msgpack.encode(TaskStatus(State=TaskState.SHUTDOWN))
)


class _SessionOver(Exception):
    """The manager ended the session."""


class _Told(msgspec.Struct, frozen=True, gc=False):
    """What counts of an AssignedTask."""

    ID: str
    DesiredState: TaskState = TaskState.RUNNING


_told = msgspec.msgpack.Decoder(_Told)


@dataclass
class Counts:
    """What became of all agents together."""

    running: int = 0
    sessions_lost: int = 0


class SimulatedAgent:
    """One node: it is registered, beats, and reports the tasks that it hears of as running."""

    def __init__(
        self,
        number: int,
        address: str,
        credentials: Credentials,
        turns: asyncio.Semaphore,
        counts: Counts,
    ) -> None:
        self._turns = turns
        self._counts = counts
        self.registered = asyncio.Event()
        self._number = number
        self._stub = DispatcherStub(open_channel(address, credentials))
        self._waiting: dict[str, wire.ApiValue] = {}
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Be a node until cancelled; a session that ends is followed by another."""
        while True:
            try:
                await self._hold_session()
            except* (grpc.aio.AioRpcError, _SessionOver):
                self._counts.sessions_lost += 1
                await asyncio.sleep(random.uniform(0.1, 0.5))

    async def _hold_session(self) -> None:
        description = NodeDescription(
            Hostname=f"node{self._number}",
            Platform=Platform("x86_64", "linux"),
            Resources=ResourceObject(NanoCPUs=8 * 10**9, MemoryBytes=16 << 30),
            Engine=EngineDescription(EngineVersion="28.0.0"),
        )
        request = wire.SessionRequest(description=to_wire(description), address="127.0.0.1")
        messages, first = await self._register(request)
        self.registered.set()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hear(messages))
            group.create_task(self._beat(first.session_id, first.heartbeat_period_ms / 1000))
            group.create_task(self._take_over(first.session_id))
            group.create_task(self._report(first.session_id))

    async def _register(
        self, request: wire.SessionRequest
    ) -> tuple[AsyncIterator[wire.SessionMessage], wire.SessionMessage]:
        """Return a session and its first message; a manager that is busy is asked again."""
        while True:
            try:
                async with self._turns:
                    messages = aiter(self._stub.Session(request))
                    return messages, await anext(messages)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
                await asyncio.sleep(random.uniform(0.1, 0.5))

    async def _hear(self, messages: AsyncIterator[wire.SessionMessage]) -> None:
        async for _ in messages:
            pass
        raise _SessionOver

    async def _beat(self, session_id: str, period_s: float) -> None:
        while True:
            await asyncio.sleep(period_s * random.uniform(0.8, 1))
            answer = await self._stub.Heartbeat(wire.HeartbeatRequest(session_id=session_id))
            period_s = answer.period_ms / 1000

    async def _take_over(self, session_id: str) -> None:
        async for message in self._stub.Assignments(wire.AssignmentsRequest(session_id=session_id)):
            for item in message.set:
                if item.key.kind == wire.ASSIGNMENT_KIND_TASK:
                    task = _told.decode(item.value.msgpack)
                    is_to_run = task.DesiredState <= TaskState.COMPLETE
                    self._waiting[task.ID] = _RUNNING if is_to_run else _SHUTDOWN
            if self._waiting:
                self._news.set()

    async def _report(self, session_id: str) -> None:
        while True:
            await self._news.wait()
            await asyncio.sleep(_START_S)
            self._news.clear()
            reports: Mapping[str, wire.ApiValue] = self._waiting
            self._waiting = {}
            updates = [
                wire.TaskStatusUpdate(task_id=task_id, status=status)
                for task_id, status in reports.items()
            ]
            await self._stub.UpdateTaskStatus(
                wire.UpdateTaskStatusRequest(session_id=session_id, updates=updates)
            )
            self._counts.running += sum(each is _RUNNING for each in reports.values())


async def _join(address: str, text: str, count: int) -> list[Credentials]:
    """Have so many nodes admitted."""
    token = parse_join_token(text)
    root = await fetch_root(address, token)
    turns = asyncio.Semaphore(_JOINS_AT_ONCE)
    async with open_channel(address, join_credentials(token, root)) as channel:

        async def one() -> Credentials:
            key = new_key()
            request = IssueNodeCertificateRequest(signing_request=new_request(key), token=text)
            async with turns:
                issued = await CAStub(channel).IssueNodeCertificate(request, timeout=60)
            return Credentials(roots=issued.roots, chain=issued.chain, key=key_to_pem(key))

        return list(await asyncio.gather(*(one() for _ in range(count))))


async def main(address: str, token: str, count: int) -> None:
    """Register all, and go on until there is no more input, telling how many tasks run."""
    turns = asyncio.Semaphore(_JOINS_AT_ONCE)
    counts = Counts()
    agents = [
        SimulatedAgent(number, address, each, turns, counts)
        for number, each in enumerate(await _join(address, token, count))
    ]
    async with asyncio.TaskGroup() as group:
        parts = [group.create_task(agent.run()) for agent in agents]
        for agent in agents:
            await agent.registered.wait()
        print("registered", flush=True)
        parts.append(group.create_task(_tell(counts)))
        await asyncio.to_thread(sys.stdin.read)
        for part in parts:
            part.cancel()


async def _tell(counts: Counts) -> None:
    """Print how many tasks were reported as running, and how many sessions were lost."""
    last = ""
    while True:
        line = f"{counts.running} {counts.sessions_lost}"
        if line != last:
            print(line, flush=True)
            last = line
        await asyncio.sleep(_PAUSE_S)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
