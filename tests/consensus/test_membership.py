"""Members come and go: learners become voters, quorums are kept, lost ones are given up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.consensus.cluster import Cluster, Node, Refused, free_port, leads, running, until, write

OFTEN: dict[str, Any] = {"snapshot_entries": 100, "trailing_entries": 20}


async def known(node: Node) -> dict[str, Any]:
    """Return what a member tells about itself."""
    status = await node.status()
    assert status is not None
    return status


async def join(cluster: Cluster, through: Node) -> Node:
    """Add one more member and wait until all of them are voters."""
    node = cluster.add()
    node.start("--join", through.address)
    await cluster.whole()
    return node


async def test_newcomer_starts_from_a_snapshot_when_the_log_was_cut(tmp_path: Path) -> None:
    """The dump that there is names it not: one is taken that does."""
    async with running(tmp_path, 1, **OFTEN) as cluster:
        (first,) = cluster.nodes
        for value in range(300):
            await first.ask("write", key=f"k{value}", value=value)

        async def is_cut() -> bool:
            return bool((await known(first))["first"] > 150)

        await until(is_cut, "the log to be cut")
        newcomer = await join(cluster, first)

        assert 250 == (await newcomer.ask("read", key="k250"))["value"]
        assert (await known(newcomer))["snapshot"] > 200


async def test_newcomer_may_join_through_a_follower(tmp_path: Path) -> None:
    async with running(tmp_path, 3) as cluster:
        newcomer = await join(cluster, (await cluster.followers())[0])

        await write([await cluster.leader()], "a", 5)
        assert 5 == (await newcomer.ask("read", key="a"))["value"]


async def test_member_that_lost_its_log_comes_back_as_another(tmp_path: Path) -> None:
    """Its former self, whose promises it forgot, is taken out first."""
    async with running(tmp_path, 3) as cluster:
        lost = (await cluster.followers())[0]
        before = (await known(lost))["raft_id"]
        lost.kill()
        for file in lost.folder.glob("raft.db*"):
            file.unlink()
        lost.start("--join", (await cluster.leader()).address)
        await cluster.whole()

        after = await known(lost)
        assert before != after["raft_id"]
        assert 3 == len(after["members"])


async def test_member_that_moved_is_found_at_its_new_address(tmp_path: Path) -> None:
    async with running(tmp_path, 3) as cluster:
        mover = (await cluster.followers())[0]
        mover.kill()
        mover.address = f"127.0.0.1:{free_port()}"
        mover.start()

        async def is_known_everywhere() -> bool:
            for node in cluster.nodes:
                addresses = [each["address"] for each in (await known(node))["members"]]
                if mover.address not in addresses:
                    return False
            return True

        await cluster.whole()
        await until(is_known_everywhere, "all to know the new address")
        await write(cluster.nodes, "a", 3)
        assert 3 == (await mover.ask("read", key="a"))["value"]


async def test_removal_that_loses_the_quorum_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path, 3) as cluster:
        leader = await cluster.leader()
        gone, other = await cluster.followers()
        gone_id, other_id = [(await known(node))["raft_id"] for node in (gone, other)]
        gone.kill()

        async def is_missed() -> bool:
            members = (await known(leader))["members"]
            return any(m["raft_id"] == gone_id and not m["is_reachable"] for m in members)

        await until(is_missed, "the leader to miss it")
        with pytest.raises(Refused, match="loss of quorum"):
            await leader.ask("remove", raft_id=other_id)
        await leader.ask("remove", raft_id=gone_id)
        await write([leader], "a", 1)


async def test_last_member_cannot_be_removed(tmp_path: Path) -> None:
    async with running(tmp_path, 1) as cluster:
        (node,) = cluster.nodes
        with pytest.raises(Refused, match="loss of quorum"):
            await node.ask("remove", raft_id=(await known(node))["raft_id"])


@pytest.mark.parametrize("count", [2, 3])
async def test_leader_can_be_removed_and_another_one_leads(tmp_path: Path, count: int) -> None:
    async with running(tmp_path, count) as cluster:
        leader = await cluster.leader()
        others = await cluster.followers()
        await write([leader], "a", 1)
        raft_id = (await known(leader))["raft_id"]

        with pytest.raises(Refused, match="NotLeader"):
            await leader.ask("remove", raft_id=raft_id)
        await (await cluster.leader(*others)).ask("remove", raft_id=raft_id)

        await write(others, "a", 2)
        assert count - 1 == len((await known(others[0]))["members"])


async def test_survivor_of_a_lost_quorum_is_made_a_new_cluster(tmp_path: Path) -> None:
    """With all that it had; and the others, should they ever wake, are told that they are out."""
    async with running(tmp_path, 3, **OFTEN) as cluster:
        leader = await cluster.leader()
        for value in range(1, 250):
            await leader.ask("write", key="a", value=value)
        survivor, lost, _ = cluster.nodes
        for node in cluster.nodes:
            node.kill()

        survivor.start("--force")
        await until(lambda: leads(survivor), "the survivor to lead")
        assert 249 == (await survivor.ask("read", key="a"))["value"]
        assert 1 == len((await known(survivor))["members"])
        lost.start()

        async def is_told() -> bool:
            status = await lost.status()
            return status is not None and status["removed"]

        await until(is_told, "the other to be told")
        await write([survivor], "a", 1000)


async def test_forced_new_cluster_is_joined_by_new_members(tmp_path: Path) -> None:
    async with running(tmp_path, 2) as cluster:
        survivor, lost = cluster.nodes
        await write(cluster.nodes, "a", 1)
        for node in cluster.nodes:
            node.kill()
        survivor.start("--force")
        await until(lambda: leads(survivor), "the survivor to lead")

        for file in lost.folder.glob("raft.db*"):
            file.unlink()
        lost.start("--join", survivor.address)
        await cluster.whole()

        assert 1 == (await lost.ask("read", key="a"))["value"]
