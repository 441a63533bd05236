"""What a user namespace changes of a container's configuration."""

from __future__ import annotations

from typing import Any

from engine.core.id_maps import IdMap, IdMaps
from engine.core.oci_spec import HOST, Namespaces, build_spec
from tests.unit.engine.core.test_oci_spec import given_input, mounts_of

USERS, GROUPS = [(100_000, 65_536)], [(200_000, 1000)]
IDS = IdMaps(IdMap.of_subordinates(USERS), IdMap.of_subordinates(GROUPS))
INSIDE = Namespaces(network="/run/netns/a", user="/run/userns/a")


def spec_of(ids: IdMaps = IDS, **more: Any) -> dict[str, Any]:
    """Return the configuration of a container in a user namespace."""
    return build_spec(given_input(ids=ids, **{"namespaces": INSIDE, **more}))


def test_the_namespace_is_joined_and_its_maps_are_told() -> None:
    """The runtime wants both: it gives devices and terminals to the mapped root."""
    linux = spec_of()["linux"]

    assert {"type": "user", "path": "/run/userns/a"} in linux["namespaces"]
    assert [{"containerID": 0, "hostID": 100_000, "size": 65_536}] == linux["uidMappings"]
    assert [{"containerID": 0, "hostID": 200_000, "size": 1000}] == linux["gidMappings"]


def test_ping_is_for_the_groups_that_there_are() -> None:
    """The kernel refuses a range that the namespace has no numbers for."""
    assert "0 999" == spec_of()["linux"]["sysctl"]["net.ipv4.ping_group_range"]


def test_terminals_have_no_group_where_it_has_no_number() -> None:
    few = IdMaps(IDS.users, IdMap.of_subordinates([(200_000, 3)]))

    assert "gid=5" in mounts_of(spec_of())["/dev/pts"]["options"]
    assert not any("gid=" in word for word in mounts_of(spec_of(few))["/dev/pts"]["options"])


def test_the_hosts_queues_cannot_be_mounted() -> None:
    spaces = Namespaces(network="/run/netns/a", user="/run/userns/a", ipc=HOST)

    assert "/dev/mqueue" not in mounts_of(spec_of(namespaces=spaces))
    assert "/dev/mqueue" in mounts_of(build_spec(given_input(namespaces=Namespaces(ipc=HOST))))


def test_without_maps_there_is_no_user_namespace() -> None:
    linux = build_spec(given_input())["linux"]

    assert "user" not in {each["type"] for each in linux["namespaces"]}
    assert "uidMappings" not in linux
