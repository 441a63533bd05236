"""Device nodes of a container, and what its cgroup lets it do with devices."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from api.errors import InvalidArgument
from api.types.containers import DeviceMapping
from engine.core.host_facts import Device

# null zero full random urandom tty, console, ptmx and the terminals; any node may be made.
_DEFAULT_RULES = (
    ("c", None, None, "m"),
    ("b", None, None, "m"),
    *(("c", 1, minor, "rwm") for minor in (3, 5, 7, 8, 9)),
    ("c", 5, 0, "rwm"),
    ("c", 5, 1, "rwm"),
    ("c", 5, 2, "rwm"),
    ("c", 136, None, "rwm"),
)
_RULE = re.compile(r"([acb]) ([0-9]{1,10}|\*):([0-9]{1,10}|\*) ([rwm]{1,3})")


def device_nodes(devices: Iterable[Device]) -> list[dict[str, Any]]:
    """Return nodes in the runtime's form."""
    return [
        {
            "path": each.path,
            "type": each.kind,
            "major": each.major,
            "minor": each.minor,
            "fileMode": each.mode,
            "uid": each.uid,
            "gid": each.gid,
        }
        for each in devices
    ]


def map_devices(mapping: DeviceMapping, found: Sequence[Device]) -> list[Device]:
    """Return the devices of a mapping at their paths inside the container."""
    inside = mapping.PathInContainer or mapping.PathOnHost
    return [
        Device(
            inside + each.path.removeprefix(mapping.PathOnHost),
            each.kind,
            each.major,
            each.minor,
            each.mode,
            each.uid,
            each.gid,
        )
        for each in found
    ]


def device_rules(
    mapped: Iterable[tuple[DeviceMapping, Sequence[Device]]], extra: Sequence[str] | None
) -> list[dict[str, Any]]:
    """Return the rules of an unprivileged container: nothing but the usual, and what was asked."""
    rules = [{"allow": False, "access": "rwm"}]
    rules += [_allow(*rule) for rule in _DEFAULT_RULES]
    for mapping, found in mapped:
        access = mapping.CgroupPermissions or "rwm"
        rules += [_allow(each.kind, each.major, each.minor, access) for each in found]
    rules += [_parse_rule(text) for text in extra or []]
    return rules


def check_device_requests(mappings: Iterable[DeviceMapping], rules: Iterable[str]) -> None:
    """Raise InvalidArgument for a rule or permissions that are malformed."""
    for mapping in mappings:
        if set(mapping.CgroupPermissions) - set("rwm"):
            raise InvalidArgument(f"invalid device mode: {mapping.CgroupPermissions}")
    for text in rules:
        _parse_rule(text)


def _parse_rule(text: str) -> dict[str, Any]:
    match = _RULE.fullmatch(text)
    if match is None:
        raise InvalidArgument(f"invalid device cgroup rule format: '{text}'")
    kind, major, minor, access = match.groups()
    return _allow(kind, _part(major), _part(minor), access)


def _part(text: str) -> int | None:
    return None if text == "*" else int(text)


def _allow(kind: str, major: int | None, minor: int | None, access: str) -> dict[str, Any]:
    rule: dict[str, Any] = {"allow": True, "type": kind, "access": access}
    if major is not None:
        rule["major"] = major
    if minor is not None:
        rule["minor"] = minor
    return rule
