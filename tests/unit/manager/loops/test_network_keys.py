"""Keys of encrypted networks change in time, by whoever leads, and go with the last network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from secrets import token_bytes

from api.types.cluster_networks import NetworkSpec
from api.types.objects import Driver
from manager.cluster.networks.create import add_network
from manager.core.network_keys import keys_of
from manager.core.objects.network import Network
from manager.loops.network_keys import NetworkKeyLoop
from tests.fakes.service_cluster import ServiceCluster, service_cluster

HOUR_S = 3600.0


def clocks(cluster: ServiceCluster) -> list[int]:
    """Return the clocks of the cluster's keys."""
    return [each.clock for each in keys_of(next(iter(cluster.store.view().clusters)))]


@asynccontextmanager
async def running() -> AsyncIterator[tuple[ServiceCluster, NetworkKeyLoop]]:
    """Lend a cluster with an encrypted network, and the loop that runs there."""
    async with service_cluster(workers=0) as cluster:
        driver = Driver(Name="overlay", Options={"encrypted": ""})
        spec = NetworkSpec(Name="vault", DriverConfiguration=driver)
        await cluster.store.update(lambda tx: add_network(tx, Network(id="vault", spec=spec)))
        loop = NetworkKeyLoop(
            cluster.store, cluster.clock, cluster.now_ns, partial(token_bytes, 32)
        )
        task = asyncio.ensure_future(loop.run())
        try:
            await cluster.settle(lambda: clocks(cluster) == [3, 2, 1])
            yield cluster, loop
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_keys_rotate_in_time() -> None:
    """Every twelve hours, one by one."""
    async with running() as (cluster, _):
        cluster.advance(11 * HOUR_S)
        await asyncio.sleep(0)
        assert clocks(cluster) == [3, 2, 1]
        cluster.advance(HOUR_S)
        await cluster.settle(lambda: clocks(cluster) == [4, 3, 2])
        cluster.advance(12 * HOUR_S + 1)
        await cluster.settle(lambda: clocks(cluster) == [5, 4, 3])


async def test_a_node_that_used_up_its_key_gets_the_next_but_not_at_any_rate() -> None:
    """A hundred of them may ask at once, and one that was taken over all the time."""
    async with running() as (cluster, loop):
        cluster.advance(61)
        for _ in range(100):
            await loop.renew()
        assert clocks(cluster) == [4, 3, 2]
        cluster.advance(61)
        await loop.renew()
        assert clocks(cluster) == [5, 4, 3]


async def test_keys_go_with_the_last_encrypted_network() -> None:
    """What nobody uses is kept by nobody."""
    async with running() as (cluster, _):
        await cluster.store.update(lambda tx: tx.networks.remove("vault"))
        await cluster.settle(lambda: clocks(cluster) == [])
