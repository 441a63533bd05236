"""Tasks' containers on the engine in the daemon's own process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from agent.core.connections import incoming
from agent.core.task_files import PlacedFile
from agent.core.task_to_container import TaskContainer
from agent.ports.executor import Exit, Running
from api.errors import Internal, NoSuchContainer, NoSuchImage, NotFound, NotModified, SkepError
from api.references import parse_normalized
from api.types.cluster_networks import PortConfig, PublishMode
from engine.containers.create import create
from engine.containers.env import ContainersEnv
from engine.containers.record import ContainerRecord
from engine.containers.remove import remove
from engine.containers.start import start
from engine.containers.stop import stop
from engine.containers.wait import wait
from engine.core.auth import auth_from_header
from engine.core.health import HealthStatus, probe_of
from engine.images.pull import pull

# More at once only take the processors from one another.
_STARTS_AT_ONCE = 8
# A listener that is closed resets what nobody accepted yet: that is waited for, up to a second.
# What was accepted may go on for ever: a fifth of a second is for requests that are answered soon.
_LOOK_AGAIN_S = 0.02
_LOOKS, _LOOKS_AT_ACCEPTED = 50, 10


class EngineExecutor:
    """Fulfils `Executor`."""

    def __init__(self, env: ContainersEnv) -> None:
        self._env = env
        self._pulls: dict[str, asyncio.Task[None]] = {}
        self._starts = asyncio.Semaphore(_STARTS_AT_ONCE)

    async def provide_image(self, reference: str, auth: str) -> None:
        """Have the image here; tasks that need the same one wait for one pull.

        What is here already is not pulled again: managers pin images by their digests, and where
        they could not, the registry will hardly answer a node.
        """
        try:
            self._env.images.store.resolve(reference)
        except NotFound:
            pass
        else:
            return
        key = f"{reference} {auth}"
        pulling = self._pulls.get(key)
        if pulling is None:
            pulling = asyncio.ensure_future(self._pull(reference, auth))
            self._pulls[key] = pulling
            pulling.add_done_callback(lambda _: self._pulls.pop(key, None))
        try:
            await asyncio.shield(pulling)
        except SkepError as error:
            raise NoSuchImage(f"{reference} ({error.message})") from error

    def find(self, name: str) -> str | None:
        """Return the id of the container of this name."""
        try:
            record = self._env.store.resolve(name)
        except SkepError:
            return None
        return record.id if record.name == name else None

    async def create(self, container: TaskContainer, files: Sequence[PlacedFile]) -> str:
        """Make the container."""
        hidden = {each.target: each.source for each in files}
        async with self._starts:
            made = await create(self._env, container.request, container.name, hidden)
        return made.Id

    async def start(self, container_id: str) -> None:
        """Start it."""
        # Its addresses came with the task.
        self._env.networks.overlay.state.placed.add(container_id)
        async with self._starts:
            with suppress(NotModified):
                await start(self._env, container_id)

    def running(self, container_id: str) -> Running:
        """Return its process and its ports."""
        record = self._record(container_id)
        return Running(record.state.pid, tuple(_ports(record)))

    async def healthy(self, container_id: str) -> bool:
        """Return True once it is healthy; False if it never was."""
        if probe_of(self._record(container_id).config) is None:
            return True
        record = await self._until(
            container_id,
            lambda each: _health(each) is not HealthStatus.STARTING or not each.state.is_running,
        )
        return _health(record) is HealthStatus.HEALTHY and record.state.is_running

    async def unhealthy(self, container_id: str) -> None:
        """Return when it is found unhealthy."""
        if probe_of(self._record(container_id).config) is None:
            await asyncio.get_running_loop().create_future()
        await self._until(container_id, lambda each: _health(each) is HealthStatus.UNHEALTHY)

    async def exited(self, container_id: str) -> Exit:
        """Return how it ended."""
        answer = await wait(self._env, container_id)()
        error = answer.Error
        return Exit(answer.StatusCode, error.Message if isinstance(error, msgspec.Struct) else "")

    async def drained(self, container_id: str) -> None:
        """Return when what came in was accepted, and short exchanges are over; or soon."""
        pid = self._record(container_id).state.pid
        for look in range(_LOOKS):
            # The first pause is for what was on its way when the last node knew.
            await asyncio.sleep(_LOOK_AGAIN_S)
            try:
                found = incoming(*await asyncio.to_thread(_connections, pid))
            except OSError:
                return
            if not found.waiting and (not found.accepted or look >= _LOOKS_AT_ACCEPTED):
                return

    async def stop(self, container_id: str) -> None:
        """Ask it to end, and insist."""
        with suppress(NotModified):
            await stop(self._env, container_id)

    async def remove(self, container_id: str) -> None:
        """Remove it and its anonymous volumes."""
        with suppress(NoSuchContainer):
            await remove(self._env, container_id, force=True, volumes=True)
        self._env.networks.overlay.state.placed.discard(container_id)

    async def _pull(self, reference: str, auth: str) -> None:
        named = parse_normalized(reference)
        if not named.tag and not named.digest:
            named = named.with_tag("latest")
        lines = await pull(
            self._env.images, str(named), named.digest or "", "", auth_from_header(auth)
        )
        async for line in lines:
            if b'"error"' in line:
                raise _failure(line)

    async def _until(
        self, container_id: str, condition: Callable[[ContainerRecord], bool]
    ) -> ContainerRecord:
        """Return the record once it is as it should be. Errors: NoSuchContainer."""
        listener = self._env.events.listen()
        try:
            while not condition(record := self._record(container_id)):
                await listener.next()
        finally:
            listener.close()
        return record

    def _record(self, container_id: str) -> ContainerRecord:
        record = self._env.store.find(container_id)
        if record is None:
            raise NoSuchContainer(container_id)
        return record


def _connections(pid: int) -> list[str]:
    """Return the kernel's lists of connections of a process's network. Errors: OSError."""
    net = Path(f"/proc/{pid}/net")
    return [each.read_text() for each in (net / "tcp", net / "tcp6") if each.exists()]


def _health(record: ContainerRecord) -> HealthStatus:
    return record.health.status if record.health is not None else HealthStatus.STARTING


def _failure(line: bytes) -> SkepError:
    try:
        return Internal(str(msgspec.json.decode(line.splitlines()[-1])["error"]))
    except (msgspec.MsgspecError, KeyError, TypeError):
        return Internal(line.decode("utf-8", "replace"))


def _ports(record: ContainerRecord) -> list[PortConfig]:
    return [
        PortConfig(
            Protocol=port.partition("/")[2],
            TargetPort=int(port.partition("/")[0]),
            PublishedPort=int(binding.HostPort or 0),
            PublishMode=PublishMode.HOST,
        )
        for port, bindings in record.ports.items()
        for binding in (bindings or [])[:1]
    ]
