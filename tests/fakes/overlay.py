"""Overlay networks in memory: namespaces as tables, transactions as texts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from api.errors import SkepError
from engine.core import esp
from engine.core.nft_batch import INET
from engine.core.overlay import Change, Tables
from engine.ports.flows import Doomed
from engine.ports.overlay import SpaceOrder, Transaction


class FakeOverlays:
    """Fulfils `Overlays`; `spaces` are those in the kernel."""

    def __init__(self) -> None:
        self.spaces: dict[str, Tables] = {}
        self.orders: dict[str, SpaceOrder] = {}

    def path(self, key: str) -> str:
        """Return a path that does not exist."""
        return f"/run/overlay/{key}"

    async def open(self, order: SpaceOrder) -> None:
        """Make a namespace, or keep it."""
        self.orders[order.key] = order
        self.spaces.setdefault(order.key, Tables())

    async def close(self, key: str) -> None:
        """Forget it."""
        self.spaces.pop(key, None)

    async def keys(self) -> set[str]:
        """Return those that are there."""
        return set(self.spaces)

    async def is_there(self, key: str) -> bool:
        """Tell whether it is there."""
        return key in self.spaces

    async def tunnels(self, key: str) -> set[int]:
        """Return those of the order."""
        return {each.vni for each in self.orders[key].tunnels}

    async def ports(self, key: str) -> set[str]:
        """Return none."""
        del key
        return set()

    async def tables(self, key: str) -> Tables:
        """Return what was set."""
        return self.spaces[key]

    async def change(self, key: str, change: Change) -> None:
        """Apply a change."""
        before = self.spaces[key]
        self.spaces[key] = Tables(
            {
                **{k: v for k, v in before.neighbours.items() if k not in change.lost_neighbours},
                **change.neighbours,
            },
            {
                **{k: v for k, v in before.forwarding.items() if k not in change.lost_forwarding},
                **change.forwarding,
            },
        )


class FakeEncryption:
    """Fulfils `Encryption`; `lack` is what its kernel lacks, `calls` are what it was asked."""

    def __init__(self) -> None:
        self.lack = ""
        self.sent = 0
        self.vnis: set[int] = set()
        self.associations = esp.Associations()
        self.guards: list[set[int]] = []
        self.calls: list[str] = []

    async def lacks(self, version: int) -> str:
        """Return what a test says."""
        del version
        self.calls.append("lacks")
        return self.lack

    async def guard(self, vnis: Collection[int], ports: Collection[int]) -> None:
        """Note the tunnels."""
        del ports
        self.vnis = set(vnis)
        self.guards.append(self.vnis)

    async def guarded(self) -> set[int]:
        """Return them."""
        return self.vnis

    async def present(self) -> esp.Associations:
        """Return what was set."""
        self.calls.append("present")
        return self.associations

    async def most_sent(self) -> int:
        """Return what a test says."""
        return self.sent

    async def change(self, change: esp.Change) -> None:
        """Apply a change."""
        before = self.associations
        self.associations = esp.Associations(
            {
                **{key: v for key, v in before.states.items() if key not in change.lost_states},
                **change.states,
            },
            {
                **{p: v for p, v in before.policies.items() if p not in change.lost_policies},
                **change.policies,
            },
        )


class FakeBalancers:
    """Fulfils `Balancers`; `texts` are transactions by sandbox."""

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {}

    async def run(self, key: str, namespace_path: str, text: str) -> None:
        """Note a transaction."""
        del namespace_path
        self.texts.setdefault(key, []).append(text)

    async def run_all(self, orders: Sequence[Transaction]) -> dict[str, SkepError]:
        """Note transactions."""
        for each in orders:
            await self.run(each.key, each.namespace_path, each.text)
        return {}

    async def slots(self, namespace_path: str, table: str) -> dict[str, dict[str, int]]:
        """Return nothing."""
        del namespace_path, table
        return {}

    async def elements(self, namespace_path: str, table: str, family: str = INET) -> set[str]:
        """Return nothing."""
        del namespace_path, table, family
        return set()

    def close(self, key: str) -> None:
        """Forget a sandbox."""
        self.texts.pop(key, None)


class FakeFlows:
    """Fulfils `TrackedFlows`; `forgotten` is what was to be: where, to whom, to which port."""

    def __init__(self) -> None:
        self.forgotten: list[tuple[str, str, int, Doomed]] = []

    async def forget(
        self,
        namespace_paths: Sequence[str],
        targets: Collection[str],
        doomed: Doomed,
        port: int = 0,
        *,
        by_sockets: bool = False,
    ) -> dict[str, SkepError]:
        """Note what was to be forgotten."""
        del by_sockets
        self.forgotten += [
            (path, each, port, doomed) for path in namespace_paths for each in targets
        ]
        return {}


class FakeHealthPorts:
    """Fulfils `HealthPorts`; `told` is what was told last."""

    def __init__(self) -> None:
        self.told: dict[int, tuple[str, int]] = {}

    async def tell(self, counts: Mapping[int, tuple[str, int]]) -> None:
        """Note it."""
        self.told = dict(counts)
