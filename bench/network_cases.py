"""Names, published ports, throughput between containers."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable

from bench.api import Connection
from bench.cases import IMAGE
from bench.measure import Case
from bench.servers import Server
from tests.root.name_client import ask_inside, question

_NETWORK = "bench-names"
_LOOKUPS = 3000
_WEB = "mkdir -p /w; echo hello > /w/index.html; exec httpd -f -h /w"


class NetworkCases:
    """Two containers on a user-defined network of each server, kept until `close`."""

    def __init__(self) -> None:
        self._used: dict[str, Server] = {}

    def close(self) -> None:
        """Take containers and networks away."""
        for server in self._used.values():
            server.docker("rm", "-f", "bench-one", "bench-two")
            server.docker("network", "rm", _NETWORK)

    def cases(self) -> list[Case]:
        """Return the cases."""
        return [
            Case("DNS lookup", "us", "lower", 0.8, self._on(_lookup), 5),
            Case("published port", "req/s", "higher", 1.0, self._on(_published), 3),
            Case("container to container", "Gbit/s", "higher", 1.0, self._on(_throughput), 3),
        ]

    def _on(self, work: Callable[[Server], float]) -> Callable[[Server], float]:
        def run(server: Server) -> float:
            if server.name not in self._used:
                _start(server)
                self._used[server.name] = server
            return work(server)

        return run


def _start(server: Server) -> None:
    api = Connection(server.socket)
    api.call("POST", "/networks/create", {"Name": _NETWORK})
    for name in ("bench-one", "bench-two"):
        body = {
            "Image": IMAGE,
            "Cmd": ["sh", "-c", _WEB],
            "ExposedPorts": {"80/tcp": {}},
            "HostConfig": {"NetworkMode": _NETWORK, "PortBindings": {"80/tcp": [{}]}},
        }
        api.call("POST", f"/containers/create?name={name}", body)
        api.call("POST", f"/containers/{name}/start")


def _pid(server: Server, name: str) -> int:
    return int(Connection(server.socket).call("GET", f"/containers/{name}/json")["State"]["Pid"])


def _lookup(server: Server) -> float:
    namespace = f"/proc/{_pid(server, 'bench-one')}/ns/net"
    packets = [question("bench-two")] * _LOOKUPS
    begin = time.perf_counter()
    answers = ask_inside(namespace, *packets)
    taken = time.perf_counter() - begin
    assert all(answers), "an answer was lost"
    return 1e6 * taken / _LOOKUPS


def _published(server: Server) -> float:
    shown = Connection(server.socket).call("GET", "/containers/bench-one/json")
    port = shown["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"]
    url = f"http://127.0.0.1:{port}/"
    done = subprocess.run(
        ["wrk", "-t", "1", "-c", "4", "-d", "2s", url], capture_output=True, text=True, check=True
    )
    line = next(each for each in done.stdout.splitlines() if each.startswith("Requests/sec"))
    return float(line.split()[1])


def _throughput(server: Server) -> float:
    command = ["nsenter", "-t", str(_pid(server, "bench-two")), "-n", "iperf3", "-s", "-1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as serving:
        try:
            return _iperf(server)
        finally:
            serving.terminate()


def _iperf(server: Server) -> float:
    shown = Connection(server.socket).call("GET", "/containers/bench-two/json")
    address = shown["NetworkSettings"]["Networks"][_NETWORK]["IPAddress"]
    inside = ["nsenter", "-t", str(_pid(server, "bench-one")), "-n"]
    command = [*inside, "iperf3", "-c", address, "-t", "2", "-J"]
    for _ in range(50):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        # Before the other side listens it says so, some versions with the status of a success.
        received = json.loads(done.stdout)["end"].get("sum_received")
        if received:
            return float(received["bits_per_second"]) / 1e9
        time.sleep(0.1)
    raise AssertionError(done.stdout)
