"""POST /containers/{id}/attach: a client joins the stdio of a container's first process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from typing import Any

import structlog
from msgspec import Struct

from api.errors import Conflict
from api.http.hijack import Duplex
from engine.containers.env import ContainersEnv
from engine.containers.live import Live, OpenStream
from engine.containers.logs import check_readable, read_log
from engine.containers.notify import notify
from engine.containers.record import ContainerRecord
from engine.containers.stdio import Choice, Ending, carry, output_of
from engine.core.container_state import Status
from engine.core.detach_keys import parse_detach_keys
from engine.core.logline import LogQuery
from engine.ports.runtime import MonitorStream

log = structlog.get_logger(__name__)


class AttachQuery(Struct, frozen=True, kw_only=True):
    """What the client asks: history (`logs`), what comes now (`stream`), and which streams.

    Without `framed`, output comes bare also where there is no terminal.
    """

    logs: bool = False
    stream: bool = False
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    detach_keys: str = ""
    framed: bool = True


class Attachment(Struct, frozen=True):
    """An attach that may begin: `serve` runs until the output ends or the client leaves."""

    tty: bool
    serve: Callable[[Duplex], Awaitable[None]]


async def attach(env: ContainersEnv, ref: str, query: AttachQuery) -> Attachment:
    """Check that a client may attach, and return how to serve it.

    A container that does not run yet may be attached to: the client gets its output from the
    first byte once it is started.
    Errors:  NoSuchContainer, Conflict (paused, restarting), InvalidArgument (detach keys),
    LogsUnreadable.
    """
    record = env.store.resolve(ref)
    keys = parse_detach_keys(query.detach_keys)
    if record.state.status is Status.PAUSED:
        raise Conflict(f"container {record.id} is paused, unpause the container before attach")
    if record.state.status is Status.RESTARTING:
        raise Conflict(f"container {record.id} is restarting, wait until the container is running")
    if query.logs:
        check_readable(env, record)
    tty = record.config.Tty
    choice = Choice(
        stdin=query.stdin and query.stream and record.config.OpenStdin,
        stdout=query.stdout,
        stderr=query.stderr,
        raw=tty or not query.framed,
        detach_keys=keys,
    )

    async def serve(client: Duplex) -> None:
        await _serve(env, record, query, choice, client)

    return Attachment(tty, serve)


async def _serve(
    env: ContainersEnv, record: ContainerRecord, query: AttachQuery, choice: Choice, client: Duplex
) -> None:
    async with AsyncExitStack() as leaving:
        stream: MonitorStream | None = None
        if query.stream:
            notify(env, record, "attach")
            stream = await _join(env, record.id, client)
            if stream is None:
                return
            leaving.callback(stream.close)
        output = await leaving.enter_async_context(
            aclosing(_output(env, record, query, choice, stream))
        )
        ending = await carry(client, output, stream, choice)
    if ending is Ending.DETACHED:
        notify(env, record, "detach")
    log.debug("container.attach_ended", container_id=record.id, ending=ending.name)


async def _output(
    env: ContainersEnv,
    record: ContainerRecord,
    query: AttachQuery,
    choice: Choice,
    stream: MonitorStream | None,
) -> AsyncGenerator[bytes, None]:
    """Yield what the client gets.

    With history, all output comes from the log: the log has every byte in order, so that there is
    neither gap nor repetition where the past meets the present.
    """
    if not query.logs:
        if stream is not None:
            async for data in output_of(stream, choice):
                yield data
        return
    if not (choice.stdout or choice.stderr):
        return
    wanted = LogQuery(stdout=choice.stdout, stderr=choice.stderr, raw=choice.raw)
    draining = asyncio.create_task(_drain(stream)) if stream is not None else None
    try:
        async for data in read_log(env, record, wanted, follow=query.stream):
            yield data
    finally:
        if draining is not None:
            draining.cancel()


async def _drain(stream: MonitorStream) -> None:
    while await stream.read() is not None:
        pass


async def _join(env: ContainersEnv, container_id: str, client: Duplex) -> MonitorStream | None:
    """Connect to the process, waiting for its start; None when the client leaves before."""
    live = env.live.of(container_id)
    record = env.store.find(container_id)
    if record is not None and record.state.has_process and live.monitored is not None:
        return await env.host.monitor.attach(live.monitored.directory)
    waiter = _StartWaiter()
    live.attachers.append(waiter)
    removed = live.removed.expect()
    leaving = asyncio.create_task(client.closed())
    late = asyncio.create_task(_join_late(env, live, container_id, waiter))
    waited: set[asyncio.Future[Any]] = {waiter.stream, removed, leaving}
    try:
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        return waiter.take()
    finally:
        waiter.give_up()
        if waiter in live.attachers:
            live.attachers.remove(waiter)
        removed.cancel()
        leaving.cancel()
        late.cancel()


async def _join_late(
    env: ContainersEnv, live: Live, container_id: str, waiter: _StartWaiter
) -> None:
    """Connect a client that came during a start, after the start had looked for attachers."""
    if not live.lock.locked():
        return
    async with live.lock:
        record, monitored = env.store.find(container_id), live.monitored
    if record is not None and record.state.has_process and monitored is not None:
        await waiter.connected(lambda: env.host.monitor.attach(monitored.directory))


class _StartWaiter:
    """Stands in the container's list of attachers until it is started, once."""

    def __init__(self) -> None:
        self.stream: asyncio.Future[MonitorStream] = asyncio.get_running_loop().create_future()
        self._taken = False

    async def connected(self, open_stream: OpenStream) -> None:
        """Take the stream of the start that goes on; a client that left takes none."""
        if self.stream.done():
            return
        stream = await open_stream()
        if self.stream.done():
            stream.close()
        else:
            self.stream.set_result(stream)

    def take(self) -> MonitorStream | None:
        """Return the stream, whose closing is the caller's business now; None if none came."""
        if not self.stream.done():
            return None
        self._taken = True
        return self.stream.result()

    def give_up(self) -> None:
        """Refuse streams from now on; close one that nobody took."""
        if not self.stream.done():
            self.stream.cancel()
        elif not self._taken:
            self.stream.result().close()
