"""Parts of a record as the API shows them, shared by inspect and list."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import UNSET

from api.types.containers import MountPoint, Port
from api.types.networks import PortBinding
from engine.containers.env import ContainersEnv
from engine.containers.record import ContainerRecord
from engine.core.mount_points import MountRecord
from engine.volumes.env import mountpoint

_SECOND_NS = 1_000_000_000
NEVER = "0001-01-01T00:00:00Z"


def time_text(moment_ns: int) -> str:
    """Return RFC 3339 in UTC with nanoseconds, trailing zeros cut; 0 is Go's zero time."""
    if not moment_ns:
        return NEVER
    whole, rest = divmod(moment_ns, _SECOND_NS)
    text = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{text}{fraction}Z"


def mount_points(env: ContainersEnv, record: ContainerRecord) -> list[MountPoint]:
    """Return the mounts; tmpfs asked for by --tmpfs is not among them, as the reference has it.

    Nor are those that no client asked for.
    """
    tmpfs = record.host_config.Tmpfs or {}
    return [
        _mount_point(env, mount)
        for mount in record.mounts
        if not (mount.hidden or (mount.kind == "tmpfs" and mount.destination in tmpfs))
    ]


def _mount_point(env: ContainersEnv, mount: MountRecord) -> MountPoint:
    if mount.kind != "volume":
        return MountPoint(
            Type=mount.kind,
            Source=mount.source,
            Destination=mount.destination,
            Mode=mount.mode,
            RW=not mount.read_only,
            Propagation=mount.propagation if mount.kind == "bind" else "",
        )
    return MountPoint(
        Type="volume",
        Name=mount.volume or UNSET,
        Source=str(mountpoint(env.volumes, mount.volume)),
        Destination=mount.destination,
        Driver=mount.driver or "local",
        Mode=mount.mode,
        RW=not mount.read_only,
    )


def ports_shown(record: ContainerRecord) -> dict[str, list[PortBinding] | None]:
    """Return the ports as published; none while the container does not run."""
    return record.ports if record.state.has_process else {}


def port_rows(record: ContainerRecord) -> list[Port]:
    """Return the ports as a listing shows them, published and exposed, in order."""
    rows: list[Port] = []
    ports = dict(ports_shown(record))
    if record.state.has_process:
        for exposed in record.config.ExposedPorts or {}:
            ports.setdefault(exposed if "/" in exposed else f"{exposed}/tcp", None)
    for port, bindings in ports.items():
        number, _, protocol = port.partition("/")
        private = int(number)
        for each in bindings or []:
            row = Port(
                IP=each.HostIp,
                PrivatePort=private,
                PublicPort=int(each.HostPort or 0),
                Type=protocol,
            )
            rows.append(row)
        if not bindings:
            rows.append(Port(PrivatePort=private, Type=protocol))
    return sorted(rows, key=lambda row: (row.PrivatePort, row.Type, row.PublicPort or 0))


def network_mode_shown(record: ContainerRecord) -> str:
    """Return the network mode as it is in force."""
    return record.host_config.NetworkMode or "bridge"
