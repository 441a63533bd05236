"""Ways made by hand to compare with: of VXLAN and translation, and nothing else."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.host import Host
from tests.cluster.lan import run

_MTU = "1450"
_PORT = "4790"
_TUNNEL_VNI, _FORWARD_VNI = "7700", "7701"
_FORWARDED = 8091
_NEAR, _FAR = "10.99.7.1", "10.99.7.2"
_NOT_TRACKED = f"""
table inet bare {{
    chain arriving {{
        type filter hook prerouting priority -300; policy accept;
        udp dport {_PORT} notrack
    }}
    chain leaving {{
        type filter hook output priority -300; policy accept;
        udp dport {_PORT} notrack
    }}
}}
"""
_TRANSLATED = f"""
table ip bare-nat {{
    chain prerouting {{
        type nat hook prerouting priority -105; policy accept;
        tcp dport {_FORWARDED} dnat to {_FAR}:80
    }}
    chain postrouting {{
        type nat hook postrouting priority 90; policy accept;
        oifname "bare" masquerade
    }}
}}
"""
_TABLES = ("inet", "bare"), ("ip", "bare-nat")


@contextmanager
def bare_tunnel(first: Host, second: Host) -> Iterator[tuple[Path, Path, str]]:
    """Lend two namespaces with a VXLAN between them, over these hosts' links; and the far address.

    As throughput goes through it.
    """
    made: list[Path] = []
    try:
        for host in (first, second):
            name = f"{_space(host).name}-bare"
            run("ip", "netns", "add", name)
            made.append(Path("/run/netns", name))
        _add_end(first, second, made[0], _NEAR, _TUNNEL_VNI)
        _add_end(second, first, made[1], _FAR, _TUNNEL_VNI)
        yield made[0], made[1], _FAR
    finally:
        for place in made:
            run("ip", "netns", "del", place.name)


@contextmanager
def bare_forwarding(entry: Host, host: Host, server: Path) -> Iterator[str]:
    """Lend a URL at one host that leads to a server's namespace on another.

    The shortest way that the mesh could have: one translation in the host, and a tunnel from there
    straight into the namespace. No bridge, no namespace between, nothing that keeps networks apart.
    """
    try:
        for each in (entry, host):
            _load(each, _NOT_TRACKED)
        _load(entry, _TRANSLATED)
        _add_end(entry, host, _space(entry), _NEAR, _FORWARD_VNI)
        _add_end(host, entry, server, _FAR, _FORWARD_VNI)
        yield f"http://{entry.address}:{_FORWARDED}/"
    finally:
        for place in (_space(entry), server):
            _inside(place, "ip", "link", "del", "bare", check=False)
        for each in (entry, host):
            for table in _TABLES:
                _inside(_space(each), "nft", "delete", "table", *table, check=False)


def _add_end(host: Host, peer: Host, place: Path, address: str, vni: str) -> None:
    """Make one end of a tunnel, in the namespace at `place`, over the host's link."""
    host.run("ip", "link", "add", "bare", "type", "vxlan", "id", vni,
             "local", host.address, "remote", peer.address, "dstport", _PORT)  # fmt: skip
    if place != _space(host):
        host.run("ip", "link", "set", "bare", "netns", str(place))
    _inside(place, "ip", "addr", "add", f"{address}/24", "dev", "bare")
    _inside(place, "ip", "link", "set", "bare", "mtu", _MTU, "up")


def _load(host: Host, tables: str) -> None:
    words = ["nsenter", f"--net={_space(host)}", "nft", "-f", "-"]
    subprocess.run(words, input=tables, text=True, check=True, capture_output=True)


def _space(host: Host) -> Path:
    return Path("/run/netns", host.network.namespace(host.number))


def _inside(place: Path, *words: str, check: bool = True) -> None:
    run("nsenter", f"--net={place}", *words, check=check)
