"""Kills amid what writes most, disks that fill up or fail: nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.consensus.cluster import Cluster, Node, Refused, leads, running, until, write
from tests.consensus.test_faults import loaded

ALL_THE_TIME: dict[str, Any] = {"snapshot_entries": 8, "trailing_entries": 3}
STOPPED = 3


async def kill_all(cluster: Cluster, *options: str) -> None:
    """Kill everyone at once, and start them again."""
    for node in cluster.nodes:
        node.signal(signal.SIGKILL)
    for node in cluster.nodes:
        node.kill()
        node.start(*options)
    await cluster.whole()


async def test_everyone_killed_amid_dumps_and_compaction(tmp_path: Path) -> None:
    """A dump is always being written or the log being cut when the kill comes."""
    chance = random.Random(5)
    async with (
        running(tmp_path, 3, **ALL_THE_TIME) as cluster,
        loaded(cluster, seed=5) as workload,
    ):
        for _ in range(3):
            await workload.progress(chance.randrange(20, 60))
            await kill_all(cluster)


async def test_everyone_killed_amid_membership_changes(tmp_path: Path) -> None:
    """A member is taken out and comes back as another, and the kill may come at any time."""
    chance = random.Random(6)
    async with running(tmp_path, 3, **ALL_THE_TIME) as cluster:
        leaving = cluster.nodes[-1]
        for round_ in range(1, 4):
            await write(cluster.nodes, "a", round_)
            changing = asyncio.create_task(replace(cluster, leaving))
            await asyncio.sleep(chance.uniform(0, 1.5))  # how far the change gets is left to chance
            changing.cancel()
            with suppress(asyncio.CancelledError):
                await changing
            staying = [node for node in cluster.nodes if node is not leaving]
            for node in cluster.nodes:
                node.kill()
            for node in staying:
                node.start()
            leader = await cluster.leader(*staying)
            if await is_member(leader, leaving):
                leaving.start("--join", leader.address)
            else:
                forget(leaving)
                leaving.start("--join", leader.address)
            await cluster.whole()
            for node in cluster.nodes:
                assert round_ == (await node.ask("read", key="a"))["value"]


async def replace(cluster: Cluster, node: Node) -> None:
    """Take a member out, and let its node join anew."""
    status = await node.status()
    assert status is not None
    others = [each for each in cluster.nodes if each is not node]
    leader = await cluster.leader()
    with suppress(Refused, OSError):
        await leader.ask("remove", raft_id=status["raft_id"])
    node.kill()
    forget(node)
    node.start("--join", others[0].address)
    await cluster.whole()


def forget(node: Node) -> None:
    """Delete a member's log."""
    for file in node.folder.glob("raft.db*"):
        file.unlink()


async def is_member(leader: Node, node: Node) -> bool:
    """Tell whether the leader knows the node's member of now."""
    status = await leader.status()
    assert status is not None
    return any(each["node_id"] == node.name for each in status["members"])


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Lend a file system of 6 MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounts a file system")
    folder = tmp_path / "node0"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "skep-small", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def grow(folder: Path) -> None:
    """Give a small file system room."""
    subprocess.run(["mount", "-o", "remount,size=200m", folder], check=True)


def fail_syncs(pid: int) -> subprocess.Popen[bytes]:
    """Make every fsync of a process fail from now on; end the returned tracer afterwards."""
    fault = "inject=fdatasync,fsync:error=EIO"
    options = ["-f", "-qq", "-e", "trace=fdatasync,fsync", "-e", fault, "-o", "/dev/null"]
    return subprocess.Popen(["strace", *options, "-p", str(pid)])


async def test_member_with_a_full_disk_stops_and_the_others_go_on(
    tmp_path: Path, small: Path
) -> None:
    async with running(tmp_path, 3) as cluster:
        full = cluster.nodes[0]
        assert small == full.folder
        value = 0
        assert full.process is not None
        while full.process.poll() is None:
            value += 1
            with suppress(OSError, Refused):
                await (await cluster.leader()).ask("write", key="a", value=value, ballast=100_000)

        assert STOPPED == full.process.returncode
        await write(cluster.nodes[1:], "a", 10_000)
        grow(small)
        full.start()
        await cluster.whole()
        assert 10_000 == (await full.ask("read", key="a"))["value"]


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
async def test_member_whose_fsync_fails_stops_and_the_others_go_on(tmp_path: Path) -> None:
    async with running(tmp_path, 3) as cluster:
        leader = await cluster.leader()
        tracer = fail_syncs(leader.pid)
        try:
            others = [node for node in cluster.nodes if node is not leader]

            async def has_ended() -> bool:
                with suppress(OSError, Refused):
                    await leader.ask("write", key="a", value=1)
                assert leader.process is not None
                return leader.process.poll() is not None

            await until(has_ended, "the member to stop")
            await write(others, "a", 2)
        finally:
            tracer.terminate()
            tracer.wait()
        assert leader.process is not None
        assert STOPPED == leader.process.returncode
        assert "LogFailed" in leader.said()
        leader.start()
        await cluster.whole()
        assert 2 == (await leader.ask("read", key="a"))["value"]


async def test_damaged_log_keeps_the_member_from_starting(tmp_path: Path) -> None:
    async with running(tmp_path, 3) as cluster:
        for value in range(50):
            await write(cluster.nodes, "a", value)
        node = (await cluster.followers())[0]
        node.kill()
        path = node.folder / "raft.db-wal"
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

        node.start()
        assert node.process is not None
        assert STOPPED == await asyncio.to_thread(node.process.wait, 20)

        assert f"the raft log {node.folder / 'raft.db'} has lost records" in node.said()
        assert bytes(content) == path.read_bytes()
        await write(cluster.nodes, "a", 99)


async def test_missing_log_keeps_the_member_from_starting(tmp_path: Path) -> None:
    async with running(tmp_path, 1) as cluster:
        (node,) = cluster.nodes
        await until(lambda: leads(node), "it to lead")
        node.kill()
        forget(node)

        node.start()
        assert node.process is not None
        assert STOPPED == await asyncio.to_thread(node.process.wait, 20)

        assert "raft.db is missing" in node.said()
