"""Numbers of VXLANs: one for each subnet of an overlay network, unique in the cluster.

Source:  Docker's swarm mode begins at 4097; RFC 7348 has 24 bits for them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import chain, islice

from api.cluster_errors import FailedPrecondition
from api.types.objects import Driver
from manager.core.objects.network import Network

FIRST, LAST = 4097, (1 << 24) - 1
OPTION = "com.docker.network.driver.overlay.vxlanid_list"
_DIGITS = 8


class VnisExhausted(FailedPrecondition):
    """Every number is in use."""

    def __init__(self) -> None:
        super().__init__(f"no VXLAN id from {FIRST} to {LAST} is free")


class VniTaken(FailedPrecondition):
    """The number that was asked for is another network's."""

    def __init__(self, vni: int) -> None:
        super().__init__(f"the VXLAN id {vni} is in use by another network")


def vnis_of(network: Network) -> list[int]:
    """Return a network's numbers, in the order of its subnets; [] where it has none."""
    return parse_vnis(network.driver_state.Options.get(OPTION, ""))


def parse_vnis(text: str) -> list[int]:
    """Return the numbers of a list with commas; [] for what is none."""
    words = [each.strip() for each in text.split(",") if each.strip()]
    is_list = all(each.isascii() and each.isdecimal() and len(each) <= _DIGITS for each in words)
    return [int(each) for each in words] if is_list else []


def give_vnis(
    count: int, wanted: Collection[int], others: Iterable[Network], after: int = 0
) -> list[int]:
    """Return so many numbers: those wanted, then the next free ones behind `after`.

    Errors:  VnisExhausted, VniTaken.
    """
    taken = {vni for network in others for vni in vnis_of(network)}
    given = list(wanted)[:count]
    if clash := taken.intersection(given):
        raise VniTaken(min(clash))
    taken.update(given)
    start = after + 1 if FIRST <= after < LAST else FIRST
    free = (
        each for each in chain(range(start, LAST + 1), range(FIRST, start)) if each not in taken
    )
    given += islice(free, count - len(given))
    if len(given) < count:
        raise VnisExhausted
    return given


def state_with(driver: str, options: dict[str, str], vnis: Iterable[int]) -> Driver:
    """Return the driver's state of a network that has these numbers."""
    return Driver(Name=driver, Options={**options, OPTION: ",".join(map(str, vnis))})
