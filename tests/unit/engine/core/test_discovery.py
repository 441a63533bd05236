"""Names of services and of their tasks, and who is behind a virtual address."""

from __future__ import annotations

from engine.core.discovery import Member, OverlayService, balanced, service_entries
from engine.core.dns import Entry

MEMBERS = {
    "t1": Member(names=("web.1.t1",), addresses=("10.0.7.2", "fd07::2"), mac="02:42:0a:00:07:02"),
    "t2": Member(names=("web.2.t2",), addresses=("10.0.7.3",), mac="02:42:0a:00:07:03"),
}


def test_a_virtual_address_is_balanced_over_addresses_of_its_family() -> None:
    """A task without an address of the family is none of its targets; nor is an unknown one."""
    service = OverlayService(
        names=("web",), addresses=("10.0.7.9", "fd07::9"), targets={"t1": 1, "t2": 2, "t3": 1}
    )

    assert balanced(service, MEMBERS) == {
        "10.0.7.9": {"10.0.7.2": 1, "10.0.7.3": 2},
        "fd07::9": {"fd07::2": 1},
    }


def test_names_of_a_service_with_and_without_a_virtual_address() -> None:
    """`tasks.<service>` is there in both; the name itself is the address, or the tasks."""
    virtual = OverlayService(names=("web", "w"), addresses=("10.0.7.9",), targets={"t2": 1})
    in_turn = OverlayService(names=("web",), targets={"t2": 1})

    assert service_entries("s", virtual, MEMBERS) == {
        "service/s": Entry(("web", "w"), "10.0.7.9"),
        "service/s/t2": Entry(("tasks.web", "tasks.w"), "10.0.7.3", is_main=False),
    }
    assert service_entries("s", in_turn, MEMBERS) == {
        "service/s/t2": Entry(("tasks.web", "web"), "10.0.7.3", is_main=False)
    }
