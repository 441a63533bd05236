"""Show networks as the API spells them."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from msgspec import UNSET

from api.types.networks import (
    IPAM,
    EndpointResource,
    IPAMConfig,
    Network,
)
from engine.networks.env import NetworksEnv
from engine.networks.record import NetworkRecord, SandboxRecord, SubnetRecord

_SECOND_NS = 1_000_000_000


async def inspect(env: NetworksEnv, ref: str) -> Network:
    """Return a network with the containers on it. Errors: NoSuchNetwork, AmbiguousPrefix."""
    record = env.store.get(ref)
    containers = {
        box.container_id: _resource(box, record.id) for box in env.store.sandboxes_on(record.id)
    }
    return msgspec.structs.replace(summary(record), Containers=containers)


def summary(record: NetworkRecord) -> Network:
    """Return a network without its containers."""
    return Network(
        Name=record.name,
        Id=record.id,
        Created=_rfc3339(record.created_ns),
        Scope="swarm" if record.overlay is not None else "local",
        Driver=record.driver,
        EnableIPv4=record.ipv4,
        EnableIPv6=record.ipv6,
        IPAM=IPAM(
            Options=record.ipam_options or None,
            Config=[_pool(each) for each in record.subnets],
        ),
        Internal=record.internal,
        Attachable=record.attachable,
        Ingress=record.overlay is not None and record.overlay.is_ingress,
        Options=record.options,
        Labels=record.labels,
    )


def _pool(subnet: SubnetRecord) -> IPAMConfig:
    return IPAMConfig(
        Subnet=subnet.subnet,
        IPRange=subnet.ip_range or UNSET,
        Gateway=subnet.gateway or UNSET,
        AuxiliaryAddresses=subnet.auxiliary or UNSET,
    )


def _resource(box: SandboxRecord, network_id: str) -> EndpointResource:
    endpoint = next(each for each in box.endpoints if each.network_id == network_id)
    settings = endpoint.settings
    return EndpointResource(
        Name=box.container_name,
        EndpointID=settings.EndpointID,
        MacAddress=settings.MacAddress,
        IPv4Address=f"{settings.IPAddress}/{settings.IPPrefixLen}" if settings.IPAddress else "",
        IPv6Address=(
            f"{settings.GlobalIPv6Address}/{settings.GlobalIPv6PrefixLen}"
            if settings.GlobalIPv6Address
            else ""
        ),
    )


def _rfc3339(created_ns: int) -> str:
    seconds, nanos = divmod(created_ns, _SECOND_NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanos:09d}Z"
