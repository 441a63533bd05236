"""Facts of the machine, read once from the kernel and from the programs that we run."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import uuid
from dataclasses import replace
from pathlib import Path

import structlog

from api.errors import Internal
from engine.core.tool_version import parse_version
from engine.ports.host import Limits, Machine, ToolVersion
from engine.settings import LiveSettings

log = structlog.get_logger(__name__)

_VERSION_TIMEOUT_S = 5.0
_PLATFORMS = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm",
    "armv6l": "arm",
    "i686": "386",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
    "riscv64": "riscv64",
}
_CGROUP = Path("/sys/fs/cgroup")
_INITS = ("docker-init", "tini", "catatonit")
# As users of the reference know it: ext2, ext3 and ext4 go by one name.
_FILESYSTEMS = {"ext2": "extfs", "ext3": "extfs", "ext4": "extfs"}


class HostInfo:
    """Fulfils `Host`."""

    def __init__(self, settings: LiveSettings) -> None:
        self._settings = settings
        self._machine: asyncio.Task[Machine] | None = None
        self._gathered_for = ""

    async def machine(self) -> Machine:
        """Return the facts; gathered once, and again when a reload chose another runtime.

        All who ask meanwhile wait for one gathering; one that failed is tried again.
        """
        runtime = self._settings.current.default_runtime
        if self._machine is None or self._gathered_for != runtime or _has_failed(self._machine):
            self._gathered_for = runtime
            self._machine = asyncio.create_task(self._gather(), name="host.machine")
        return await asyncio.shield(self._machine)

    def hostname(self) -> str:
        """Return the host's name now."""
        return os.uname().nodename

    def is_forwarding(self) -> bool:
        """Tell whether the kernel forwards IPv4 now."""
        return _read(Path("/proc/sys/net/ipv4/ip_forward")) == "1"

    def open_files(self) -> int:
        """Return how many descriptors this process has open."""
        return len(os.listdir("/proc/self/fd"))

    async def _gather(self) -> Machine:
        settings = self._settings.current
        runtime = settings.runtimes.get(settings.default_runtime)
        init_path = settings.init_path or next(filter(None, map(shutil.which, _INITS)), "")
        runtime_version, monitor_version, init_version, facts = await asyncio.gather(
            _version_of(runtime.path if runtime else ""),
            _version_of(settings.monitor_path),
            _version_of(init_path),
            asyncio.to_thread(_kernel_facts, settings.data_root),
        )
        return replace(
            facts,
            runtime=runtime_version,
            monitor=monitor_version,
            init=init_version,
            init_path=init_path,
        )


def _has_failed(gathering: asyncio.Task[Machine]) -> bool:
    return gathering.done() and (gathering.cancelled() or gathering.exception() is not None)


def _kernel_facts(data_root: Path) -> Machine:
    release = _os_release()
    system = os.uname()
    unified = (_CGROUP / "cgroup.controllers").exists()
    return Machine(
        engine_id=_engine_id(data_root / "engine-id"),
        kernel=system.release,
        operating_system=release.get("PRETTY_NAME", "Linux"),
        os_version=release.get("VERSION_ID", ""),
        architecture=system.machine,
        platform=_PLATFORMS.get(system.machine, system.machine),
        cpus=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        backing_filesystem=_filesystem(data_root),
        cgroup_version=2 if unified else 1,
        limits=_limits_v2() if unified else _limits_v1(),
        python=platform.python_version(),
        revision=_revision(Path(__file__).parents[2] / ".git"),
    )


def _limits_v2() -> Limits:
    controllers = set(_read(_CGROUP / "cgroup.controllers").split())
    # The root group has no memory.swap.max, but every group below it has, if swap is accounted.
    has_swap = any(_CGROUP.glob("*/memory.swap.max"))
    return Limits(
        memory="memory" in controllers,
        swap="memory" in controllers and has_swap,
        oom_kill_disable=False,
        cpu_shares="cpu" in controllers,
        cpu_quota="cpu" in controllers,
        cpuset="cpuset" in controllers,
        pids="pids" in controllers,
    )


def _limits_v1() -> Limits:
    memory = _CGROUP / "memory"
    return Limits(
        memory=(memory / "memory.limit_in_bytes").exists(),
        swap=(memory / "memory.memsw.limit_in_bytes").exists(),
        oom_kill_disable=(memory / "memory.oom_control").exists(),
        cpu_shares=(_CGROUP / "cpu/cpu.shares").exists(),
        cpu_quota=(_CGROUP / "cpu/cpu.cfs_quota_us").exists(),
        cpuset=(_CGROUP / "cpuset/cpuset.cpus").exists(),
        pids=(_CGROUP / "pids").is_dir(),
    )


def _engine_id(path: Path) -> str:
    """Return this engine's identity, drawn at the first start and kept in the data root."""
    stored = _read(path)
    if stored:
        return stored
    fresh = str(uuid.uuid4())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(".engine-id")
        temporary.write_text(fresh, encoding="ascii")
        temporary.chmod(0o600)
        temporary.rename(path)
    except OSError as error:
        raise Internal(f"cannot keep the engine's identity in {path}: {error}") from error
    return fresh


def _os_release() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def _filesystem(path: Path) -> str:
    """Return the type of the file system under the path: the mount with the longest prefix."""
    best, kind = "", "<unknown>"
    resolved = f"{path.resolve()}/"
    for line in _read(Path("/proc/self/mountinfo")).splitlines():
        left, _, right = line.partition(" - ")
        point = left.split(" ")[4].rstrip("/") + "/"
        if resolved.startswith(point) and len(point) >= len(best):
            best, kind = point, right.split(" ")[0]
    return _FILESYSTEMS.get(kind, kind)


def _revision(git: Path) -> str:
    """Return the source revision of a checkout, "" for an installed package."""
    head = _read(git / "HEAD")
    if head.startswith("ref: "):
        head = _read(git / head.removeprefix("ref: "))
    return head[:7]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


async def _version_of(program: str) -> ToolVersion:
    """Ask a program for its version; empty words where it is missing or does not answer."""
    if not program:
        return ToolVersion()
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            "--version",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        log.warning("host.program_missing", program=program, reason=error.strerror)
        return ToolVersion()
    try:
        async with asyncio.timeout(_VERSION_TIMEOUT_S):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return ToolVersion()
    version, commit = parse_version(output.decode("utf-8", "replace"))
    return ToolVersion(version=version, commit=commit)
