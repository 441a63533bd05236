"""What tests may leave behind on a machine, looked at before and after."""

from __future__ import annotations

import os
from pathlib import Path

from tests.cluster.host import Host
from tests.cluster.lan import run


def traces(name: str) -> dict[str, list[str]]:
    """Return all that bears this name: namespaces, links, tables, mounts, processes, groups."""
    found = {
        "namespaces": run("ip", "netns").splitlines(),
        "links": run("ip", "-o", "link").splitlines(),
        "tables": run("nft", "list", "tables").splitlines(),
        "mounts": Path("/proc/self/mountinfo").read_text().splitlines(),
        "processes": [_command(pid) for pid in os.listdir("/proc") if pid.isdecimal()],
        "groups": [str(path) for path in Path("/sys/fs/cgroup").glob(f"*/*{name}*")],
        "directories": os.listdir("/tmp"),
    }
    named = {kind: [line for line in lines if name in line] for kind, lines in found.items()}
    return {kind: lines for kind, lines in named.items() if lines}


def _command(pid: str) -> str:
    try:
        return Path("/proc", pid, "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def swarms_traces(host: Host) -> list[str]:
    """Return what is on a host of a swarm that it is not in: networks, links, files, mounts."""
    scopes = host.docker("network", "ls", "--format", "{{.Name}} {{.Scope}}").stdout.splitlines()
    links = host.run("ip", "-o", "link", "show", "type", "vxlan").splitlines()
    spaces = [each for each in host.leftovers()["netns"] if "ingress" in each]
    return [
        *(each for each in scopes if each.endswith(" swarm")),
        *links,
        *spaces,
        *map(str, (host.root / "exec" / "tasks").glob("*")),
        *map(str, (host.root / "data" / "swarm").glob("*")),
    ]
