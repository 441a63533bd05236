"""Our netlink messages, read by an independent implementation (pyroute2)."""

from __future__ import annotations

from typing import Any

from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from engine.adapters import netlink


def decoded(kind: Any, message: netlink.Message) -> Any:
    """Return the message as pyroute2 reads it."""
    packet = kind(netlink._pack(message, 1))
    packet.decode()
    return packet


def test_a_veth_pair_is_created_with_its_peer_in_the_namespace() -> None:
    """One message makes both ends and plugs ours in."""
    packet = decoded(ifinfmsg, netlink.make_veth("veth1", 7, "eth0", "02:42:ac:11:00:02", 1400, 9))
    peer = packet.get_nested("IFLA_LINKINFO", "IFLA_INFO_DATA", "VETH_INFO_PEER")

    assert packet.get_attr("IFLA_IFNAME") == "veth1"
    assert packet.get_attr("IFLA_MASTER") == 7
    assert packet.get_nested("IFLA_LINKINFO", "IFLA_INFO_KIND") == "veth"
    assert peer.get_attr("IFLA_IFNAME") == "eth0"
    assert peer.get_attr("IFLA_ADDRESS") == "02:42:ac:11:00:02"
    assert peer.get_attr("IFLA_MTU") == 1400
    assert peer.get_attr("IFLA_NET_NS_FD") == 9


def test_an_address_is_added_with_its_prefix() -> None:
    """Both as local and as peer address."""
    packet = decoded(ifaddrmsg, netlink.add_address(3, "172.17.0.2/16"))

    assert (packet["index"], packet["prefixlen"]) == (3, 16)
    assert packet.get_attr("IFA_LOCAL") == "172.17.0.2"
    assert packet.get_attr("IFA_ADDRESS") == "172.17.0.2"


def test_a_default_route_names_gateway_and_interface() -> None:
    """In the main table."""
    packet = decoded(rtmsg, netlink.add_default_route(3, "172.17.0.1"))

    assert (packet["dst_len"], packet["table"]) == (0, 254)
    assert packet.get_attr("RTA_GATEWAY") == "172.17.0.1"
    assert packet.get_attr("RTA_OIF") == 3
