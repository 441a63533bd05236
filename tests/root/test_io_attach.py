"""Attach to real containers."""

from __future__ import annotations

import os
import subprocess

from api.frames import Stream
from tests.root.hijacked import Hijacked
from tests.root.node import Node

ATTACH = "/v1.47/containers/{}/attach?stream=1&stdin=1&stdout=1&stderr=1"


def create(daemon: Node, name: str, *command: str, options: tuple[str, ...] = ("-i",)) -> str:
    """Create a container and return its id."""
    return daemon.docker("create", "--name", name, *options, "busybox", *command).stdout.strip()


def test_megabytes_through_cat_are_whole(daemon: Node) -> None:
    """`docker run -i … cat < file`: half-close ends it, nothing is lost."""
    data = os.urandom(1 << 20) * 20

    done = subprocess.run(
        ["docker", "-H", daemon.url, "run", "--rm", "-i", "busybox", "cat"],
        input=data, capture_output=True, timeout=60, check=True,
    )  # fmt: skip

    assert done.stdout == data


def test_streams_are_framed_from_the_first_byte(daemon: Node) -> None:
    """Attach, then start: what runs for a moment is seen whole."""
    name = create(daemon, "io-first", "sh", "-c", "echo out; echo err >&2")
    client = Hijacked(daemon.socket, ATTACH.format(name))
    assert client.status == "HTTP/1.1 101 UPGRADED"

    daemon.docker("start", name)

    assert client.read_frames() == {Stream.STDOUT: b"out\n", Stream.STDERR: b"err\n"}
    client.close()


def test_history_joins_the_present_without_gap_or_repetition(daemon: Node) -> None:
    """logs=1 with stream=1, while the container writes; it ends when the client asks for it."""
    script = "for i in $(seq 3000); do echo $i; done; read x; seq 3001 6000"
    name = create(daemon, "io-history", "sh", "-c", script)
    daemon.docker("start", name)

    target = f"/v1.47/containers/{name}/attach?logs=1&stream=1&stdout=1&stdin=1"
    client = Hijacked(daemon.socket, target)
    client.send(b"go\n")

    assert client.read_frames()[Stream.STDOUT].split() == [b"%d" % n for n in range(1, 6001)]
    client.close()


def test_client_that_vanishes_harms_nobody(daemon: Node) -> None:
    """The container goes on, and the next client is served."""
    name = create(daemon, "io-vanish", "sh", "-c", "while echo tick; do sleep 0.05; done")
    first = Hijacked(daemon.socket, ATTACH.format(name))
    daemon.docker("start", name)
    first.read_until(b"tick")

    first.close()

    second = Hijacked(daemon.socket, ATTACH.format(name))
    second.read_until(b"tick")
    second.close()
    assert daemon.docker("inspect", "-f", "{{.State.Running}}", name).stdout == "true\n"


FLOOD = "read x; head -c 20000000 /dev/zero | tr '\\0' x; echo; echo done >&2"


def test_client_that_reads_late_gets_every_byte(daemon: Node) -> None:
    """The process feels a slow reader as it feels a slow pipe; nothing is dropped."""
    name = create(daemon, "io-late", "sh", "-c", FLOOD)
    late = Hijacked(daemon.socket, ATTACH.format(name))
    daemon.docker("start", name)
    other = Hijacked(daemon.socket, f"/v1.47/containers/{name}/attach?stream=1&stderr=1")

    late.send(b"go\n")

    assert late.read_frames()[Stream.STDOUT] == b"x" * 20_000_000 + b"\n"
    assert other.read_frames() == {Stream.STDERR: b"done\n"}
    late.close()
    other.close()


def test_client_that_never_reads_frees_the_container_when_it_goes(daemon: Node) -> None:
    """A forgotten terminal that is closed must not have frozen the others for good."""
    name = create(daemon, "io-stuck", "sh", "-c", FLOOD)
    stuck = Hijacked(daemon.socket, ATTACH.format(name))
    daemon.docker("start", name)
    other = Hijacked(daemon.socket, f"/v1.47/containers/{name}/attach?stream=1&stderr=1")
    stuck.send(b"go\n")

    stuck.close()

    assert b"done" in other.read_until(b"done")
    other.close()


def test_detach_keys_leave_a_terminal_running(daemon: Node) -> None:
    """The server's side of them, for clients that do not watch themselves."""
    name = create(daemon, "io-detach", "sh", options=("-it",))
    target = f"{ATTACH.format(name)}&detachKeys=a,ctrl-b"
    client = Hijacked(daemon.socket, target)
    daemon.docker("start", name)
    client.read_until(b"# ")

    client.send(b"a")
    client.send(b"\x02")

    client.read_all()
    assert daemon.docker("inspect", "-f", "{{.State.Running}}", name).stdout == "true\n"
    client.close()


def test_paused_container_refuses_attach(daemon: Node) -> None:
    """409, no upgrade."""
    daemon.docker("run", "-d", "--name", "io-paused", "busybox", "sleep", "60")
    daemon.docker("pause", "io-paused")

    refused = daemon.docker("attach", "io-paused", check=False)
    client = Hijacked(daemon.socket, ATTACH.format("io-paused"))

    assert refused.returncode == 1
    assert client.status.startswith("HTTP/1.1 409")
    client.close()
    daemon.docker("unpause", "io-paused")
