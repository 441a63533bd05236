"""The verbs from create to remove, on a machine in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from api.errors import (
    Conflict,
    Internal,
    InvalidArgument,
    NoSuchContainer,
    NoSuchImage,
    NotModified,
    SkepError,
)
from api.types.containers import ContainerCreateRequest, HostConfig, Mount, RestartPolicy
from engine.containers.create import create
from engine.containers.inspect import inspect
from engine.containers.kill import CannotKill, kill
from engine.containers.list import list_containers
from engine.containers.pause import pause
from engine.containers.prune import prune
from engine.containers.remove import CannotRemove, remove
from engine.containers.rename import rename
from engine.containers.restart import restart
from engine.containers.start import start
from engine.containers.stop import stop
from engine.containers.store import NameInUse
from engine.containers.unpause import unpause
from engine.containers.wait import wait
from engine.core.container_state import Status
from engine.core.errors import RuntimeFailed
from tests.fakes.node import IMAGE, Daemon, Machine, settled

VOLUMES = HostConfig(Binds=["named:/n", "/anonymous"])


@pytest.fixture
async def daemon() -> AsyncIterator[Daemon]:
    """Lend a daemon that runs on a fresh machine."""
    daemon = Daemon(Machine())
    await daemon.boot()
    yield daemon
    await daemon.kill()


async def make(daemon: Daemon, host: HostConfig | None = None, name: str = "c1") -> str:
    """Create a container of the only image."""
    request = ContainerCreateRequest(Image="busybox", HostConfig=host)
    return (await create(daemon.env, request, name)).Id


async def run(daemon: Daemon, host: HostConfig | None = None, name: str = "c1") -> str:
    """Create and start a container."""
    container_id = await make(daemon, host, name)
    await start(daemon.env, container_id)
    return container_id


async def exits(daemon: Daemon, container_id: str, code: int = 0) -> None:
    """Let the process end, and all that follows happen."""
    await settled()
    daemon.monitor.end(container_id, code)
    await settled()


async def test_a_whole_life_leaves_nothing(daemon: Daemon) -> None:
    """Create, start, exit, remove: every tree, mount, bundle and namespace goes."""
    before = set(daemon.machine.records.documents)
    container_id = await run(daemon, VOLUMES)
    await exits(daemon, container_id, 3)
    state = daemon.store.get(container_id).state

    await remove(daemon.env, container_id, volumes=True)

    assert (Status.EXITED, 3, 0) == (state.status, state.exit_code, state.pid)
    assert daemon.machine.held == set()
    assert daemon.machine.disk.present == {"named"}
    assert set(daemon.machine.records.documents) - before == {("volume", "named")}
    assert ["create", "start", "die", "destroy"] == daemon.actions()


@pytest.mark.parametrize("step", ["tree.take"])
async def test_a_failing_create_leaves_nothing(daemon: Daemon, step: str) -> None:
    """Name, record and volumes are given back."""
    before = set(daemon.machine.records.documents)
    daemon.machine.failing = {step}

    with pytest.raises(Internal):
        await make(daemon, VOLUMES)

    assert daemon.machine.held == set()
    assert daemon.machine.disk.present == set()
    assert before == set(daemon.machine.records.documents)
    daemon.machine.failing = set()
    await make(daemon)


async def test_a_create_without_room_for_its_record_leaves_nothing(daemon: Daemon) -> None:
    """A full disk: the name is free afterwards."""
    daemon.machine.records.is_failing = True

    with pytest.raises(Internal):
        await make(daemon)

    daemon.machine.records.is_failing = False
    assert daemon.store.all() == []
    await make(daemon)


@pytest.mark.parametrize(
    "step", ["mount.take", "netns.take", "files.take", "bundle.take", "state.take", "runtime.start"]
)
async def test_a_failing_start_leaves_what_create_made(daemon: Daemon, step: str) -> None:
    """Whatever step fails; the state tells why, and the next start works."""
    container_id = await make(daemon, VOLUMES)
    before = set(daemon.machine.held)
    daemon.machine.failing = {step}

    with pytest.raises(Internal, match=step):
        await start(daemon.env, container_id)

    state = daemon.store.get(container_id).state
    assert before == daemon.machine.held - {("files", container_id)}
    assert (Status.CREATED, 128) == (state.status, state.exit_code)
    assert step in state.error
    daemon.machine.failing = set()
    await start(daemon.env, container_id)
    assert "" == daemon.store.get(container_id).state.error


@pytest.mark.parametrize("moment", range(12))
async def test_a_start_that_is_cancelled_leaves_what_create_made(
    daemon: Daemon, moment: int
) -> None:
    """As the task is that is to end while it starts, at whatever turn of the event loop."""
    container_id = await make(daemon, VOLUMES)
    before = set(daemon.machine.held)
    starting = asyncio.ensure_future(start(daemon.env, container_id))
    for _ in range(moment):
        await asyncio.sleep(0)

    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    await settled()

    if not starting.cancelled():
        await exits(daemon, container_id)
    assert before == daemon.machine.held - {("files", container_id)}
    assert daemon.env.networks.store.sandbox(container_id) is None
    await start(daemon.env, container_id)


async def test_a_command_that_does_not_exist_is_127(daemon: Daemon) -> None:
    """The runtime's words reach the client and the state."""
    container_id = await make(daemon)
    daemon.monitor.refusal = RuntimeFailed('exec: "x": executable file not found in $PATH', 127)

    with pytest.raises(RuntimeFailed, match="not found"):
        await start(daemon.env, container_id)

    assert 127 == daemon.store.get(container_id).state.exit_code


async def test_a_failed_start_of_an_auto_remove_container_removes_it(daemon: Daemon) -> None:
    """`docker run --rm` waits for the removal."""
    container_id = await make(daemon, HostConfig(AutoRemove=True))
    daemon.monitor.refusal = RuntimeFailed("no", 127)
    removed = wait(daemon.env, container_id, "removed")

    with pytest.raises(RuntimeFailed):
        await start(daemon.env, container_id)
    answer = await removed()
    await settled()

    assert 127 == answer.StatusCode
    assert daemon.machine.held == set()


async def test_auto_remove_tells_the_exit_code_and_frees_the_name(daemon: Daemon) -> None:
    """Who hears of the removal can use the name, and finds the anonymous volume gone."""
    container_id = await run(daemon, HostConfig(AutoRemove=True, Binds=["/v"]))
    removed = asyncio.ensure_future(wait(daemon.env, container_id, "removed")())
    await settled()
    daemon.monitor.end(container_id, 5)

    answer = await removed

    assert 5 == answer.StatusCode
    assert daemon.machine.disk.present == set()
    await make(daemon)


async def test_starting_twice_is_not_modified(daemon: Daemon) -> None:
    """Api 1.56: 304."""
    container_id = await run(daemon)

    with pytest.raises(NotModified):
        await start(daemon.env, container_id)


async def test_stop_asks_and_then_kills(daemon: Daemon) -> None:
    """A process that ignores TERM gets KILL when the time is over."""
    container_id = await run(daemon)
    daemon.runtime.obeys = {9}
    await settled()

    await stop(daemon.env, container_id, timeout_s=0)

    assert [15, 9] == daemon.runtime.signals
    assert 137 == daemon.store.get(container_id).state.exit_code
    assert ["create", "start", "kill", "kill", "die", "stop"] == daemon.actions()


async def test_stopping_what_is_stopped_is_not_modified(daemon: Daemon) -> None:
    """Api 1.56: 304."""
    container_id = await make(daemon)

    with pytest.raises(NotModified):
        await stop(daemon.env, container_id)


async def test_kill_of_what_does_not_run_is_a_conflict(daemon: Daemon) -> None:
    """Docker's words."""
    container_id = await make(daemon)

    with pytest.raises(CannotKill, match=f"container {container_id} is not running"):
        await kill(daemon.env, "c1")


async def test_a_restart_policy_starts_again_after_its_back_off(daemon: Daemon) -> None:
    """on-failure:1 is two tries; in between the state is restarting."""
    policy = RestartPolicy("on-failure", 1)
    container_id = await run(daemon, HostConfig(RestartPolicy=policy))
    await exits(daemon, container_id, 1)
    between = daemon.store.get(container_id).state.status
    daemon.machine.clock.advance(0.2)
    await settled()
    again = daemon.store.get(container_id)
    await exits(daemon, container_id, 1)

    assert (Status.RESTARTING, Status.RUNNING) == (between, again.state.status)
    assert 1 == again.restart_count
    assert Status.EXITED is daemon.store.get(container_id).state.status


async def test_stop_during_the_back_off_ends_it(daemon: Daemon) -> None:
    """No start comes after a person said stop."""
    container_id = await run(daemon, HostConfig(RestartPolicy=RestartPolicy("always")))
    await exits(daemon, container_id, 1)

    await stop(daemon.env, container_id)
    daemon.machine.clock.advance(100)
    await settled()

    assert Status.EXITED is daemon.store.get(container_id).state.status


async def test_restart_keeps_an_auto_remove_container(daemon: Daemon) -> None:
    """Only an exit that is not part of a restart removes it."""
    container_id = await run(daemon, HostConfig(AutoRemove=True))
    await settled()

    await restart(daemon.env, container_id)

    assert Status.RUNNING is daemon.store.get(container_id).state.status
    assert "restart" == daemon.actions()[-1]


async def test_pause_and_unpause(daemon: Daemon) -> None:
    """A frozen container cannot be frozen again, nor removed without force."""
    container_id = await run(daemon)

    await pause(daemon.env, container_id)
    with pytest.raises(Conflict, match="already paused"):
        await pause(daemon.env, container_id)
    with pytest.raises(CannotRemove, match="unpaused first"):
        await remove(daemon.env, container_id)
    await unpause(daemon.env, container_id)

    assert Status.RUNNING is daemon.store.get(container_id).state.status


async def test_removing_what_runs_needs_force(daemon: Daemon) -> None:
    """The words that the docker command shows."""
    container_id = await run(daemon)
    await settled()

    with pytest.raises(CannotRemove) as raised:
        await remove(daemon.env, container_id)
    await remove(daemon.env, container_id, force=True)

    assert raised.value.message == (
        'cannot remove container "/c1": container is running: '
        "stop the container before removing or force remove"
    )
    with pytest.raises(NoSuchContainer):
        daemon.store.resolve("c1")


async def test_a_removal_that_fails_leaves_a_dead_container(daemon: Daemon) -> None:
    """It is shown, tells why, and can be removed again."""
    container_id = await make(daemon)
    daemon.machine.failing = {"tree.give"}

    with pytest.raises(Internal):
        await remove(daemon.env, container_id)
    dead = daemon.store.get(container_id).state
    daemon.machine.failing = set()
    await remove(daemon.env, container_id)

    assert Status.DEAD is dead.status
    assert daemon.machine.held == set()


async def test_names_are_unique_until_given_up(daemon: Daemon) -> None:
    """Docker's words name the holder; renaming frees the old name."""
    container_id = await make(daemon)

    with pytest.raises(NameInUse, match=f'"/c1" is already in use by container "{container_id}"'):
        await make(daemon)
    await rename(daemon.env, "c1", "c2")
    await make(daemon)

    assert container_id == daemon.store.resolve("/c2").id


async def test_wait_answers_at_once_for_what_does_not_run(daemon: Daemon) -> None:
    """Condition not-running; next-exit waits on."""
    container_id = await make(daemon)

    answer = await wait(daemon.env, container_id)()
    pending = asyncio.ensure_future(wait(daemon.env, container_id, "next-exit")())
    await start(daemon.env, container_id)
    await exits(daemon, container_id, 9)

    assert 0 == answer.StatusCode
    assert 9 == (await pending).StatusCode


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (ContainerCreateRequest(Image="nosuch"), NoSuchImage),
        (ContainerCreateRequest(Image="busybox", WorkingDir="x"), SkepError),
        (
            ContainerCreateRequest(
                Image="busybox",
                HostConfig=HostConfig(Mounts=[Mount(Type="bind", Source="/no", Target="/t")]),
            ),
            SkepError,
        ),
        (
            ContainerCreateRequest(Image="busybox", HostConfig=HostConfig(Memory=1000)),
            SkepError,
        ),
        (
            ContainerCreateRequest(
                Image="busybox", HostConfig=HostConfig(NetworkMode="container:nosuch")
            ),
            InvalidArgument,
        ),
        (
            ContainerCreateRequest(Image="busybox", HostConfig=HostConfig(Runtime="nosuch")),
            SkepError,
        ),
    ],
)
async def test_a_refused_create_leaves_nothing(
    daemon: Daemon, request_: ContainerCreateRequest, error: type[SkepError]
) -> None:
    """Not even the name."""
    before = set(daemon.machine.records.documents)

    with pytest.raises(error):
        await create(daemon.env, request_, "c1")

    assert before == set(daemon.machine.records.documents)
    assert daemon.machine.held == set()
    await make(daemon)


async def test_the_listing_shows_what_runs_newest_first(daemon: Daemon) -> None:
    """With `all` the stopped ones too; filters speak of the record."""
    await make(daemon, name="old")
    daemon.machine.clock.advance(1)
    await run(daemon, name="new")

    shown = await list_containers(daemon.env)
    everything = await list_containers(daemon.env, everything=True)
    ancestor = await list_containers(daemon.env, everything=True, wanted={"ancestor": ["busybox"]})

    assert [["/new"]] == [row.Names for row in shown]
    assert [["/new"], ["/old"]] == [row.Names for row in everything]
    assert everything == ancestor
    assert "Up Less than a second" == shown[0].Status


async def test_inspect_shows_what_was_asked_for_and_what_is(daemon: Daemon) -> None:
    """Merged configuration, state, endpoints."""
    container_id = await run(daemon)

    shown = await inspect(daemon.env, "c1", size=True)

    assert (container_id, "/c1", IMAGE.id) == (shown.Id, shown.Name, shown.Image)
    assert ["PATH=/bin"] == shown.Config.Env
    assert shown.State.Running
    assert shown.NetworkSettings.Networks["bridge"].IPAddress
    assert (10, 1010) == (shown.SizeRw, shown.SizeRootFs)


async def test_prune_removes_only_what_does_not_run(daemon: Daemon) -> None:
    """And tells the bytes."""
    stopped = await make(daemon, name="stopped")
    running = await run(daemon, name="running")

    pruned = await prune(daemon.env)

    assert ([stopped], 10) == (pruned.ContainersDeleted, pruned.SpaceReclaimed)
    assert [running] == [record.id for record in daemon.store.all()]
