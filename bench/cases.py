"""What is measured: containers, execs, reads, streams, images, memory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread

from bench.api import Connection, Getter, hijack
from bench.measure import Case
from bench.servers import Server

IMAGE = "busybox:latest"
SLEEP = {"Image": IMAGE, "Cmd": ["sleep", "1000000"], "StopSignal": "SIGKILL"}


def seconds(work: Callable[[], object]) -> float:
    """Return how long a piece of work takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _run_rm(*flags: str) -> Callable[[Server], float]:
    def run(server: Server) -> float:
        return 1000 * seconds(lambda: server.docker("run", "--rm", *flags, IMAGE, "true"))

    return run


def _create(api: Connection, **more: object) -> str:
    created: dict[str, str] = api.call("POST", "/containers/create", {**SLEEP, **more})
    return created["Id"]


def _cycle(server: Server) -> float:
    api = Connection(server.socket)

    def work() -> None:
        ref = _create(api, Cmd=["true"], HostConfig={"NetworkMode": "none"})
        api.call("POST", f"/containers/{ref}/start")
        api.call("POST", f"/containers/{ref}/wait")
        api.call("DELETE", f"/containers/{ref}")

    return 1000 * seconds(work)


def _exec_api(server: Server) -> float:
    ref = _kept(server)
    api = Connection(server.socket)

    def work() -> None:
        body = {"Cmd": ["true"], "AttachStdout": True, "AttachStderr": True}
        made = api.call("POST", f"/containers/{ref}/exec", body)
        stream = hijack(server.socket, f"/exec/{made['Id']}/start", {"Detach": False})
        while stream.recv(65536):
            pass
        stream.close()
        assert api.call("GET", f"/exec/{made['Id']}/json")["ExitCode"] == 0

    return 1000 * seconds(work)


def _exec_cli(server: Server) -> float:
    ref = _kept(server)
    return 1000 * seconds(lambda: server.docker("exec", ref, "true"))


_kept_ids: dict[str, str] = {}


def _kept(server: Server) -> str:
    """Return a running container that stays for several rounds."""
    if server.name not in _kept_ids:
        api = Connection(server.socket)
        _kept_ids[server.name] = _create(api, HostConfig={"NetworkMode": "none"})
        api.call("POST", f"/containers/{_kept_ids[server.name]}/start")
    return _kept_ids[server.name]


def _up_100(server: Server) -> float:
    def one(_: int) -> str:
        api = Connection(server.socket)
        ref = _create(api)
        api.call("POST", f"/containers/{ref}/start")
        return ref

    with ThreadPoolExecutor(16) as pool:
        begin = time.perf_counter()
        refs = list(pool.map(one, range(100)))
        took = time.perf_counter() - begin
    server.docker("rm", "-f", *refs)
    return took


def reads(path: str, count: int = 500) -> Callable[[Server], float]:
    """Return the measurement of a GET, in requests per second on one connection."""

    def run(server: Server) -> float:
        target = path.replace("{kept}", _kept(server))
        getter = Getter(server.socket, target)
        getter.get()

        def work() -> None:
            for _ in range(count):
                getter.get()

        return count / seconds(work)

    return run


LOG_MB = 100
LOG_LINES = f"yes {'0123456789' * 9} | head -c {LOG_MB << 20}"


def _log_write(server: Server) -> float:
    api = Connection(server.socket)
    ref = _create(api, Cmd=["sh", "-c", LOG_LINES], HostConfig={"NetworkMode": "none"})

    def work() -> None:
        api.call("POST", f"/containers/{ref}/start")
        api.call("POST", f"/containers/{ref}/wait")

    took = seconds(work)
    api.call("DELETE", f"/containers/{ref}")
    return LOG_MB / took


_logged: dict[str, str] = {}


def _log_read(server: Server) -> float:
    api = Connection(server.socket)
    if server.name not in _logged:
        _logged[server.name] = _create(
            api, Cmd=["sh", "-c", LOG_LINES], HostConfig={"NetworkMode": "none"}
        )
        api.call("POST", f"/containers/{_logged[server.name]}/start")
        api.call("POST", f"/containers/{_logged[server.name]}/wait")
    target = f"/containers/{_logged[server.name]}/logs?stdout=1&stderr=1"
    begin = time.perf_counter()
    total = api.read_all(target)
    assert total >= LOG_MB << 20
    return LOG_MB / (time.perf_counter() - begin)


STDIO_MB = 128


def _stdio(server: Server) -> float:
    api = Connection(server.socket)
    ref = _create(
        api, Cmd=["cat"], HostConfig={"NetworkMode": "none", "LogConfig": {"Type": "none"}},
        OpenStdin=True, StdinOnce=True, AttachStdin=True, AttachStdout=True,
    )  # fmt: skip
    stream = hijack(server.socket, f"/containers/{ref}/attach?stream=1&stdin=1&stdout=1")
    api.call("POST", f"/containers/{ref}/start")
    block = os.urandom(1 << 20)

    def send() -> None:
        for _ in range(STDIO_MB):
            stream.sendall(block)
        stream.shutdown(1)

    begin = time.perf_counter()
    sender = Thread(target=send)
    sender.start()
    total = 0
    while chunk := stream.recv(1 << 20):
        total += len(chunk)
    took = time.perf_counter() - begin
    sender.join()
    assert total >= STDIO_MB << 20, total
    api.call("POST", f"/containers/{ref}/wait")
    api.call("DELETE", f"/containers/{ref}")
    return STDIO_MB / took


PER_CONTAINER = 20


def _pss_mb(server: Server) -> float:
    """Return the proportional set size of the daemon and its helpers, containers left out."""
    total_kb = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
            if server.marker not in command and int(entry.name) != server.pid:
                continue
            for line in (entry / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total_kb += int(line.split()[1])
        except OSError:
            continue
    return total_kb / 1024


def _memory_daemon(server: Server) -> float:
    return _pss_mb(server)


def _memory_container(server: Server) -> float:
    _kept(server)  # the first one maps what all helpers share
    before = _pss_mb(server)
    api = Connection(server.socket)
    refs = []
    for _ in range(PER_CONTAINER):
        refs.append(_create(api))
        api.call("POST", f"/containers/{refs[-1]}/start")
    grown = _pss_mb(server) - before
    server.docker("rm", "-f", *refs)
    return grown / PER_CONTAINER


RUN_CASES = [
    Case("run --rm none", "ms", "lower", 0.7, _run_rm("--network", "none"), 15),
    Case("run --rm bridge", "ms", "lower", 0.7, _run_rm(), 15),
    Case("run --rm host", "ms", "lower", 0.7, _run_rm("--network", "host"), 15),
    Case("run --rm -p", "ms", "lower", 0.7, _run_rm("-p", "80"), 15),
    Case("create start wait rm", "ms", "lower", 0.7, _cycle, 15),
    Case("exec (API)", "ms", "lower", 0.8, _exec_api, 15),
    Case("exec (CLI)", "ms", "lower", 0.8, _exec_cli, 15),
    Case("100 up, 16 parallel", "s", "lower", 0.7, _up_100, 3),
]
MEMORY_CASES = [
    Case("memory of the daemon", "MB", "lower", 1.0, _memory_daemon, 1),
    Case("memory per container", "MB", "lower", 0.15, _memory_container, 3),
]
READ_CASES = [
    Case("list 100", "req/s", "higher", 2.0, reads("/containers/json?all=1", 200), 5),
    Case("images", "req/s", "higher", 2.0, reads("/images/json", 2000), 7),
    Case("info", "req/s", "higher", 2.0, reads("/info", 200), 5),
    Case("version", "req/s", "higher", 2.0, reads("/version", 300), 5),
    Case("inspect", "req/s", "higher", 0.7, reads("/containers/{kept}/json", 2000), 7),
    Case("_ping", "req/s", "higher", 0.7, reads("/_ping", 4000), 7),
]
STREAM_CASES = [
    Case("log write", "MB/s", "higher", 1.0, _log_write, 3),
    Case("log read", "MB/s", "higher", 1.0, _log_read, 3),
    Case("stdin to stdout", "MB/s", "higher", 1.0, _stdio, 3),
]
