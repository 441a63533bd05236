"""The node's part of overlay networks in the kernel, and the addresses of services in sandboxes.

Every call is atomic: when it raises, cancelled calls included, it has ended and left nothing, or
what was there before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from api.errors import SkepError
from engine.core import esp
from engine.core.nft_batch import INET
from engine.core.overlay import Change, Tables, Tunnel


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceOrder:
    """A namespace with a bridge and the tunnels of one network.

    `local` is the address that this node's tunnels send from, `port` that of UDP.
    """

    key: str
    tunnels: tuple[Tunnel, ...]
    mtu: int
    local: str
    port: int


class Overlays(Protocol):
    """The namespaces of overlay networks, by the network's id."""

    def path(self, key: str) -> str:
        """Return where the namespace is mounted, whether it exists or not."""
        ...

    async def open(self, order: SpaceOrder) -> None:
        """Make the namespace with all in it, or bring one that is there to the order.

        Errors:  Internal; TunnelTaken, TunnelPortTaken: what is another's is in the way.
        """

    async def close(self, key: str) -> None:
        """Take a namespace and its tunnels away; fine if gone. Errors: Internal."""

    async def keys(self) -> set[str]:
        """Return the networks whose namespaces are on disk."""
        ...

    async def is_there(self, key: str) -> bool:
        """Tell whether there is a namespace, and not its file alone, as after a boot."""
        ...

    async def tunnels(self, key: str) -> set[int]:
        """Return the VXLAN ids of the tunnels that are there. Errors: Internal."""
        ...

    async def ports(self, key: str) -> set[str]:
        """Return the names of the containers' links that are on the bridge. Errors: Internal."""
        ...

    async def tables(self, key: str) -> Tables:
        """Return what the kernel forwards by. Errors: Internal."""
        ...

    async def change(self, key: str, change: Change) -> None:
        """Bring the kernel from one state to another; what is deleted may be gone.

        Errors:  Internal.
        """


class Encryption(Protocol):
    """What the kernel does that packets between nodes are encrypted."""

    async def lacks(self, version: int) -> str:
        """Return what the kernel lacks to encrypt between addresses of IP 4 or 6, or ""."""
        ...

    async def guard(self, vnis: Collection[int], ports: Collection[int]) -> None:
        """Let packets of these tunnels, and no others, pass only encrypted. Errors: Internal."""

    async def guarded(self) -> set[int]:
        """Return the tunnels whose packets are guarded. Errors: Internal."""
        ...

    async def present(self) -> esp.Associations:
        """Return our states and policies. Errors: Internal."""
        ...

    async def most_sent(self) -> int:
        """Return the largest number of packets that left by one of our states. Errors: Internal."""
        ...

    async def change(self, change: esp.Change) -> None:
        """Bring the kernel from one state to another; what is deleted may be gone.

        Errors:  Internal.
        """


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction of nftables in the sandbox `key`, whose namespace is at the path."""

    key: str
    namespace_path: str
    text: str


class Balancers(Protocol):
    """Transactions of nftables inside of sandboxes, in the order of the calls for each sandbox."""

    async def run(self, key: str, namespace_path: str, text: str) -> None:
        """Carry out a transaction in the namespace. Errors: Internal, and nothing of it is done."""

    async def run_all(self, orders: Sequence[Transaction]) -> dict[str, SkepError]:
        """Carry out one in each of several sandboxes; return which failed, by key, and why."""
        ...

    async def slots(self, namespace_path: str, table: str) -> dict[str, dict[str, int]]:
        """Return targets and their numbers of slots by what leads to them, as the kernel has it.

        That is a virtual address, or a published port ("tcp . 80"; its targets "10.0.0.2 . 80").
        Nothing where there is no such table. Errors: Internal.
        """
        ...

    async def elements(self, namespace_path: str, table: str, family: str = INET) -> set[str]:
        """Return what is in the table's sets: "senders4 4789 . 4097 . 10.0.0.1".

        Without those of sets of intervals; nothing where there is no such table.
        Errors:  Internal.
        """
        ...

    def close(self, key: str) -> None:
        """Let go of what is kept for a sandbox; fine if nothing is."""


class HealthPorts(Protocol):
    """Ports of the host at which others ask how many tasks of a service this node has."""

    async def tell(self, counts: Mapping[int, tuple[str, int]]) -> None:
        """Answer at just these ports with a service's name and its number of tasks here.

        One that another program has is not answered at, and tried again at the next call.
        """
