"""Commands in real containers."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.root.hijacked import Hijacked
from tests.root.node import Node, wait_until


@pytest.fixture
def box(daemon: Node) -> Iterator[str]:
    """Give a container that sleeps."""
    yield daemon.docker(
        "run", "-d", "--name", "io-box", "-e", "FROM=container", "busybox", "sleep", "300"
    ).stdout.strip()
    daemon.docker("rm", "-f", "io-box")


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (["true"], 0, ""),
        (["sh", "-c", "exit 3"], 3, ""),
        (["nosuch"], 127, 'exec: "nosuch": executable file not found in $PATH'),
        (["/etc"], 126, "permission denied"),
        (["sh", "-c", "kill -9 $$"], 137, ""),
    ],
)
def test_exit_codes(daemon: Node, box: str, command: list[str], code: int, words: str) -> None:
    """As the CLI passes them on; 126 and 127 with the runtime's words."""
    done = daemon.docker("exec", box, *command, check=False)

    assert done.returncode == code
    assert words in done.stderr + done.stdout


def test_variables_user_and_directory(daemon: Node, box: str) -> None:
    """The container's variables, and the command's own."""
    done = daemon.docker(
        "exec", "-e", "OWN=x", "-u", "1000:1001", "-w", "/tmp", box,
        "sh", "-c", "echo $FROM $OWN $(id -u):$(id -g) $(pwd)",
    )  # fmt: skip

    assert done.stdout == "container x 1000:1001 /tmp\n"


def test_unknown_user_is_an_error(daemon: Node, box: str) -> None:
    """Docker's words."""
    done = daemon.docker("exec", "-u", "nobodyhere", box, "true", check=False)

    assert done.returncode != 0
    assert "unable to find user nobodyhere" in done.stderr + done.stdout


def test_privileged_has_all_capabilities(daemon: Node, box: str) -> None:
    """And without it, no more than the container."""
    script = "grep CapEff /proc/self/status"

    plain = daemon.docker("exec", box, "sh", "-c", script).stdout.split()[1]
    privileged = daemon.docker("exec", "--privileged", box, "sh", "-c", script).stdout.split()[1]

    assert int(plain, 16) & int(privileged, 16) == int(plain, 16)
    assert int(plain, 16) < int(privileged, 16)


def test_stdin_goes_through_to_its_end(daemon: Node, box: str) -> None:
    """`docker exec -i … cat < file`."""
    data = bytes(range(256)) * 4096

    done = subprocess.run(
        ["docker", "-H", daemon.url, "exec", "-i", box, "cat"],
        input=data, capture_output=True, timeout=60, check=True,
    )  # fmt: skip

    assert done.stdout == data


def test_detached_command_runs_on_and_is_inspected(daemon: Node, box: str) -> None:
    """`docker exec -d`."""
    api = daemon.api().api
    created = api.exec_create(box, ["sh", "-c", "sleep 0.2; exit 5"])

    api.exec_start(created["Id"], detach=True)

    assert api.exec_inspect(created["Id"])["Running"]
    wait_until(lambda: api.exec_inspect(created["Id"])["ExitCode"] == 5, "the exit code")
    assert not api.exec_inspect(created["Id"])["Running"]


def test_terminal_has_its_size_from_the_start(daemon: Node, box: str) -> None:
    """ConsoleSize, api 1.42."""
    request = {"Cmd": ["stty", "size"], "AttachStdin": True, "AttachStdout": True, "Tty": True}
    exec_id = daemon.api().api.exec_create(box, request["Cmd"], stdin=True, tty=True)["Id"]

    client = Hijacked(
        daemon.socket, f"/v1.47/exec/{exec_id}/start", {"Tty": True, "ConsoleSize": [33, 77]}
    )

    assert client.read_all().strip() == b"33 77"
    client.close()


def test_input_sent_behind_the_request_reaches_the_command(daemon: Node, box: str) -> None:
    """Clients need not wait for the answer before they type."""
    exec_id = daemon.api().api.exec_create(box, ["cat"], stdin=True)["Id"]

    client = Hijacked(
        daemon.socket, f"/v1.47/exec/{exec_id}/start", {"Detach": False}, early=b"early"
    )
    client.end_input()

    assert b"early" in client.read_all()
    client.close()


def test_client_that_vanishes_leaves_the_command_running(daemon: Node, box: str) -> None:
    """As Docker does."""
    api = daemon.api().api
    exec_id = api.exec_create(box, ["sh", "-c", "echo up; sleep 60"])["Id"]
    client = Hijacked(daemon.socket, f"/v1.47/exec/{exec_id}/start", {})
    client.read_until(b"up\n")

    client.close()

    assert api.exec_inspect(exec_id)["Running"]


def test_second_start_is_a_conflict(daemon: Node, box: str) -> None:
    """409, no upgrade."""
    exec_id = daemon.api().api.exec_create(box, ["sleep", "60"])["Id"]
    daemon.api().api.exec_start(exec_id, detach=True)

    client = Hijacked(daemon.socket, f"/v1.47/exec/{exec_id}/start", {})

    assert client.status.startswith("HTTP/1.1 409")
    client.close()


def test_top_shows_the_containers_processes_alone(daemon: Node, box: str) -> None:
    """With the columns of `ps`."""
    default = daemon.docker("top", box).stdout.splitlines()
    chosen = daemon.docker("top", box, "-o", "pid,comm").stdout.splitlines()

    assert [line.split()[-2:] for line in default[1:]] == [["sleep", "300"]]
    assert chosen[0].split() == ["PID", "COMMAND"]
    assert [line.split()[1] for line in chosen[1:]] == ["sleep"]


@pytest.mark.parametrize("verb", [["exec", "io-off", "true"], ["top", "io-off"]])
def test_stopped_container_is_a_conflict(daemon: Node, verb: list[str]) -> None:
    """Docker's words."""
    daemon.docker("create", "--name", "io-off", "busybox", "true")

    refused = daemon.docker(*verb, check=False)

    assert refused.returncode == 1
    assert "is not running" in refused.stderr
