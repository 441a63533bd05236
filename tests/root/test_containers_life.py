"""The life of real containers, as a person and docker-py see it."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.root.node import Node, wait_until

SLEEPER = ("busybox", "sleep", "1000")


def state_of(daemon: Node, ref: str) -> dict[str, object]:
    """Return what inspect shows as State."""
    state = daemon.inspect(ref)["State"]
    assert isinstance(state, dict)
    return state


def test_a_name_is_used_once(daemon: Node) -> None:
    """The words that scripts match on; the failed create leaves nothing."""
    first = daemon.docker("create", "--name", "taken", "busybox").stdout.strip()

    refused = daemon.docker("create", "--name", "taken", "busybox", check=False)

    assert f'The container name "/taken" is already in use by container "{first}"' in refused.stderr
    assert [first] == daemon.docker("ps", "-aq", "--no-trunc").stdout.split()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--name", "../x"), "Invalid container name (../x)"),
        (("-m", "1m"), "Minimum memory limit allowed is 6MB"),
        (("--cpus", "999"), "Range of CPUs is from 0.01 to"),
        (("--cpuset-cpus", "0-4294967295"), "cpus"),
        (("--restart", "sometimes"), "restart policy"),
        (("--mount", "type=bind,src=/no/such/path,dst=/x"), "bind source path does not exist"),
        (("-v", "/etc:/x", "-v", "/usr:/x"), "Duplicate mount point: /x"),
        (("--cap-add", "NOSUCH"), "NOSUCH"),
        (("--security-opt", "nosuch=1"), "security-opt"),
        (("--net", "container:nosuch"), "No such container: nosuch"),
        (("-w", "relative"), "needs to be an absolute path"),
        (("--stop-signal", "NOSUCH"), "invalid signal: NOSUCH"),
        (("--runtime", "nosuch"), "unknown or invalid runtime name: nosuch"),
        (("--log-driver", "nosuch"), "nosuch"),
        (("--log-opt", "nosuch=1"), "unknown log opt 'nosuch'"),
    ],
)
def test_what_is_refused_says_why_and_leaves_nothing(
    daemon: Node, arguments: tuple[str, ...], words: str
) -> None:
    """No container, no volume, no tree."""
    done = daemon.docker("create", *arguments, "-v", "/anonymous", "busybox", check=False)

    assert done.returncode != 0
    assert words in done.stderr
    assert daemon.docker("ps", "-aq").stdout == ""
    assert daemon.docker("volume", "ls", "-q").stdout == ""


@pytest.mark.parametrize("workdir", ["/proc/self/fd/7", "/proc/self/fd/../../self/fd/9"])
def test_a_leaked_descriptor_is_no_working_directory(daemon: Node, workdir: str) -> None:
    """CVE-2024-21626."""
    done = daemon.docker("run", "--rm", "-w", workdir, "busybox", "true", check=False)

    assert done.returncode == 125
    assert daemon.docker("ps", "-aq").stdout == ""


def test_a_fresh_container_has_no_descriptor_but_its_own(daemon: Node) -> None:
    """CVE-2016-9962, CVE-2024-21626: 0, 1, 2 and the one that lists."""
    shown = daemon.docker("run", "--rm", "busybox", "sh", "-c", "ls /proc/self/fd | wc -l").stdout

    assert int(shown) <= 4


def test_wait_tells_each_exit_code(daemon: Node) -> None:
    """`docker wait` on a running and on a stopped container."""
    ref = daemon.docker("run", "-d", "busybox", "sh", "-c", "usleep 200000; exit 7").stdout.strip()

    assert daemon.docker("wait", ref).stdout == "7\n"
    assert daemon.docker("wait", ref).stdout == "7\n"


def test_pause_and_unpause(daemon: Node) -> None:
    """A frozen process makes no progress, a thawed one goes on; ps says so."""
    ref = daemon.docker("run", "-d", *SLEEPER).stdout.strip()

    daemon.docker("pause", ref)
    paused = daemon.docker("ps", "--format", "{{.Status}}").stdout
    refused = daemon.docker("exec", ref, "true", check=False)
    daemon.docker("unpause", ref)

    assert "(Paused)" in paused
    assert "is paused" in refused.stderr
    assert state_of(daemon, ref)["Status"] == "running"


def test_stopping_a_paused_container_ends_it(daemon: Node) -> None:
    """The signal waits until the process is thawed."""
    ref = daemon.docker("run", "-d", *SLEEPER).stdout.strip()
    daemon.docker("pause", ref)

    daemon.docker("stop", "-t", "1", ref)

    assert state_of(daemon, ref)["Status"] == "exited"


def test_rename_and_restart_keep_the_container(daemon: Node) -> None:
    """The id stays, what was written stays."""
    script = "cat /mark; echo x >> /mark; exec sleep 1000"
    ref = daemon.docker("run", "-d", "--name", "before", "busybox", "sh", "-c", script)
    wait_until(
        lambda: daemon.docker("exec", "before", "cat", "/mark", check=False).stdout == "x\n",
        "the first mark",
    )

    daemon.docker("rename", "before", "after")
    daemon.docker("restart", "-t", "0", "after")

    wait_until(lambda: daemon.docker("logs", "after").stdout == "x\n", "the mark to be seen")
    assert ref.stdout.strip() == daemon.inspect("after")["Id"]


def test_list_filters_find_what_they_name(daemon: Node) -> None:
    """The filters that the docker command offers."""
    running = daemon.docker("run", "-d", "--name", "web-1", "-l", "tier=front", *SLEEPER).stdout
    stopped = daemon.docker("create", "--name", "db-1", "-l", "tier=back", "busybox").stdout

    def found(*filters: str) -> list[str]:
        arguments = [word for each in filters for word in ("--filter", each)]
        return daemon.docker("ps", "-aq", "--no-trunc", *arguments).stdout.split()

    assert [running.strip()] == found("name=web")
    assert [stopped.strip()] == found("status=created")
    assert [stopped.strip()] == found("label=tier=back")
    assert [stopped.strip(), running.strip()] == found("ancestor=busybox")
    assert [stopped.strip()] == found("since=web-1")
    assert [running.strip()] == found("before=db-1", "network=bridge")
    assert daemon.docker("ps", "--filter", "nosuch=1", check=False).returncode != 0


def test_volumes_from_and_copy_up(daemon: Node) -> None:
    """A new volume gets the image's content; another container sees the same volume."""
    daemon.docker("create", "--name", "owner", "-v", "/etc", "busybox")
    daemon.docker("start", "owner")

    shown = daemon.docker("run", "--rm", "--volumes-from", "owner:ro", "busybox", "sh", "-c",
                          "grep -c www /etc/passwd; touch /etc/x", check=False)  # fmt: skip
    daemon.docker("rm", "-fv", "owner")

    assert shown.stdout == "1\n"
    assert "Read-only" in shown.stderr
    assert daemon.docker("volume", "ls", "-q").stdout == ""


def test_joined_namespaces_are_shared(daemon: Node) -> None:
    """--net and --pid container:X see the other's hosts, name and processes."""
    ref = daemon.docker("run", "-d", "--name", "base", "--ipc", "shareable", *SLEEPER).stdout

    shown = daemon.docker("run", "--rm", "--net", "container:base", "--pid", "container:base",
                          "--ipc", "container:base", "busybox", "sh", "-c",
                          "hostname; ps | grep -c '[s]leep 1000'; grep -c $(hostname) /etc/hosts",
                          ).stdout  # fmt: skip

    assert [ref[:12], "1", "1"] == shown.split()


def test_prune_removes_the_stopped_only(daemon: Node) -> None:
    """And frees their space."""
    running = daemon.docker("run", "-d", *SLEEPER).stdout.strip()
    stopped = daemon.docker("create", "busybox").stdout.strip()

    shown = daemon.docker("container", "prune", "-f").stdout

    assert stopped in shown
    assert [running] == daemon.docker("ps", "-aq", "--no-trunc").stdout.split()


def test_many_at_once_all_run_and_all_go(daemon: Node) -> None:
    """Parallel starts with ports: each its own, none lost, nothing left."""

    def one(number: int) -> str:
        return daemon.docker("run", "--rm", "-p", "80", "busybox", "echo", str(number)).stdout

    with ThreadPoolExecutor(8) as pool:
        shown = list(pool.map(one, range(16)))

    assert [f"{number}\n" for number in range(16)] == shown
    clean: dict[str, list[str]] = {name: [] for name in daemon.leftovers()}
    wait_until(lambda: daemon.leftovers() == clean, f"{daemon.leftovers()} to go")


def test_a_start_that_fails_leaves_nothing_running(daemon: Node) -> None:
    """A port that is taken: the words, the state, and a later start that works."""
    daemon.docker("run", "-d", "--name", "first", "-p", "127.0.0.1:49152:80", *SLEEPER)

    refused = daemon.docker("run", "--name", "second", "-p", "127.0.0.1:49152:80", *SLEEPER,
                            check=False)  # fmt: skip
    daemon.docker("rm", "-f", "first")
    daemon.docker("start", "second")

    assert refused.returncode == 125
    assert "port is already allocated" in refused.stderr
    assert state_of(daemon, "second")["Running"] is True


def test_inspect_is_what_the_docker_command_understands(daemon: Node) -> None:
    """Every field that its templates read is there."""
    ref = daemon.docker("run", "-d", "-v", "/v", "-p", "80", "-e", "A=b", *SLEEPER).stdout.strip()
    text = daemon.docker(
        "inspect", "-s", "-f",
        "{{.Name}} {{.State.Running}} {{.HostConfig.NetworkMode}} {{.SizeRootFs}} "
        "{{(index .Mounts 0).Destination}} {{index .Config.Env 0}} "
        "{{.NetworkSettings.Networks.bridge.IPAddress}}", ref,
    ).stdout  # fmt: skip

    name, running, mode, size, mount, env, address = text.split()
    assert ("true", "bridge", "/v", "A=b") == (running, mode, mount, env)
    assert name.startswith("/")
    assert int(size) > 0
    assert address.count(".") == 3


def test_auto_remove_during_stop_is_no_error(daemon: Node) -> None:
    """`docker stop` of a --rm container succeeds, and it is gone."""
    ref = daemon.docker("run", "-d", "--rm", *SLEEPER).stdout.strip()

    daemon.docker("stop", "-t", "0", ref)

    wait_until(lambda: daemon.docker("ps", "-aq").stdout == "", "the container to go")


def test_the_listing_over_http_has_the_reference_s_fields(daemon: Node) -> None:
    """Raw JSON, as dashboards read it."""
    daemon.docker("run", "-d", "--name", "shown", "-p", "80", *SLEEPER)
    raw = subprocess.run(
        ["curl", "-s", "--unix-socket", str(daemon.socket), "http://x/v1.43/containers/json"],
        capture_output=True, check=True, timeout=20,
    ).stdout  # fmt: skip

    (row,) = json.loads(raw)
    assert ["/shown"] == row["Names"]
    assert ("running", "sleep 1000") == (row["State"], row["Command"])
    assert {80} == {port["PrivatePort"] for port in row["Ports"]}
    assert "Health" not in row


def test_bind_source_is_made_for_short_syntax(daemon: Node, tmp_path: Path) -> None:
    """-v makes the host directory, as Docker does."""
    daemon.docker("run", "--rm", "-v", f"{tmp_path}/made/deep:/x", "busybox", "touch", "/x/y")

    assert (tmp_path / "made" / "deep" / "y").exists()


def test_a_container_has_the_file_that_tells_that_it_is_one(daemon: Node) -> None:
    """/.dockerenv: empty, not shown as a change, in no commit; gone for good once removed."""
    shown = daemon.docker("run", "--rm", "busybox", "stat", "-c", "%a %u:%g %s", "/.dockerenv")
    daemon.docker("run", "--name", "marked", "busybox", "sh", "-c", "rm /.dockerenv; touch /new")

    assert "755 0:0 0" == shown.stdout.strip()
    assert "A /new\n" == daemon.docker("diff", "marked").stdout
    daemon.docker("start", "-a", "marked")
    exported = b"".join(daemon.api().containers.get("marked").export())  # type: ignore[arg-type]  # bytes, whatever the stubs say
    with tarfile.open(fileobj=io.BytesIO(exported)) as tree:
        assert ".dockerenv" not in tree.getnames()
