"""What a person does with the docker command, end to end."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.root.node import Node, wait_until
from tests.root.terminal import Terminal


def test_run_prints_the_output_and_keeps_the_exit_code(daemon: Node) -> None:
    """The first thing anybody tries."""
    done = daemon.docker("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 3",
                         check=False)  # fmt: skip

    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")


@pytest.mark.parametrize(
    ("command", "code"),
    [("/nosuch", 127), ("/etc/passwd", 126), ("/etc", 126)],
)
def test_run_of_what_cannot_run_gives_dockers_exit_codes(
    daemon: Node, command: str, code: int
) -> None:
    """126 and 127 tell scripts what went wrong, and no container is left behind by --rm."""
    done = daemon.docker("run", "--rm", "busybox", command, check=False)

    assert code == done.returncode, done.stderr
    assert daemon.docker("ps", "-aq").stdout == ""


def test_interactive_shell_on_a_terminal_follows_its_size(daemon: Node) -> None:
    """Run -it: a prompt, a window size, a resize, an exit code."""
    terminal = Terminal(
        ["docker", "-H", daemon.url, "run", "--rm", "-it", "busybox", "sh"], rows=30, columns=100
    )
    terminal.wait_for("# ")
    terminal.type("stty size\r")
    terminal.wait_for("30 100")
    terminal.resize(40, 120)
    terminal.wait_for("# ")

    def resized() -> bool:
        terminal.type("stty size\r")
        terminal.wait_for("# ")
        terminal.type("stty size | sed s/^/size=/\r")
        terminal.wait_for("size=")
        terminal.wait_for("# ")
        return True

    assert resized()
    terminal.type("stty size | grep -q '40 120' && echo is-resized\r")
    terminal.wait_for("is-resized")
    terminal.type("exit 7\r")

    assert terminal.finish() == 7


def test_stdin_reaches_the_container_and_ends(daemon: Node) -> None:
    """`docker run -i` in a pipe: half-close ends cat, every byte comes back."""
    data = b"0123456789abcdef" * 65536

    done = subprocess.run(
        ["docker", "-H", daemon.url, "run", "--rm", "-i", "busybox", "cat"],
        input=data, capture_output=True, timeout=60, check=True,
    )  # fmt: skip

    assert data == done.stdout


def test_logs_follow_a_detached_container(daemon: Node) -> None:
    """Run -d, then logs -f until it ends."""
    script = "for i in 1 2 3 4 5; do echo line $i; usleep 50000; done"
    ref = daemon.docker("run", "-d", "busybox", "sh", "-c", script).stdout.strip()

    followed = daemon.docker("logs", "-f", ref).stdout

    assert [f"line {i}" for i in range(1, 6)] == followed.splitlines()
    assert daemon.docker("logs", "--tail", "1", ref).stdout == "line 5\n"
    assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z line 1", daemon.docker("logs", "-t", ref).stdout)


def test_exec_on_a_terminal(daemon: Node) -> None:
    """Exec -it in a running container, as people debug."""
    ref = daemon.docker("run", "-d", "busybox", "sleep", "1000").stdout.strip()
    terminal = Terminal(["docker", "-H", daemon.url, "exec", "-it", ref, "sh"])
    terminal.wait_for("# ")
    terminal.type("echo $((6*7))\r")
    terminal.wait_for("42")
    terminal.type("exit 5\r")

    assert terminal.finish() == 5


def test_exec_gives_user_directory_environment_and_exit_code(daemon: Node) -> None:
    """Exec's options reach the process."""
    ref = daemon.docker("run", "-d", "busybox", "sleep", "1000").stdout.strip()

    done = daemon.docker("exec", "-u", "www", "-w", "/tmp", "-e", "A=b", ref, "sh", "-c",
                         "id -un; pwd; echo $A; exit 9", check=False)  # fmt: skip

    assert (done.returncode, done.stdout) == (9, "www\n/tmp\nb\n")


def test_exec_of_a_missing_command_is_127(daemon: Node) -> None:
    """The exit code that shells use."""
    ref = daemon.docker("run", "-d", "busybox", "sleep", "1000").stdout.strip()

    done = daemon.docker("exec", ref, "/nosuch", check=False)

    assert done.returncode == 127
    assert "no such file or directory" in done.stderr + done.stdout


def test_host_directory_is_mounted_and_read_only_is_obeyed(daemon: Node, tmp_path: Path) -> None:
    """-v with a host path."""
    (tmp_path / "in").write_text("hello")

    shown = daemon.docker("run", "--rm", "-v", f"{tmp_path}:/data", "busybox", "sh", "-c",
                          "cat /data/in; echo back > /data/out").stdout  # fmt: skip
    refused = daemon.docker("run", "--rm", "-v", f"{tmp_path}:/data:ro", "busybox", "touch",
                            "/data/x", check=False)  # fmt: skip

    assert shown == "hello"
    assert (tmp_path / "out").read_text() == "back\n"
    assert refused.returncode == 1
    assert "Read-only file system" in refused.stderr


def test_named_volume_outlives_its_containers(daemon: Node) -> None:
    """-v name:/path keeps data; an anonymous volume goes with --rm."""
    daemon.docker("run", "--rm", "-v", "kept:/v", "busybox", "sh", "-c", "echo data > /v/f")
    shown = daemon.docker("run", "--rm", "-v", "kept:/v", "-v", "/anonymous", "busybox", "cat",
                          "/v/f").stdout  # fmt: skip
    volumes = daemon.docker("volume", "ls", "-q").stdout.split()
    daemon.docker("volume", "rm", "kept")

    assert shown == "data\n"
    assert volumes == ["kept"]


def _published(daemon: Node, ref: str) -> str:
    return daemon.docker("port", ref, "80/tcp").stdout.splitlines()[0].rsplit(":", 1)[1]


def test_published_port_answers_on_loopback(daemon: Node) -> None:
    """-p and curl."""
    script = "mkdir /www; echo it works > /www/index.html; httpd -f -p 80 -h /www"
    ref = daemon.docker("run", "-d", "-p", "127.0.0.1::80", "busybox", "sh", "-c",
                        script).stdout.strip()  # fmt: skip
    url = f"http://127.0.0.1:{_published(daemon, ref)}/"

    def answers() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return bool(answer.read() == b"it works\n")
        except OSError:
            return False

    wait_until(answers, f"{url} to answer")


def test_memory_limit_kills_and_says_so(daemon: Node) -> None:
    """--memory: OOM is seen, 137 is the exit code."""
    done = daemon.docker("run", "--name", "hungry", "-m", "16m", "busybox", "sh", "-c",
                         "x=x; while true; do x=$x$x; done", check=False)  # fmt: skip
    state = daemon.inspect("hungry")["State"]

    assert isinstance(state, dict)
    assert (done.returncode, state["ExitCode"], state["OOMKilled"]) == (137, 137, True)


def test_restart_policy_counts_and_stops(daemon: Node) -> None:
    """on-failure:2 starts it three times in all."""
    daemon.docker("run", "-d", "--name", "again", "--restart", "on-failure:2", "busybox", "sh",
                  "-c", "echo try; exit 1")  # fmt: skip

    def gave_up() -> bool:
        found = daemon.inspect("again")
        state = found["State"]
        assert isinstance(state, dict)
        return found["RestartCount"] == 2 and state["Status"] == "exited"

    wait_until(gave_up, "the policy to give up")

    assert daemon.docker("logs", "again").stdout == "try\n" * 3


def test_init_reaps_and_read_only_root_refuses_writes(daemon: Node) -> None:
    """--init puts an init first; --read-only leaves /tmp mounts writable."""
    done = daemon.docker("run", "--rm", "--init", "--read-only", "--tmpfs", "/tmp", "busybox",
                         "sh", "-c", "cat /proc/1/comm; touch /tmp/a && echo tmp; touch /a",
                         check=False)  # fmt: skip

    assert done.returncode == 1
    assert done.stdout.splitlines() == ["docker-init", "tmp"]
    assert "Read-only file system" in done.stderr


def test_user_is_looked_up_in_the_image(daemon: Node) -> None:
    """--user by name, with the groups of the image."""
    shown = daemon.docker("run", "--rm", "-u", "www", "busybox", "id").stdout

    assert shown.strip() == "uid=33(www) gid=33(www) groups=29(audio),33(www)"


def test_stop_kill_and_forced_removal(daemon: Node) -> None:
    """Stop asks first: 143 for a shell that takes TERM, 137 for kill; rm -f takes a running one."""
    trap = "trap 'exit 42' TERM; while true; do usleep 10000; done"
    polite = daemon.docker("run", "-d", "busybox", "sh", "-c", trap).stdout.strip()
    rough = daemon.docker("run", "-d", "busybox", "sleep", "1000").stdout.strip()
    third = daemon.docker("run", "-d", "busybox", "sleep", "1000").stdout.strip()

    daemon.docker("stop", polite)
    daemon.docker("kill", rough)
    refused = daemon.docker("rm", third, check=False)
    daemon.docker("rm", "-f", third)

    assert daemon.docker("inspect", "-f", "{{.State.ExitCode}}", polite).stdout == "42\n"
    assert daemon.docker("inspect", "-f", "{{.State.ExitCode}}", rough).stdout == "137\n"
    assert "container is running" in refused.stderr
    assert "No such" in daemon.docker("inspect", third, check=False).stderr


def test_events_tell_a_container_s_life(daemon: Node) -> None:
    """Every step of run --rm is in the event stream, in order."""
    clock = ("info", "-f", "{{.SystemTime}}")
    since = daemon.docker(*clock).stdout.strip()
    daemon.docker("run", "--rm", "--name", "told", "busybox", "true")
    until = daemon.docker(*clock).stdout.strip()

    lines = daemon.docker("events", "--since", since, "--until", until, "--filter",
                          "container=told", "--format", "{{json .}}").stdout  # fmt: skip
    actions = [json.loads(line)["Action"] for line in lines.splitlines()]

    assert actions == ["create", "attach", "start", "die", "destroy"]


def test_save_and_load_make_the_same_image(daemon: Node, tmp_path: Path) -> None:
    """A round trip through a file keeps the id."""
    archive = tmp_path / "image.tar"
    daemon.docker("tag", "busybox", "round:trip")
    before = daemon.docker("image", "inspect", "-f", "{{.Id}}", "round:trip").stdout
    daemon.docker("save", "-o", str(archive), "round:trip")
    daemon.docker("rmi", "round:trip")

    loaded = daemon.docker("load", "-i", str(archive)).stdout

    assert loaded == "Loaded image: round:trip\n"
    assert before == daemon.docker("image", "inspect", "-f", "{{.Id}}", "round:trip").stdout
    daemon.docker("rmi", "round:trip")


def test_nothing_is_left_when_the_containers_are_gone(daemon: Node) -> None:
    """Mounts, links, namespaces, bundles and roots all go with the last container."""
    daemon.docker("run", "--rm", "-p", "80", "-v", "/anonymous", "busybox", "true")
    daemon.docker("run", "-d", "busybox", "sleep", "1000")
    daemon.remove_containers()
    clean: dict[str, list[str]] = {name: [] for name in daemon.leftovers()}

    wait_until(lambda: daemon.leftovers() == clean, f"{daemon.leftovers()} to go")


def test_host_ipc_shows_the_host_s_shared_memory(daemon: Node) -> None:
    """--ipc host works where the host has no /dev/mqueue mounted, too."""
    shown = daemon.docker("run", "--rm", "--ipc", "host", "busybox", "df", "/dev/shm").stdout

    assert "/dev/shm" in shown


def test_inspect_shows_what_is_hidden_and_unset_limits_as_null(daemon: Node) -> None:
    """Tools compare these fields with what they asked for."""
    daemon.docker("create", "--name", "shown", "busybox")
    host_config = daemon.inspect("shown")["HostConfig"]

    assert isinstance(host_config, dict)
    assert "/proc/kcore" in host_config["MaskedPaths"]
    assert "/proc/sys" in host_config["ReadonlyPaths"]
    assert (None, None) == (host_config["MemorySwappiness"], host_config["PidsLimit"])
