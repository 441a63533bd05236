"""Members as real processes with mutual TLS: they form a cluster, and come through small faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.consensus.cluster import Refused, leads, running, until, write


async def test_one_member_remembers_over_a_kill(tmp_path: Path) -> None:
    async with running(tmp_path, 1) as cluster:
        (node,) = cluster.nodes
        await write([node], "a", 7)
        node.kill()
        node.start()
        await until(lambda: leads(node), "it to lead again")

        assert 7 == (await node.ask("read", key="a"))["value"]


async def test_three_members_agree_and_answer_reads_each(tmp_path: Path) -> None:
    async with running(tmp_path, 3) as cluster:
        for value in range(1, 20):
            await write(cluster.nodes, "a", value)
            for node in cluster.nodes:
                assert value == (await node.ask("read", key="a"))["value"]


async def test_follower_refuses_writes_and_names_the_leader(tmp_path: Path) -> None:
    async with running(tmp_path, 3) as cluster:
        leader = await cluster.leader()
        follower = (await cluster.followers())[0]

        with pytest.raises(Refused, match="NotLeader"):
            await follower.ask("write", key="a", value=1)

        status = await follower.status()
        assert status is not None
        assert leader.address == status["leader"]
