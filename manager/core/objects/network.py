"""Networks that span the cluster."""

from __future__ import annotations

from msgspec import field

from api.types.cluster_networks import IPAMOptions, NetworkSpec
from api.types.objects import Driver
from manager.core.objects.meta import StoredObject


class Network(StoredObject, frozen=True, kw_only=True):
    """A network: what is wanted, and what the allocator gave (driver state, address pools).

    is_removed: it goes when the last task has left it.
    """

    spec: NetworkSpec = field(default_factory=NetworkSpec)
    driver_state: Driver = field(default_factory=Driver)
    ipam: IPAMOptions | None = None
    is_removed: bool = False
