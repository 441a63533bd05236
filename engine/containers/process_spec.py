"""What the OCI runtime gets for a container: everything resolved, then built by core/oci_spec."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.errors import Conflict, InvalidArgument
from api.types.containers import HostConfig
from engine.containers.device_requests import add_requested_devices
from engine.containers.env import ContainersEnv
from engine.containers.etc import etc_paths
from engine.containers.links import with_links
from engine.containers.mounts import sources
from engine.containers.record import ContainerRecord
from engine.containers.user_namespace import joined_user_namespace, own_ids
from engine.core.create_checks import joined_container
from engine.core.host_facts import Device
from engine.core.mount_points import MountRecord
from engine.core.oci_limits import block_device_paths
from engine.core.oci_mounts import SpecMount
from engine.core.oci_spec import (
    HOST,
    Namespaces,
    SpecInput,
    build_spec,
    cgroups_path,
    check_cwd,
)
from engine.core.users import User, resolve_user
from engine.networks.sandbox import Sandbox

_SHARED = frozenset({"shared", "rshared"})
_RECURSIVE_READ_ONLY_SINCE = (5, 12)
_SLAVE = frozenset({"slave", "rslave"})


@dataclass(frozen=True, slots=True)
class Rooted:
    """A mounted root, and who the container's user is in it."""

    root: Path
    user: User


async def look_inside(env: ContainersEnv, record: ContainerRecord, root: Path) -> Rooted:
    """Find the user in a mounted root; make the working directory if it is missing.

    Errors:  InvalidArgument (no such user, no such directory).
    """
    cwd = check_cwd(record.config.WorkingDir or "/")
    if cwd != "/":
        await env.host.rootfs.make_directory(root, cwd)
    user = await find_user(env, root, record.config.User, record.host_config.GroupAdd)
    return Rooted(root, user)


async def bundle_spec(
    env: ContainersEnv, record: ContainerRecord, rooted: Rooted, sandbox: Sandbox | None
) -> dict[str, Any]:
    """Return config.json of a container whose root is mounted and whose network is there.

    Errors:  InvalidArgument, NotFound, Conflict (a joined container does not run).
    """
    mounts = await _mounts(env, record)
    spec = build_spec(await spec_input(env, record, rooted, sandbox, mounts))
    await add_requested_devices(env, record, spec)
    return spec


async def find_user(env: ContainersEnv, root: Path, spec: str, group_add: list[str] | None) -> User:
    """Return who "user:group" is in the image. Errors: NoSuchUser, NoSuchGroup, IdOutOfRange."""
    passwd, group = await asyncio.gather(
        env.host.rootfs.read(root, "/etc/passwd"), env.host.rootfs.read(root, "/etc/group")
    )
    return resolve_user(spec, passwd, group, group_add)


async def spec_input(
    env: ContainersEnv,
    record: ContainerRecord,
    rooted: Rooted,
    sandbox: Sandbox | None,
    mounts: list[SpecMount],
) -> SpecInput:
    """Return all that decides a container's configuration. Errors: InvalidArgument, Conflict."""
    host, settings, facts = record.host_config, env.settings.current, env.host.facts.facts()
    parent = host.CgroupParent or settings.cgroup_parent
    is_init = host.Init if isinstance(host.Init, bool) else settings.init
    return SpecInput(
        container_id=record.id,
        config=with_links(env, record),
        host_config=host,
        path=record.path,
        args=record.args,
        rootfs=str(rooted.root),
        user=rooted.user,
        hostname=_hostname(env, record),
        facts=facts,
        namespaces=_namespaces(env, record, sandbox),
        cgroups_path=cgroups_path(parent, record.id, systemd=facts.has_systemd_cgroups),
        own_network=joined_container(host.NetworkMode) is None and sandbox is not None,
        mounts=mounts,
        files=etc_paths(env, record),
        shm_source=_shm_source(env, record),
        shm_size=settings.default_shm_size,
        host_devices=await env.host.facts.devices() if host.Privileged else (),
        devices=[
            (each, await env.host.facts.device(each.PathOnHost)) for each in host.Devices or []
        ],
        block_devices=await block_devices(env, record.host_config),
        init_path=_init_path(env) if is_init else "",
        default_ulimits=settings.default_ulimits,
        no_new_privileges=settings.no_new_privileges,
        seccomp_profile=_seccomp_profile(env),
        ids=own_ids(env, record),
    )


def _hostname(env: ContainersEnv, record: ContainerRecord) -> str:
    ref = joined_container(record.host_config.NetworkMode)
    if record.config.Hostname or ref is None:
        return record.config.Hostname
    return env.store.resolve(ref).config.Hostname


def _namespaces(env: ContainersEnv, record: ContainerRecord, sandbox: Sandbox | None) -> Namespaces:
    host = record.host_config
    return Namespaces(
        network=HOST if sandbox is None else sandbox.netns_path,
        pid=_joined(env, host.PidMode, "pid"),
        ipc=_joined(env, host.IpcMode, "ipc"),
        uts=HOST if host.UTSMode == "host" else "",
        cgroup=HOST if host.CgroupnsMode == "host" else "",
        user=_user_namespace(env, record, sandbox),
    )


def _user_namespace(env: ContainersEnv, record: ContainerRecord, sandbox: Sandbox | None) -> str:
    if own_ids(env, record) is None:
        return HOST
    joined = joined_user_namespace(env, record)
    if joined or sandbox is None:
        return joined or HOST
    return sandbox.userns_path


def _joined(env: ContainersEnv, mode: str, kind: str) -> str:
    """Return the namespace of a mode: the host's, another container's, or a new one."""
    ref = joined_container(mode)
    if ref is None:
        return HOST if mode == "host" else ""
    return f"/proc/{_running_pid(env, ref, kind)}/ns/{kind}"


def _running_pid(env: ContainersEnv, ref: str, kind: str) -> int:
    other = env.store.resolve(ref)
    if not other.state.has_process:
        raise Conflict(f"cannot join {kind.upper()} of a non running container: {other.id}")
    if kind == "ipc" and other.host_config.IpcMode not in {"shareable", "host"}:
        raise Conflict(
            f"can't join IPC of container {other.id}: non-shareable IPC "
            "(hint: use IpcMode:shareable for the donor container)"
        )
    return other.state.pid


def _shm_source(env: ContainersEnv, record: ContainerRecord) -> str:
    """Return the host directory of a /dev/shm that containers share, "" for one of its own."""
    if record.host_config.IpcMode == "shareable":
        return str(env.host.files.shm(record.id))
    ref = joined_container(record.host_config.IpcMode)
    if ref is None or env.store.resolve(ref).host_config.IpcMode == "host":
        return ""
    return str(env.host.files.shm(env.store.resolve(ref).id))


async def _mounts(env: ContainersEnv, record: ContainerRecord) -> list[SpecMount]:
    found = await sources(env, record)
    for mount in record.mounts:
        if mount.kind == "bind" and mount.propagation in _SHARED | _SLAVE:
            await _check_propagation(env, mount)
    has_deep = env.host.facts.facts().kernel >= _RECURSIVE_READ_ONLY_SINCE
    return [_spec_mount(mount, found, has_deep=has_deep) for mount in record.mounts]


def _spec_mount(mount: MountRecord, found: Mapping[str, str], *, has_deep: bool) -> SpecMount:
    if mount.deep_read_only and not has_deep:
        raise InvalidArgument(
            "rro is not supported: recursively read-only mounts need kernel 5.12 or newer"
        )
    return SpecMount(
        destination=mount.destination,
        source=found.get(mount.destination, ""),
        read_only=mount.read_only,
        is_deep=has_deep and not mount.shallow_read_only,
        non_recursive=mount.non_recursive,
        propagation=mount.propagation or "rprivate",
        options=mount.options,
    )


async def _check_propagation(env: ContainersEnv, mount: MountRecord) -> None:
    now = await env.host.facts.propagation(mount.source)
    if mount.propagation in _SHARED and now != "shared":
        raise InvalidArgument(f"path {mount.source} is mounted on a mount that is not shared")
    if mount.propagation in _SLAVE and now not in {"shared", "slave"}:
        raise InvalidArgument(
            f"path {mount.source} is mounted on a mount that is not a shared or slave mount"
        )


async def block_devices(env: ContainersEnv, host: HostConfig) -> dict[str, Device]:
    """Return the devices that the block limits name, by path. Errors: InvalidArgument."""
    found = {}
    for path in block_device_paths(host):
        devices = await env.host.facts.device(path)
        if not devices:
            raise InvalidArgument(f"no such block device: {path}")
        found[path] = devices[0]
    return found


def _init_path(env: ContainersEnv) -> str:
    path = env.settings.current.init_path or env.host.files.init_program()
    if not path:
        raise InvalidArgument(
            "no init program was found: install catatonit or tini, or set init-path"
        )
    return path


def _seccomp_profile(env: ContainersEnv) -> str:
    chosen = env.settings.current.seccomp_profile
    if chosen in {"", "builtin", "unconfined"}:
        return "" if chosen == "builtin" else chosen
    text = env.host.files.text(Path(chosen))
    if not text:
        raise InvalidArgument(f"opening seccomp profile ({chosen}) failed")
    return text
