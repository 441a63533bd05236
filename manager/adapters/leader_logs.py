"""The leader's log broker, from any manager."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing

import grpc.aio

from api.errors import Unavailable
from api.frames import Stream, pack_frame
from api.swarm_errors import NoLeader
from api.types.logs import LogOptions, LogPosition
from manager.core.backoff import Backoff
from manager.core.logs.selection import Selection
from manager.loops.log_broker import LogBroker, Passage
from protos.errors import raised_here
from protos.log_options import positions_from_wire, positions_to_wire, to_wire
from protos.skep.v1.logs_pb2 import LogsRequest
from protos.skep.v1.logs_pb2_grpc import LogsStub

# So long a reading that follows may be without a leader, and is tried again meanwhile.
PATIENCE_S = 20.0
# A reading that lasted so long was one, though nothing was said.
_LASTED_S = 5.0
_BACKOFF = Backoff(first_s=0.1, limit_s=1.0)


class LeaderLogs:
    """Fulfils `TaskLogs`: reads here while this manager leads, else over a channel of its own.

    A reading that follows goes on under the next leader, behind what came already.
    """

    def __init__(
        self,
        broker: Callable[[], LogBroker | None],
        leader_address: Callable[[], str | None],
        open_channel: Callable[[str], grpc.aio.Channel],
    ) -> None:
        self._broker = broker
        self._leader_address = leader_address
        self._open_channel = open_channel

    async def read(self, selection: Selection, options: LogOptions) -> AsyncIterator[bytes]:
        """Yield what the leader's broker yields. Errors: NoLeader, Unavailable at the beginning."""
        positions: dict[str, LogPosition] = {}
        now_s = asyncio.get_running_loop().time
        failures, failing_since_s, has_begun = 0, 0.0, False
        while True:
            began_s = now_s()
            try:
                passages = self._of_leader(selection, options, positions)
                async with aclosing(passages):
                    async for passage in passages:
                        failures, has_begun = 0, True
                        positions.update(passage.positions)
                        yield passage.data
                    return
            except Unavailable as error:
                if now_s() - began_s > _LASTED_S:
                    failures = 0
                failing_since_s = failing_since_s if failures else now_s()
                if not options.follow or now_s() - failing_since_s > PATIENCE_S:
                    if not has_begun:
                        raise
                    word = f"Error grabbing logs: {error.message}\n"
                    yield pack_frame(Stream.SYSTEM, word.encode())
                    return
            failures += 1
            await asyncio.sleep(_BACKOFF.delay_s(failures, 0.0))

    async def _of_leader(
        self, selection: Selection, options: LogOptions, positions: Mapping[str, LogPosition]
    ) -> AsyncGenerator[Passage, None]:
        """Yield what the broker of the present leader yields. Errors: NoLeader, Unavailable."""
        broker = self._broker()
        if broker is not None:
            async with aclosing(broker.read(selection, options, positions)) as passages:
                async for passage in passages:
                    yield passage
            return
        address = self._leader_address()
        if address is None:
            raise NoLeader
        request = LogsRequest(
            options=to_wire(options),
            service_ids=sorted(selection.service_ids),
            task_ids=sorted(selection.task_ids),
            positions=positions_to_wire(positions),
        )
        async with self._open_channel(address) as channel:
            with raised_here():
                async for piece in LogsStub(channel).Read(request):
                    yield Passage(piece.data, positions_from_wire(piece.positions))
