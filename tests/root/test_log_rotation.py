"""Rotation of the logs of real containers: bounds are kept, and not one line is lost."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from api.errors import Internal
from engine.adapters.log_rotator import DiskLogRotator
from tests.root.node import Node, wait_until

_ENDLESS = "i=0; while true; do i=$((i+1)); echo line $i; [ $((i % 20)) = 0 ] && usleep 1000; done"


def _run(node: Node, name: str, script: str, **options: str) -> Path:
    """Start a container that writes numbered lines; return its log's path."""
    words = [word for key, value in options.items() for word in ("--log-opt", f"{key}={value}")]
    words = [word.replace("max_", "max-") for word in words]
    node.docker("run", "-d", "--name", name, *words, "busybox", "sh", "-c", script)
    return Path(str(node.inspect(name)["LogPath"]))


def _writer(lines: int) -> str:
    return f"i=0; while [ $i -lt {lines} ]; do i=$((i+1)); echo line $i; done"


def _aside(path: Path) -> list[str]:
    return sorted(
        each.name.removeprefix(f"{path.name}.") for each in path.parent.glob(f"{path.name}.*")
    )


def _has_aside(path: Path, count: int) -> bool:
    return len(_aside(path)) >= count


def _numbered(lines: int) -> list[str]:
    return [f"line {number}" for number in range(1, lines + 1)]


def test_no_line_is_lost_or_doubled_at_full_speed(daemon: Node) -> None:
    """The monitor writes on while its log is renamed under its hands."""
    path = _run(daemon, "rot-all", _writer(40_000), max_size="100k", max_file="1000")

    daemon.docker("wait", "rot-all")

    assert len(_aside(path)) >= 3
    assert daemon.docker("logs", "rot-all").stdout.splitlines() == _numbered(40_000)


def test_a_follower_reads_through_rotations(daemon: Node) -> None:
    """From the first line to the last, compressed under its eyes."""
    _run(daemon, "rot-follow", _writer(40_000), max_size="100k", max_file="1000", compress="true")

    followed = daemon.docker("logs", "-f", "rot-follow").stdout.splitlines()

    assert followed == _numbered(40_000)


def test_as_many_files_as_asked_for_are_kept(daemon: Node) -> None:
    """`max-file` counts the present one; the newest lines are those that stay."""
    path = _run(daemon, "rot-few", _ENDLESS, max_size="50k", max_file="3")

    def first_line() -> str:
        return next(iter(daemon.docker("logs", "rot-few").stdout.splitlines()), "line 1")

    wait_until(lambda: first_line() != "line 1", "the oldest lines to be deleted", 60)
    daemon.docker("kill", "rot-few")

    wait_until(lambda: _aside(path) == ["1", "2"], "the surplus to be deleted")
    kept = daemon.docker("logs", "rot-few").stdout.splitlines()
    last = int(kept[-1].removeprefix("line "))
    assert kept == _numbered(last)[-len(kept) :]
    assert len(kept) < last


def test_the_tail_reaches_into_compressed_files(daemon: Node) -> None:
    """And no further than it must."""
    path = _run(
        daemon, "rot-tail", _writer(30_000), max_size="100k", max_file="100", compress="true"
    )
    daemon.docker("wait", "rot-tail")

    tail = daemon.docker("logs", "--tail", "10000", "rot-tail").stdout.splitlines()

    assert tail == _numbered(30_000)[-10_000:]
    assert any(name.endswith(".gz") for name in _aside(path))


def test_the_local_driver_is_bounded_without_options(daemon: Node) -> None:
    """Read back as any other."""
    daemon.docker("run", "--name", "rot-local", "--log-driver", "local", "busybox", "echo", "hi")

    assert daemon.docker("logs", "rot-local").stdout == "hi\n"


def test_a_crash_in_the_middle_of_a_rotation_loses_nothing(killable_daemon: Node) -> None:
    """Killed at whatever moment, over and over, while a container writes all the time."""
    node = killable_daemon
    path = _run(node, "rot-crash", _ENDLESS, max_size="50k", max_file="10000", compress="true")
    for _ in range(2):
        wanted = len(_aside(path)) + 2
        wait_until(partial(_has_aside, path, wanted), "rotations")
        node.kill()
        node.start()

    node.docker("kill", "rot-crash")

    lines = node.docker("logs", "rot-crash").stdout.splitlines()
    assert lines[:-1] == _numbered(len(lines) - 1)


def test_cut_between_rename_and_reopening_is_finished(killable_daemon: Node) -> None:
    """What a crash right after the rename leaves behind: the next daemon has the log reopened."""
    node = killable_daemon
    script = "echo before; while [ ! -e /go ]; do sleep 0.05; done; echo after; sleep 60"
    options = ["--log-opt", "max-size=1m", "--log-opt", "max-file=3"]
    node.docker("run", "-d", "--name", "rot-cut", *options, "busybox", "sh", "-c", script)
    path = Path(str(node.inspect("rot-cut")["LogPath"]))
    node.kill()
    path.with_name(f"{path.name}.tmp").touch()
    path.rename(path.with_name(f"{path.name}.1"))

    node.start()

    wait_until(path.exists, "a new log")
    node.docker("exec", "rot-cut", "touch", "/go")
    wait_until(lambda: path.stat().st_size > 0, "the new log to be written")
    assert node.docker("logs", "rot-cut").stdout == "before\nafter\n"


def test_bad_options_are_refused_with_the_words_of_docker(daemon: Node) -> None:
    """At creation, where they can still be mended."""
    refused = {
        "foo=1": "unknown log opt 'foo' for json-file log driver",
        "max-size=abc": "failed to initialize logging driver: invalid size: 'abc'",
        "max-file=0": "failed to initialize logging driver: max-file cannot be less than 1",
        "tag={{.Foo}}": "can't evaluate field Foo",
    }

    for option, words in refused.items():
        done = daemon.docker("create", "--log-opt", option, "busybox", check=False)
        assert words in done.stderr


def test_details_show_the_tag_and_the_chosen_labels(daemon: Node) -> None:
    """Docker's `--details`."""
    daemon.docker(
        "run", "--name", "rot-tag", "--label", "tier=web", "--log-opt", "labels=tier",
        "--log-opt", "tag={{.Name}}/{{.ImageName}}", "busybox", "echo", "hi",
    )  # fmt: skip

    shown = daemon.docker("logs", "--details", "rot-tag").stdout

    assert shown == "tag=rot-tag%2Fbusybox,tier=web hi\n"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of 256 KiB."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "rot", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


async def test_a_full_disk_stops_compression_and_loses_nothing(small_disk: Path) -> None:
    """The plain file stays, no half of a compressed one does."""
    rotator = DiskLogRotator(threading.Lock())
    path = small_disk / "x.log"
    text = os.urandom(200_000)

    try:
        path.write_bytes(text)
        await rotator.set_aside(path)
        path.with_name("x.log.tmp").rename(path)
        with pytest.raises(Internal, match="No space left on device"):
            await rotator.settle(path, 3, compress=True)

        assert path.with_name("x.log.1").read_bytes() == text
        assert _aside(path) == ["1"]
    finally:
        rotator.close()
