"""What the kernel and the firewall must hold for a bridge network."""

from __future__ import annotations

from ipaddress import ip_network

from engine.core.firewall import NetworkRules
from engine.core.sandbox import mac_from
from engine.networks.record import NetworkRecord
from engine.ports.network import BridgeOrder


def bridge_order(network: NetworkRecord) -> BridgeOrder:
    """Return the bridge with the gateways as its addresses, but those of isolated families."""
    addresses = tuple(
        f"{each.gateway}/{ip_network(each.subnet).prefixlen}"
        for each in network.subnets
        if each.gateway and ip_network(each.subnet).version not in network.isolated
    )
    mac = mac_from(bytes.fromhex(network.id[:8]))
    return BridgeOrder(name=network.bridge, mac=mac, addresses=addresses, mtu=network.mtu)


def network_rules(network: NetworkRecord) -> NetworkRules:
    """Return the network's part of the firewall."""
    return NetworkRules(
        bridge=network.bridge,
        subnets=tuple(each.subnet for each in network.subnets),
        is_masqueraded=network.masquerade,
        is_internal=network.internal,
        may_talk_inside=network.icc,
        routed=tuple(network.routed),
        unprotected=tuple(network.unprotected),
        isolated=tuple(network.isolated),
    )
