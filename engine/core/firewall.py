"""The firewall's table as nft text: what is always in it, and what networks and ports add.

A network and a published port are elements of sets and maps, never rules of their own, so that
each is added and removed by one small transaction and lookups do not grow with their number.
Who comes from no bridge, or goes to none, is done after one look at its name: looks cost most here.
Shape of the table, in the order that a packet meets it:

    raw          containers cannot reach the host's 127.0.0.0/8, whatever route_localnet allows, and
                 from isolated networks nothing of the host's; nor its tunnels
    prerouting   packets to an address of the host go through the publication maps (DNAT)
    output       the same for what the host itself sends
    forward      a bridge takes in what belongs to known connections or was published, no more,
                 unless it is unprotected; nobody behind a bridge reaches the tunnels of other nodes
    postrouting  containers leave under the host's address; hairpins come back the way they went
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import ip_address, ip_network

from msgspec import Struct

from engine.core.nft_batch import replacement

WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104  (recognised here, not bound)

_TABLE = """
map publish4 { type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service; }
map publish4_any { type inet_proto . inet_service : ipv4_addr . inet_service; }
map publish6 { type inet_proto . ipv6_addr . inet_service : ipv6_addr . inet_service; }
map publish6_any { type inet_proto . inet_service : ipv6_addr . inet_service; }
set open4 { type inet_proto . ipv4_addr . inet_service; }
set open6 { type inet_proto . ipv6_addr . inet_service; }
set bridges { type ifname; }
set internal { type ifname; }
set isolated4 { type ifname; }
set isolated6 { type ifname; }
set unprotected4 { type ifname; }
set unprotected6 { type ifname; }
set talkative { type ifname . ifname; }
set local4 { type ipv4_addr . ifname; flags interval; }
set local6 { type ipv6_addr . ifname; flags interval; }
set tunnel_ports { type inet_service; }
set masquerade4 { type ipv4_addr; flags interval; }
set masquerade6 { type ipv6_addr; flags interval; }
chain raw {
    type filter hook prerouting priority raw; policy accept;
    iifname != @bridges return
    ip daddr 127.0.0.0/8 drop
    iifname @isolated4 meta nfproto ipv4 fib daddr type local drop
    iifname @isolated6 meta nfproto ipv6 fib daddr type local drop
    udp dport @tunnel_ports fib daddr type local counter drop
}
chain publish {
    meta nfproto ipv4 meta l4proto { tcp, udp, sctp } dnat ip to meta l4proto . ip daddr . th dport map @publish4
    meta nfproto ipv4 meta l4proto { tcp, udp, sctp } dnat ip to meta l4proto . th dport map @publish4_any
    meta nfproto ipv6 meta l4proto { tcp, udp, sctp } dnat ip6 to meta l4proto . ip6 daddr . th dport map @publish6
    meta nfproto ipv6 meta l4proto { tcp, udp, sctp } dnat ip6 to meta l4proto . th dport map @publish6_any
}
chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    ip daddr 127.0.0.0/8 return
    fib daddr type local jump publish
}
chain output {
    type nat hook output priority -100; policy accept;
    ip6 daddr ::1 return
    fib daddr type local jump publish
}
chain outwards {
    iifname @bridges udp dport @tunnel_ports counter drop
}
chain forward {
    type filter hook forward priority filter; policy accept;
    iifname . oifname @talkative accept
    iifname @internal drop
    oifname @internal drop
    oifname != @bridges goto outwards
    ct state established,related accept
    ct status dnat accept
    oifname @unprotected4 meta nfproto ipv4 accept
    oifname @unprotected6 meta nfproto ipv6 accept
    meta nfproto ipv4 meta l4proto { tcp, udp, sctp } meta l4proto . ip daddr . th dport @open4 accept
    meta nfproto ipv6 meta l4proto { tcp, udp, sctp } meta l4proto . ip6 daddr . th dport @open6 accept
    drop
}
chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ct status dnat ip saddr . oifname @local4 masquerade
    ct status dnat ip6 saddr . oifname @local6 masquerade
    ct status dnat ip saddr 127.0.0.0/8 oifname @bridges masquerade
    ip saddr . oifname @local4 return
    ip6 saddr . oifname @local6 return
    ip saddr @masquerade4 masquerade
    ip6 saddr @masquerade6 masquerade
}
"""  # noqa: E501  (a rule is a line)


class Publication(Struct, frozen=True):
    """A port of a container under a port of the host; addresses of one family, in their short form.

    `host_ip` "0.0.0.0" or "::" means every address of the host. `host_port` 0 means none of the
    host's: the container's own address is open to the outside, on a routed network.
    """

    protocol: str
    host_ip: str
    host_port: int
    container_ip: str
    container_port: int


class NetworkRules(Struct, frozen=True, kw_only=True):
    """What the firewall must know of a network; subnets in CIDR form.

    The families in `routed`, 4 and 6, leave under the containers' own addresses; in `unprotected`
    ones every port is open to whoever has a route; `isolated` ones do not reach the host.
    """

    bridge: str
    subnets: tuple[str, ...]
    is_masqueraded: bool = True
    is_internal: bool = False
    may_talk_inside: bool = True
    routed: tuple[int, ...] = ()
    unprotected: tuple[int, ...] = ()
    isolated: tuple[int, ...] = ()


def table_text(
    table: str,
    networks: Iterable[NetworkRules],
    publications: Sequence[Publication],
    tunnel_ports: Iterable[int] = (),
) -> str:
    """Return the transaction that replaces the table by one of exactly this content."""
    elements = (_network_elements("add", table, rules) for rules in networks)
    ports = tunnel_ports_text(table, tunnel_ports)
    return replacement(table, _TABLE, *elements, ports, publish_text(table, publications))


def tunnel_ports_text(table: str, ports: Iterable[int]) -> str:
    """Return the transaction that keeps containers away from just these UDP ports of nodes.

    VXLAN has no authentication, and a container that may write packets of its own could pose as a
    node. Containers of one bridge speak to one another as they like.
    """
    added = [f"add element inet {table} tunnel_ports {{ {each} }}" for each in sorted(ports)]
    return "\n".join([f"flush set inet {table} tunnel_ports", *added])


def add_network_text(table: str, rules: NetworkRules) -> str:
    """Return the transaction that adds a network."""
    return _network_elements("add", table, rules)


def remove_network_text(table: str, rules: NetworkRules) -> str:
    """Return the transaction that takes a network away, whether it is there or not.

    Adding first makes the deletion good in every case: an absent element would fail it.
    """
    added = _network_elements("add", table, rules)
    return f"{added}\n{_network_elements('delete', table, rules)}"


def publish_text(table: str, publications: Iterable[Publication]) -> str:
    """Return the transaction that publishes, "" for none; it fails if a port has another owner."""
    return "\n".join(
        f"create element inet {table} {_map_of(each)} {{ {_key(each)}{_target(each)} }}"
        for each in publications
    )


def withdraw_text(table: str, publications: Iterable[Publication]) -> str:
    """Return the transaction that ends publications which are in the table, "" for none."""
    return "\n".join(
        f"delete element inet {table} {_map_of(each)} {{ {_key(each)} }}" for each in publications
    )


def _network_elements(verb: str, table: str, rules: NetworkRules) -> str:
    bridge = f'"{rules.bridge}"'
    elements = [("bridges", bridge)]
    if rules.may_talk_inside:
        elements.append(("talkative", f"{bridge} . {bridge}"))
    if rules.is_internal:
        elements.append(("internal", bridge))
    elements += [(f"unprotected{family}", bridge) for family in rules.unprotected]
    elements += [(f"isolated{family}", bridge) for family in rules.isolated]
    for subnet in rules.subnets:
        family = ip_network(subnet).version
        elements.append((f"local{family}", f"{subnet} . {bridge}"))
        if rules.is_masqueraded and not rules.is_internal and family not in rules.routed:
            elements.append((f"masquerade{family}", subnet))
    return "\n".join(
        f"{verb} element inet {table} {place} {{ {element} }}" for place, element in elements
    )


def _map_of(publication: Publication) -> str:
    family = ip_address(publication.container_ip).version
    if not publication.host_port:
        return f"open{family}"
    return f"publish{family}{'_any' if publication.host_ip in WILDCARDS else ''}"


def _key(publication: Publication) -> str:
    if not publication.host_port:
        own = publication.container_ip, publication.container_port
        return f"{publication.protocol} . {own[0]} . {own[1]}"
    place = "" if publication.host_ip in WILDCARDS else f"{publication.host_ip} . "
    return f"{publication.protocol} . {place}{publication.host_port}"


def _target(publication: Publication) -> str:
    if not publication.host_port:
        return ""
    return f" : {publication.container_ip} . {publication.container_port}"
