"""Networks of the cluster as GET /networks shows them."""

from __future__ import annotations

from msgspec import UNSET

from api.types.networks import IPAM, IPAMConfig
from api.types.networks import Network as Shown
from manager.core.objects.network import Network
from manager.core.objects.times import to_api_time


def to_api(network: Network) -> Shown:
    """Return a network without what is on it."""
    spec, ipam = network.spec, network.ipam
    driver = ipam.Driver if ipam is not None else None
    return Shown(
        Name=spec.Name,
        Id=network.id,
        Created=to_api_time(network.meta.created_ns),
        Scope=spec.Scope if spec.Scope == "local" else "swarm",
        Driver=network.driver_state.Name or "overlay",
        EnableIPv6=spec.IPv6Enabled,
        IPAM=IPAM(
            Driver=(driver.Name if driver is not None else "") or "default",
            Options=(driver.Options if driver is not None else None) or None,
            Config=[
                IPAMConfig(
                    Subnet=each.Subnet or UNSET,
                    IPRange=each.Range or UNSET,
                    Gateway=each.Gateway or UNSET,
                )
                for each in (ipam.Configs if ipam is not None else [])
            ],
        ),
        Internal=spec.Internal,
        Attachable=spec.Attachable,
        Ingress=spec.Ingress,
        Options=network.driver_state.Options,
        Labels=spec.Labels,
    )
