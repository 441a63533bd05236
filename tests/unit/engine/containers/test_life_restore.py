"""The daemon dies at any moment; the next one puts all right."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from api.types.containers import ContainerCreateRequest, HostConfig, RestartPolicy
from engine.containers.create import create
from engine.containers.record import ContainerRecord
from engine.containers.restore import shutdown
from engine.containers.start import start
from engine.containers.stop import stop
from engine.core.container_state import State, Status
from engine.networks.overlay import put_overlay
from engine.settings import Settings
from tests.fakes.cluster import SHOP, Cluster
from tests.fakes.node import Daemon, Machine, settled


async def booted(machine: Machine, settings: Settings | None = None) -> Daemon:
    """Return a daemon that has restored what is on the machine."""
    daemon = Daemon(machine, settings)
    await daemon.boot()
    return daemon


async def run(daemon: Daemon, host: HostConfig | None = None, name: str = "c1") -> str:
    """Create and start a container."""
    request = ContainerCreateRequest(Image="busybox", HostConfig=host)
    container_id = (await create(daemon.env, request, name)).Id
    await start(daemon.env, container_id)
    await settled()
    return container_id


async def test_a_running_container_is_adopted() -> None:
    """Its later exit is seen by the new daemon."""
    machine = Machine()
    first = await booted(machine)
    container_id = await run(first)
    await first.kill()

    second = await booted(machine)
    await settled()
    adopted = second.store.get(container_id).state
    second.monitor.end(container_id, 4)
    await settled()

    assert Status.RUNNING is adopted.status
    assert (Status.EXITED, 4) == (
        second.store.get(container_id).state.status,
        second.store.get(container_id).state.exit_code,
    )
    await second.kill()


async def test_a_full_disk_does_not_keep_the_daemon_from_starting() -> None:
    """It has to come up for somebody to be able to remove what fills the disk."""
    machine = Machine()
    first = await booted(machine)
    container_id = await run(first)
    await first.kill()
    Daemon(machine).monitor.end(container_id, 23)
    machine.records.is_failing = True

    second = await booted(machine)
    await settled()

    state = second.store.get(container_id).state
    assert (Status.EXITED, 23) == (state.status, state.exit_code)
    await second.kill()


@pytest.mark.parametrize(("code", "shown"), [(23, 23), (None, 137)])
async def test_an_exit_that_nobody_saw_is_told(code: int | None, shown: int) -> None:
    """The monitor wrote it down; a monitor that was killed too counts as SIGKILL."""
    machine = Machine()
    first = await booted(machine)
    container_id = await run(first)
    await first.kill()
    Daemon(machine).monitor.end(container_id, code)

    second = await booted(machine)
    await settled()

    assert shown == second.store.get(container_id).state.exit_code
    assert machine.keys("mount") | machine.keys("bundle") | machine.keys("netns") == set()
    await second.kill()


async def test_an_unseen_exit_of_an_auto_remove_container_removes_it() -> None:
    """Its promise holds over the crash."""
    machine = Machine()
    first = await booted(machine)
    container_id = await run(first, HostConfig(AutoRemove=True, Binds=["/v"]))
    await first.kill()
    Daemon(machine).monitor.end(container_id, 0)

    second = await booted(machine)
    await settled()

    assert second.store.all() == []
    assert machine.held == set()
    assert machine.disk.present == set()
    await second.kill()


@pytest.mark.parametrize(
    ("policy", "stopped", "runs"),
    [("always", True, True), ("unless-stopped", True, False), ("unless-stopped", False, True),
     ("no", False, False)],
)  # fmt: skip
async def test_policies_are_obeyed_at_boot(policy: str, stopped: bool, runs: bool) -> None:
    """After a shutdown that stopped all, and after a person's stop."""
    machine = Machine()
    first = await booted(machine, Settings(live_restore=False))
    container_id = await run(first, HostConfig(RestartPolicy=RestartPolicy(policy)))
    if stopped:
        await stop(first.env, container_id)
    await shutdown(first.env)
    between = machine.processes

    second = await booted(machine)
    await settled()

    assert {} == between or runs
    assert runs == second.store.get(container_id).state.is_running
    await second.kill()


async def test_live_restore_leaves_containers_running_at_shutdown() -> None:
    """The default."""
    machine = Machine()
    first = await booted(machine)
    container_id = await run(first)

    await shutdown(first.env)

    assert container_id in machine.processes


async def test_a_creation_cut_short_is_taken_back() -> None:
    """A record whose tree was never made, with the volume that it had made."""
    machine = Machine()
    first = await booted(machine)
    container_id = await run(first, HostConfig(Binds=["/v"]))
    record = replace(first.store.get(container_id), state=State())
    await first.kill()
    machine.processes.clear()
    machine.held.clear()
    machine.records.documents["container", container_id] = msgspec.json.encode(record)

    second = await booted(machine)

    assert second.store.all() == []
    assert ("container", container_id) not in machine.records.documents
    assert machine.disk.present == set()
    await second.kill()


async def test_a_removal_cut_short_is_finished_and_its_name_is_free() -> None:
    """The record says removing: nobody sees it again."""
    machine = Machine()
    first = await booted(machine)
    container_id = await run(first)
    record = first.store.get(container_id)
    gone = replace(record, state=State(status=Status.REMOVING))
    await first.kill()
    machine.processes.clear()
    machine.records.documents["container", container_id] = msgspec.json.encode(gone)

    second = await booted(machine)
    other = await run(second)

    assert [other] == [each.id for each in second.store.all()]
    assert {other} == machine.keys("tree")
    await second.kill()


async def test_what_no_record_explains_is_removed() -> None:
    """Trees, files, bundles and runtime states of unknown containers."""
    machine = Machine()
    for kind in ("tree", "files", "bundle", "state", "netns"):
        machine.held.add((kind, "f" * 64))

    daemon = await booted(machine)

    assert machine.held - {("netns", "f" * 64)} == set()
    await daemon.kill()


async def test_a_start_cut_short_is_undone() -> None:
    """The monitor made the container, the record does not say running: the client got no answer."""
    machine = Machine()
    first = await booted(machine)
    container_id = await run(first)
    before: ContainerRecord = replace(first.store.get(container_id), state=State())
    await first.kill()
    machine.records.documents["container", container_id] = msgspec.json.encode(before)

    second = await booted(machine)

    assert Status.CREATED is second.store.get(container_id).state.status
    assert machine.keys("state") | machine.keys("bundle") | machine.keys("mount") == set()
    await second.kill()


async def test_a_container_on_a_network_of_the_cluster_is_started_when_its_managers_are_there() -> (
    None
):
    """They give the address, and the daemon is there before its session with them."""
    machine = Machine()
    first = await booted(machine)
    first.env.networks.overlay.state.attachments = Cluster(first)
    await put_overlay(first.env.networks, SHOP)
    wanted = HostConfig(NetworkMode="shop_net", RestartPolicy=RestartPolicy("always"))
    container_id = await run(first, wanted)
    await first.kill()
    machine.processes.clear()

    second = await booted(machine)
    await settled()
    machine.clock.advance(2)
    await settled()
    without = second.store.get(container_id).state.status
    second.env.networks.overlay.state.attachments = Cluster(second)
    machine.clock.advance(2)
    await settled()

    assert Status.EXITED == without
    assert second.store.get(container_id).state.is_running
    await second.kill()
