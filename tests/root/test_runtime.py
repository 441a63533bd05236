"""Real processes: runc under conmon, as the engine's ports promise."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from api.types.containers import ContainerConfig, HostConfig
from engine.adapters.bundles import BundleDirectories
from engine.adapters.conmon import Conmon
from engine.adapters.conmon_stream import ConmonStream
from engine.adapters.hostfacts import read_facts
from engine.adapters.runc import Runc
from engine.core.errors import RuntimeFailed
from engine.core.oci_spec import Namespaces, SpecInput, build_exec_process, build_spec
from engine.core.users import User
from engine.ports.runtime import ExecOrder, Monitored, MonitorOrder
from engine.settings import LiveSettings, RuntimeBinary, Settings
from tests.root.node import PATIENCE

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="containers need root"),
    pytest.mark.skipif(shutil.which("runc") is None, reason="runc is not installed"),
    pytest.mark.skipif(shutil.which("conmon") is None, reason="conmon is not installed"),
    pytest.mark.skipif(not Path("/bin/busybox").exists(), reason="busybox is not installed"),
]
RUNC = RuntimeBinary("runc")
ROOT = User(0, 0, (0,))
_WAIT_S = 20.0 * PATIENCE
_APPLETS = "sh cat true sleep echo head yes stty ls env id wc dd seq kill tail".split()  # noqa: SIM905  (a command line's words)


class Box:
    """Containers over one busybox tree, all removed at the end."""

    def __init__(self, directory: Path) -> None:
        settings = LiveSettings(Settings(exec_root=directory / "run"))
        self.directory = directory
        self.monitor = Conmon(settings)
        self.runtime = Runc(settings)
        self.bundles = BundleDirectories(settings)
        self.facts = read_facts()
        self.inputs: dict[str, SpecInput] = {}
        self.rootfs = directory / "rootfs"
        for each in ("bin", "proc", "sys", "dev", "etc", "tmp"):
            (self.rootfs / each).mkdir(parents=True)
        shutil.copy("/bin/busybox", self.rootfs / "bin/busybox")
        for applet in _APPLETS:
            (self.rootfs / "bin" / applet).symlink_to("busybox")

    def id_of(self, name: str) -> str:
        """Return an id that no other test run uses."""
        return f"e{os.getpid()}-{name}"

    async def create(
        self,
        name: str,
        command: Sequence[str],
        *,
        host: HostConfig | None = None,
        config: ContainerConfig | None = None,
    ) -> Monitored:
        """Create a container up to its start."""
        container_id = self.id_of(name)
        config = config or ContainerConfig()
        given = SpecInput(
            container_id=container_id,
            config=config,
            host_config=host or HostConfig(),
            path=command[0],
            args=command[1:],
            rootfs=str(self.rootfs),
            user=ROOT,
            hostname="box",
            facts=self.facts,
            namespaces=Namespaces(cgroup="" if self.facts.cgroup_version == 2 else "host"),
            cgroups_path=f"/skep-test-e/{container_id}",
        )
        self.inputs[container_id] = given
        bundle = await self.bundles.write(container_id, build_spec(given))
        order = MonitorOrder(
            container_id=container_id,
            bundle=bundle,
            runtime=RUNC,
            log_path=bundle / "log",
            tty=config.Tty,
            stdin=config.OpenStdin,
            leave_stdin_open=config.OpenStdin and not config.StdinOnce,
        )
        return await self.monitor.create(order)

    async def start(self, name: str) -> None:
        """Let it run."""
        await self.runtime.start(RUNC, self.id_of(name))

    async def run(self, name: str, command: Sequence[str], **more: Any) -> tuple[int | None, str]:
        """Run to the end; return exit code and the log's text without its prefixes."""
        monitored = await self.create(name, command, **more)
        await self.start(name)
        seen = await asyncio.wait_for(self.monitor.wait(monitored), _WAIT_S)
        return seen.exit_code, self.log(name)

    def log(self, name: str) -> str:
        """Return what was logged, without times and stream names."""
        lines = (self.bundles.directory(self.id_of(name)) / "log").read_text().splitlines()
        return "\n".join(line.split(" ", 3)[3] for line in lines)

    async def exec(
        self, name: str, command: Sequence[str], *, tty: bool = False, stdin: bool = False
    ) -> tuple[Monitored, ConmonStream]:
        """Run a command in a container."""
        container_id = self.id_of(name)
        process = build_exec_process(
            container=self.inputs[container_id], command=command, user=ROOT, tty=tty
        )
        directory = await self.bundles.write_exec(container_id, "x1", process)
        order = ExecOrder(
            container_id=container_id,
            exec_id="x1",
            directory=directory,
            runtime=RUNC,
            tty=tty,
            stdin=stdin,
        )
        return await self.monitor.exec(order)

    async def clean(self) -> None:
        """Remove all containers, running or not."""
        for container_id in await self.runtime.known() | await self.bundles.known():
            await self.runtime.delete(RUNC, container_id)
            await self.bundles.remove(container_id)
        for place in cgroups("skep-test-e"):
            with contextlib.suppress(OSError):
                os.rmdir(place)


def cgroups(path: str) -> list[Path]:
    """Return the directories of a group, one per hierarchy (version 1) or one (version 2)."""
    mount = Path("/sys/fs/cgroup")
    return [*mount.glob(path), *mount.glob(f"*/{path}")]


def runc_changed_ns() -> int:
    """Return when the host's runtime was changed last."""
    return Path(shutil.which("runc") or "").stat().st_mtime_ns


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    """Lend a tree to run in, and the adapters."""
    made = Box(tmp_path)
    try:
        yield made
    finally:
        await made.clean()


async def drain(stream: ConmonStream) -> dict[int, bytes]:
    """Read a stream to its end; return the bytes by stream number."""
    got: dict[int, bytes] = {}
    async with asyncio.timeout(_WAIT_S):
        while (chunk := await stream.read()) is not None:
            got[chunk[0]] = got.get(chunk[0], b"") + chunk[1]
    return got


async def read_until(stream: ConmonStream, mark: bytes) -> bytes:
    """Read until the text was seen."""
    got = b""
    async with asyncio.timeout(_WAIT_S):
        while mark not in got:
            chunk = await stream.read()
            assert chunk is not None, got
            got += chunk[1]
    return got


@pytest.mark.parametrize("code", [0, 1, 42, 255])
async def test_exit_code_is_the_processs_own(box: Box, code: int) -> None:
    assert await box.run("code", ["sh", "-c", f"exit {code}"]) == (code, "")


async def test_death_by_signal_counts_128_more(box: Box) -> None:
    monitored = await box.create("killed", ["sleep", "100"])
    await box.start("killed")
    box.runtime.signal(monitored.pid, signal.SIGKILL)

    seen = await asyncio.wait_for(box.monitor.wait(monitored), _WAIT_S)

    assert seen.exit_code == 137


@pytest.mark.parametrize(("command", "code"), [("nosuch", 127), ("/etc", 126), ("/nosuch", 127)])
async def test_command_that_cannot_run_is_told_with_its_code(
    box: Box, command: str, code: int
) -> None:
    with pytest.raises(RuntimeFailed, match="OCI runtime create failed: runc create failed") as e:
        await box.create("bad", [command])

    assert e.value.exit_code == code
    assert "unable to start container process" in e.value.message


async def test_output_is_logged_whole(box: Box) -> None:
    code, text = await box.run("lines", ["seq", "1", "1000"])

    assert (code, text.split()) == (0, [str(n) for n in range(1, 1001)])


async def test_attached_before_start_sees_both_streams_from_the_first_byte(box: Box) -> None:
    monitored = await box.create("att", ["sh", "-c", "echo out; echo err >&2"])
    stream = await box.monitor.attach(monitored.directory)

    await box.start("att")

    assert await drain(stream) == {1: b"out\n", 2: b"err\n"}
    stream.close()


async def test_end_of_stdin_reaches_the_process(box: Box) -> None:
    config = ContainerConfig(OpenStdin=True, StdinOnce=True)
    monitored = await box.create("cat", ["wc", "-c"], config=config)
    stream = await box.monitor.attach(monitored.directory)
    await box.start("cat")

    reading = asyncio.create_task(drain(stream))
    await stream.write(b"x" * 1_000_000)
    stream.write_eof()

    assert (await reading)[1].strip() == b"1000000"
    stream.close()


async def test_terminal_takes_its_size(box: Box) -> None:
    config = ContainerConfig(Tty=True, OpenStdin=True)
    monitored = await box.create("tty", ["sh"], config=config)
    stream = await box.monitor.attach(monitored.directory)
    await box.start("tty")

    box.monitor.resize(monitored.directory, 33, 77)
    await stream.write(b"while [ \"$(stty size)\" != '33 77' ]; do :; done; echo si''zed\n")
    await read_until(stream, b"sized")
    await stream.write(b"exit 5\n")

    seen = await asyncio.wait_for(box.monitor.wait(monitored), _WAIT_S)
    assert seen.exit_code == 5
    stream.close()


async def test_exec_runs_beside_the_process(box: Box) -> None:
    await box.create("host", ["sleep", "100"])
    await box.start("host")

    monitored, stream = await box.exec("host", ["sh", "-c", "echo in; echo er >&2; exit 9"])

    assert await drain(stream) == {1: b"in\n", 2: b"er\n"}
    seen = await asyncio.wait_for(box.monitor.wait(monitored), _WAIT_S)
    assert seen.exit_code == 9
    stream.close()


async def test_exec_reads_stdin_to_its_end(box: Box) -> None:
    await box.create("host", ["sleep", "100"])
    await box.start("host")

    monitored, stream = await box.exec("host", ["cat"], stdin=True)
    await stream.write(b"ping\n")
    await read_until(stream, b"ping\n")
    stream.write_eof()

    assert (await asyncio.wait_for(box.monitor.wait(monitored), _WAIT_S)).exit_code == 0
    stream.close()


async def test_exec_on_a_terminal(box: Box) -> None:
    await box.create("host", ["sleep", "100"])
    await box.start("host")

    monitored, stream = await box.exec(
        "host", ["sh", "-c", "test -t 0 && echo tty; exit 3"], tty=True
    )

    assert b"tty" in await read_until(stream, b"\r\n")
    assert (await asyncio.wait_for(box.monitor.wait(monitored), _WAIT_S)).exit_code == 3
    stream.close()


@pytest.mark.parametrize(("command", "code"), [("nosuch", 127), ("/etc", 126)])
async def test_exec_that_cannot_run_is_told_in_dockers_words(
    box: Box, command: str, code: int
) -> None:
    await box.create("host", ["sleep", "100"])
    await box.start("host")

    with pytest.raises(RuntimeFailed) as e:
        await box.exec("host", [command])

    assert e.value.exit_code == code
    assert e.value.message.startswith("OCI runtime exec failed: exec failed: unable to start ")
    assert f'container process: exec: "{command}"' in e.value.message


async def test_sleeping_reader_loses_nothing_and_hides_no_exit(box: Box) -> None:
    size = 8 << 20
    monitored = await box.create("slow", ["sh", "-c", f"yes 0123456 | head -c {size}"])
    stream = await box.monitor.attach(monitored.directory)
    await box.start("slow")

    first = await stream.read()  # and then nobody reads until the process has ended or waits
    assert first is not None
    box.monitor.reopen_log(monitored.directory)
    rest = await drain(stream)

    assert len(first[1]) + len(rest[1]) == size
    assert (await asyncio.wait_for(box.monitor.wait(monitored), _WAIT_S)).exit_code == 0
    stream.close()


async def test_exit_is_seen_while_a_reader_sleeps(box: Box) -> None:
    monitored = await box.create("stuck", ["sh", "-c", "yes"])
    stream = await box.monitor.attach(monitored.directory)
    await box.start("stuck")
    assert await stream.read() is not None

    box.runtime.signal(monitored.pid, signal.SIGKILL)

    seen = await asyncio.wait_for(box.monitor.wait(monitored), _WAIT_S)
    assert seen.exit_code == 137
    stream.close()


async def test_a_monitor_works_in_its_own_directory(box: Box) -> None:
    monitored = await box.create("cwd", ["true"])

    works_in = os.readlink(f"/proc/{monitored.monitor_pid}/cwd")

    assert works_in == str(monitored.directory)


async def test_too_much_memory_is_told_as_oom(box: Box) -> None:
    host = HostConfig(Memory=8 << 20, MemorySwap=8 << 20)
    monitored = await box.create("oom", ["tail", "/dev/zero"], host=host)
    await box.start("oom")

    seen = await asyncio.wait_for(box.monitor.wait(monitored), _WAIT_S)

    assert (seen.exit_code, seen.oom_killed) == (137, True)


async def test_delete_leaves_no_state_and_no_cgroup(box: Box) -> None:
    await box.run("gone", ["true"])

    await box.runtime.delete(RUNC, box.id_of("gone"))

    assert box.id_of("gone") not in await box.runtime.known()
    assert cgroups(f"skep-test-e/{box.id_of('gone')}") == []


async def test_delete_kills_what_still_runs(box: Box) -> None:
    monitored = await box.create("alive", ["sleep", "100"])
    await box.start("alive")

    await box.runtime.delete(RUNC, box.id_of("alive"))

    assert (await asyncio.wait_for(box.monitor.wait(monitored), _WAIT_S)).exit_code == 137


async def test_frozen_process_goes_on_after_resume(box: Box) -> None:
    config = ContainerConfig(OpenStdin=True, StdinOnce=True)
    monitored = await box.create("ice", ["cat"], config=config)
    stream = await box.monitor.attach(monitored.directory)
    await box.start("ice")

    await box.runtime.pause(RUNC, box.id_of("ice"))
    await stream.write(b"late\n")
    await box.runtime.resume(RUNC, box.id_of("ice"))

    assert b"late\n" in await read_until(stream, b"late\n")
    stream.close()


async def test_many_may_wait_for_one_exit(box: Box) -> None:
    monitored = await box.create("many", ["sh", "-c", "exit 4"])
    waits = [asyncio.create_task(box.monitor.wait(monitored)) for _ in range(20)]
    await box.start("many")

    seen = await asyncio.wait_for(asyncio.gather(*waits), _WAIT_S)

    assert {each.exit_code for each in seen} == {4}


_CREATOR = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.root.test_runtime import Box
from api.types.containers import ContainerConfig
async def main() -> None:
    box = Box.__new__(Box)
    Box.__init__(box, Path(sys.argv[1]))
    config = ContainerConfig(OpenStdin=True)
    await box.create("kept", ["sh", "-c", "read line; echo got $line; exit 6"], config=config)
    await box.start("kept")
    print(box.id_of("kept"), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


async def test_killing_the_daemon_leaves_the_container_adoptable(tmp_path: Path) -> None:
    made = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", _CREATOR, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    container_id = made.stdout.strip()
    assert made.returncode == -signal.SIGKILL, made.stderr
    settings = LiveSettings(Settings(exec_root=tmp_path / "run"))
    monitor, bundles, runtime = Conmon(settings), BundleDirectories(settings), Runc(settings)
    try:
        monitored = monitor.adopt(bundles.directory(container_id))
        assert monitored is not None
        assert monitor.last_exit(monitored.directory) is None
        stream = await monitor.attach(monitored.directory)
        await stream.write(b"again\n")
        assert (await drain(stream))[1] == b"got again\n"
        seen = await asyncio.wait_for(monitor.wait(monitored), _WAIT_S)
        assert seen.exit_code == 6
        assert monitor.last_exit(monitored.directory) == seen
        assert monitor.adopt(monitored.directory) is None
        stream.close()
    finally:
        await runtime.delete(RUNC, container_id)


async def test_fresh_container_has_only_its_three_descriptors(box: Box) -> None:
    """CVE-2024-21626: a leaked descriptor of the host would lead out of the container."""
    _, text = await box.run("fds", ["sh", "-c", "for f in /proc/self/fd/*; do echo $f; done"])

    numbers = {int(line.rsplit("/", 1)[1]) for line in text.split() if line[-1].isdigit()}
    assert numbers <= {0, 1, 2, 3}, text  # 3 is the shell reading its own directory


async def test_rights_are_the_default_ones(box: Box) -> None:
    """CVE-2022-24769: nothing inheritable, no ambient capability, exact groups, a filter."""
    _, text = await box.run("caps", ["cat", "/proc/self/status"])

    status = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    shown = {name: status[name].strip() for name in ("CapInh", "CapAmb", "Groups", "Seccomp")}
    assert shown == {
        "CapInh": "0" * 16,
        "CapAmb": "0" * 16,
        "Groups": "0",
        "Seccomp": "2",
    }
    assert status["CapBnd"].strip() == status["CapEff"].strip() == "00000000a80425fb"


async def test_default_masks_hide_and_protect_what_they_name(box: Box) -> None:
    script = "wc -c </proc/keys; echo 1 >/proc/sys/kernel/panic || echo protected; ls /sys/firmware"
    _, text = await box.run("masks", ["sh", "-c", script])

    assert text.split()[0] == "0"
    assert "protected" in text


async def test_process_of_the_image_cannot_be_the_runtime_itself(box: Box) -> None:
    """CVE-2019-5736: an entry point of /proc/self/exe must not reach the host's program."""
    before = runc_changed_ns()

    with contextlib.suppress(RuntimeFailed):
        code, _ = await box.run("self", ["/proc/self/exe", "--version"])
        assert code != 0

    assert before == runc_changed_ns()


@pytest.mark.parametrize("link", ["dev", "proc", "sys"])
async def test_image_with_a_link_for_a_system_directory_stays_inside(box: Box, link: str) -> None:
    """CVE-2026-41579: a link in the place of /dev must not lead a mount to the host."""
    outside = box.directory / "outside"
    outside.mkdir()
    (box.rootfs / link).rmdir()
    (box.rootfs / link).symlink_to(outside)

    with contextlib.suppress(RuntimeFailed):
        await box.run("link", ["true"])

    assert list(outside.iterdir()) == []
