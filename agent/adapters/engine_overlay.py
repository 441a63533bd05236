"""Overlay networks on the engine in the daemon's own process."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from agent.core.overlay_news import (
    Member,
    NetworkNews,
    OverlayKey,
    ServiceEndpoint,
    TargetsChange,
)
from api.errors import InvalidArgument
from api.types.cluster_networks import ClusterNetwork
from engine.core.discovery import Member as EngineMember
from engine.core.discovery import OverlayService
from engine.core.discovery import TargetsChange as EngineTargetsChange
from engine.core.esp import NetworkKey
from engine.core.mesh import PublishedService
from engine.core.overlay import ENCRYPTED, Tunnel, default_mtu
from engine.core.sandbox import mac_of_endpoint
from engine.networks.env import NetworksEnv
from engine.networks.ingress import close_ingress, open_ingress, set_published
from engine.networks.overlay import (
    OverlayNetwork,
    drop_overlay,
    put_overlay,
    set_members,
    set_services,
    set_targets,
)
from engine.networks.overlay_encryption import are_keys_worn, set_keys
from engine.networks.overlay_flows import age_flows, look_at_flows

_DRIVER = "overlay"
_VNIS = "com.docker.network.driver.overlay.vxlanid_list"
_MTU = "com.docker.network.driver.mtu"
_PORT = "skep.overlay.port"
_DEFAULT_PORT = 4789
_NANOS = 1_000_000_000


class BadNetwork(InvalidArgument):
    """A network of the cluster that this node cannot make anything of."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the network {name} has no subnets, or no VXLAN ids for them")


class EngineOverlay:
    """Fulfils `OverlayPlane`."""

    def __init__(self, env: NetworksEnv) -> None:
        self._env = env

    def known(self) -> set[str]:
        """Return the ids of the overlay networks that the engine knows."""
        return {each.id for each in self._env.store.all() if each.overlay is not None}

    def attached(self) -> set[tuple[str, str]]:
        """Return who is on overlay networks, or will be; maybe tasks of before the start too."""
        store, placed = self._env.store, self._env.overlay.state.placed
        known = self.known()
        return self._env.overlay.state.granted | {
            (box.container_id, endpoint.network_id)
            for box in store.all_sandboxes()
            if box.container_id not in placed
            for endpoint in box.endpoints
            if endpoint.network_id in known
        }

    async def put(self, network: ClusterNetwork, node_address: str) -> None:
        """Know a network. Errors: BadNetwork, Internal."""
        if network.DriverState.Name == _DRIVER:
            await put_overlay(self._env, _overlay(network, node_address))

    async def drop(self, network_id: str) -> bool:
        """Forget a network; False while containers are on it."""
        if self._is_ingress(network_id):
            await close_ingress(self._env)
        return await drop_overlay(self._env, network_id)

    async def look_at_flows(self) -> None:
        """Forget the flows to targets that were taken out a short time ago and do not answer."""
        await look_at_flows(self._env)

    async def age_flows(self) -> None:
        """Forget the flows of datagrams to targets that had been taken out at the last call."""
        await age_flows(self._env)

    async def are_keys_worn(self) -> bool:
        """Tell whether this node has used its key so much that it needs the next."""
        return await are_keys_worn(self._env)

    async def set_keys(self, keys: Sequence[OverlayKey]) -> None:
        """Encrypt by these keys from now on. Errors: Internal."""
        await set_keys(self._env, [NetworkKey(each.clock, each.secret) for each in keys])

    async def apply(self, news: NetworkNews, node_id: str) -> None:
        """Take over what is new: members before the services that lead to them, and after."""
        is_complete = news.network is not None
        members = {each.id: _member(each, node_id) for each in news.members}
        services = {each.id: _service(each) for each in news.services}
        gone_services: dict[str, OverlayService | None] = dict.fromkeys(news.removed_services)
        gone_members: dict[str, EngineMember | None] = dict.fromkeys(news.removed_members)
        if members and not is_complete:
            await set_members(self._env, news.network_id, members)
        if is_complete:
            # What is gone leaves the services first, too.
            await set_members(self._env, news.network_id, members)
        if services or gone_services or is_complete:
            await set_services(
                self._env,
                news.network_id,
                {**gone_services, **services},
                is_complete=is_complete,
            )
        targets = {each.service_id: _targets(each) for each in news.targets}
        if targets:
            await set_targets(self._env, news.network_id, targets)
        if self._is_ingress(news.network_id):
            await self._publish(news, node_id, is_complete=is_complete)
        if is_complete:
            await set_members(self._env, news.network_id, members, is_complete=True)
        elif gone_members:
            await set_members(self._env, news.network_id, gone_members)

    async def _publish(self, news: NetworkNews, node_id: str, *, is_complete: bool) -> None:
        own = next((each.addresses for each in news.members if each.id == node_id), ())
        if own:
            await open_ingress(self._env, news.network_id, own)
        changes: dict[str, PublishedService | None] = dict.fromkeys(news.removed_services)
        changes |= {each.id: _published(each) for each in news.services}
        for each in news.targets:
            service = changes.get(each.service_id) or self._env.overlay.state.published.get(
                each.service_id
            )
            if service is not None:
                after = _targets(each).applied(service.targets)
                changes[each.service_id] = replace(service, targets=after)
        if changes or own or is_complete:
            await set_published(self._env, news.network_id, changes, is_complete=is_complete)

    def _is_ingress(self, network_id: str) -> bool:
        record = self._env.store.find(network_id)
        return record is not None and record.overlay is not None and record.overlay.is_ingress


def _targets(change: TargetsChange) -> EngineTargetsChange:
    return EngineTargetsChange(targets=dict(change.targets), removed=change.removed)


def _published(service: ServiceEndpoint) -> PublishedService:
    return PublishedService(
        ports=tuple(
            (each.Protocol or "tcp", each.PublishedPort, each.TargetPort) for each in service.ports
        ),
        targets=dict(service.targets),
        is_local_only=service.local_only,
        name=service.names[0],
        health_port=service.health_port,
    )


def _overlay(network: ClusterNetwork, node_address: str) -> OverlayNetwork:
    spec, options = network.Spec, network.DriverState.Options
    configs = network.IPAMOptions.Configs if network.IPAMOptions is not None else []
    vnis = [int(each) for each in options.get(_VNIS, "").split(",") if each.isdecimal()]
    if not configs or len(configs) != len(vnis):
        raise BadNetwork(spec.Name)
    is_encrypted = _is_encrypted(network)
    return OverlayNetwork(
        id=network.ID,
        name=spec.Name,
        created_ns=0,
        tunnels=tuple(
            Tunnel(config.Subnet, vni) for config, vni in zip(configs, vnis, strict=True)
        ),
        address=node_address,
        port=_number(options, _PORT, _DEFAULT_PORT),
        mtu=_number(options, _MTU, default_mtu(node_address, is_encrypted=is_encrypted)),
        gateways={each.Subnet: each.Gateway for each in configs if each.Gateway},
        internal=spec.Internal,
        attachable=spec.Attachable,
        is_ingress=spec.Ingress,
        ipv6=spec.IPv6Enabled,
        options={**options, ENCRYPTED: ""} if is_encrypted else options,
        labels=spec.Labels,
    )


def _is_encrypted(network: ClusterNetwork) -> bool:
    driver = network.Spec.DriverConfiguration
    wanted: Iterable[str] = driver.Options if driver is not None else ()
    return ENCRYPTED in wanted or ENCRYPTED in network.DriverState.Options


def _number(options: dict[str, str], name: str, default: int) -> int:
    text = options.get(name, "")
    return int(text) if text.isdecimal() else default


def _member(member: Member, node_id: str) -> EngineMember:
    return EngineMember(
        names=member.names,
        addresses=member.addresses,
        mac=mac_of_endpoint(member.addresses),
        node="" if member.node_id == node_id else member.node_address,
    )


def _service(service: ServiceEndpoint) -> OverlayService:
    return OverlayService(
        names=service.names, addresses=service.addresses, targets=dict(service.targets)
    )
