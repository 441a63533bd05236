"""Create a container."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import AsyncExitStack

import structlog
from msgspec import convert, to_builtins
from msgspec.structs import replace

from api.errors import Conflict, InvalidArgument, NoSuchContainer, NoSuchImage, SkepError
from api.ids import new_id, short_id
from api.types.containers import (
    ContainerConfig,
    ContainerCreateRequest,
    ContainerCreateResponse,
    HostConfig,
    LogConfig,
)
from api.types.networks import EndpointSettings, NetworkingConfig
from engine.containers.endpoints import by_name
from engine.containers.env import ContainersEnv
from engine.containers.host_checks import check_host, default_cgroupns_mode
from engine.containers.links import check_links
from engine.containers.notify import notify
from engine.containers.record import ContainerRecord
from engine.containers.store import NameInUse
from engine.core import create_checks
from engine.core.container_state import State
from engine.core.merge import command_line, merge
from engine.core.mount_points import (
    MountRecord,
    plan_mounts,
    volumes_from_names,
    with_hidden_files,
)
from engine.core.names import check_name, random_name
from engine.images.record import ImageRecord
from engine.volumes.acquire import acquire
from engine.volumes.create import create as create_volume
from engine.volumes.release import release
from engine.volumes.remove import remove as remove_volume

log = structlog.get_logger(__name__)


async def create(
    env: ContainersEnv,
    request: ContainerCreateRequest,
    name: str = "",
    files: Mapping[str, str] | None = None,
) -> ContainerCreateResponse:
    """Make a container that can be started; all or nothing.

    `files` are files of the host by their paths in the container, read-only and shown to nobody.

    The record is durable before anything is made, and the writable tree is made last: a record
    without a tree is a creation cut short, which the next start of the daemon takes back.
    Errors:  InvalidArgument, NoSuchImage, NameInUse, Internal.
    """
    container_id = new_id()
    async with AsyncExitStack() as undo:
        taken = _take_name(env, name, container_id)
        undo.callback(env.store.release_name, taken, container_id)
        image = env.images.store.resolve(request.Image)
        undo.enter_context(env.images.store.holding([image.id, *image.chain_ids]))
        record, warnings = await _design(env, request, image, container_id, taken)
        record = replace(record, mounts=with_hidden_files(record.mounts, files or {}))
        await _make(env, record, undo)
        env.store.set(record)
        undo.pop_all()
    notify(env, record, "create")
    return ContainerCreateResponse(container_id, warnings)


def _take_name(env: ContainersEnv, name: str, container_id: str) -> str:
    if name:
        wanted = check_name(name)
        env.store.reserve_name(wanted, container_id)
        return wanted
    for attempt in range(64):
        drawn = random_name(secrets.randbelow, attempt)
        try:
            env.store.reserve_name(drawn, container_id)
        except NameInUse:
            continue
        return drawn
    raise Conflict("no free name was found; give the container one")


async def _design(
    env: ContainersEnv,
    request: ContainerCreateRequest,
    image: ImageRecord,
    container_id: str,
    name: str,
) -> tuple[ContainerRecord, list[str]]:
    """Decide everything that the request, the image and the settings say; make nothing."""
    asked = convert(to_builtins(request), ContainerConfig)
    host_config = _with_defaults(env, request.HostConfig or HostConfig())
    create_checks.check(asked, host_config)
    config = merge(asked, image.config)
    create_checks.check(replace(config, Hostname=""), host_config)
    host_config, warnings = check_host(env, host_config)
    others = {ref: _other(env, ref).mounts for ref in volumes_from_names(host_config)}
    mounts = _named(plan_mounts(host_config, config.Volumes, others))
    mounts = [_with_image(env, mount) for mount in mounts]
    await _check_sources(env, mounts)
    host_config = _with_joined_ids(env, host_config)
    check_links(env, host_config)
    wishes = _endpoints(host_config, request.NetworkingConfig, asked.MacAddress or "")
    endpoints = by_name(env, host_config.NetworkMode, wishes)
    path, args = command_line(config)
    log_path = env.host.files.directory(container_id) / f"{container_id}.log"
    record = ContainerRecord(
        id=container_id,
        name=name,
        created_ns=env.host.clock.now_ns(),
        image_id=image.id,
        image_ref=request.Image,
        chain_ids=image.chain_ids,
        config=replace(config, Hostname=_hostname(env, config, host_config, container_id)),
        host_config=host_config,
        path=path,
        args=args,
        state=State(),
        mounts=mounts,
        endpoints=endpoints,
        asked_endpoints=endpoints,
        log_path="" if host_config.LogConfig.Type == "none" else str(log_path),
        runtime=host_config.Runtime,
    )
    return record, warnings


async def _make(env: ContainersEnv, record: ContainerRecord, undo: AsyncExitStack) -> None:
    undo.push_async_callback(env.store.drop, record.id)
    await env.store.write(record)
    for mount in record.mounts:
        if mount.volume:
            await _make_volume(env, record.id, mount, undo)
    undo.push_async_callback(env.images.snapshotter.remove, record.id)
    await env.images.snapshotter.prepare(record.id, record.chain_ids)
    views = [chain for mount in record.mounts for chain in mount.chain_ids]
    if views:
        await env.images.snapshotter.hold(record.id, views)


async def _make_volume(
    env: ContainersEnv, container_id: str, mount: MountRecord, undo: AsyncExitStack
) -> None:
    labels = dict(mount.volume_labels or {})
    if mount.anonymous:
        labels["com.docker.volume.anonymous"] = ""
    is_new = env.volumes.store.find(mount.volume) is None
    await create_volume(
        env.volumes,
        mount.volume,
        driver=mount.driver,
        options=mount.volume_options,
        labels=labels or None,
    )
    if is_new:
        undo.push_async_callback(_take_back_volume, env, mount.volume)
    acquire(env.volumes, mount.volume, container_id)
    undo.callback(release, env.volumes, mount.volume, container_id)


async def _take_back_volume(env: ContainersEnv, name: str) -> None:
    try:
        await remove_volume(env.volumes, name, force=True)
    except SkepError as error:
        log.warning("container.volume_left", volume=name, reason=error.message)


def _named(mounts: list[MountRecord]) -> list[MountRecord]:
    # Anonymous volumes get their names here, so that the record knows them before they exist.
    return [
        replace(mount, volume=new_id()) if mount.kind == "volume" and not mount.volume else mount
        for mount in mounts
    ]


def _with_image(env: ContainersEnv, mount: MountRecord) -> MountRecord:
    """Settle which image a mount means, for its name may mean another one tomorrow."""
    if mount.kind != "image" or mount.image_id:
        return mount
    try:
        image = env.images.store.resolve(mount.source)
    except NoSuchImage as error:
        # Not as 404: to clients that means the container's own image, and they pull it.
        why = f'invalid mount config for type "image": {error.message}'
        raise InvalidArgument(why) from error
    return replace(mount, image_id=image.id, chain_ids=image.chain_ids)


async def _check_sources(env: ContainersEnv, mounts: list[MountRecord]) -> None:
    binds = [mount for mount in mounts if mount.kind == "bind"]
    strict = [mount.source for mount in binds if not mount.make_source]
    for path in await env.host.files.missing(strict) if strict else []:
        raise InvalidArgument(
            f'invalid mount config for type "bind": bind source path does not exist: {path}'
        )
    lenient = [mount.source for mount in binds if mount.make_source]
    if lenient:
        await env.host.files.make_directories(lenient)


def _other(env: ContainersEnv, ref: str) -> ContainerRecord:
    try:
        return env.store.resolve(ref)
    except NoSuchContainer as error:
        # Not as 404: to clients that means that the image is missing, and they pull it.
        raise InvalidArgument(f"cannot use what it has: {error.message}") from error


def _with_joined_ids(env: ContainersEnv, host_config: HostConfig) -> HostConfig:
    """Return modes that join a container by its id: a rename must not change what is joined."""

    def by_id(mode: str) -> str:
        ref = create_checks.joined_container(mode)
        return mode if ref is None else f"container:{_other(env, ref).id}"

    return replace(
        host_config,
        NetworkMode=by_id(host_config.NetworkMode),
        PidMode=by_id(host_config.PidMode),
        IpcMode=by_id(host_config.IpcMode),
    )


def _with_defaults(env: ContainersEnv, asked: HostConfig) -> HostConfig:
    """Return the host configuration with the daemon's defaults spelled out, as inspect shows it."""
    settings = env.settings.current
    runtime = asked.Runtime or settings.default_runtime
    if runtime not in settings.runtimes:
        raise InvalidArgument(f"unknown or invalid runtime name: {runtime}")
    log_config = asked.LogConfig
    if log_config.Type in {"", settings.log_driver}:
        options = {**settings.log_opts, **(log_config.Config or {})}
        log_config = LogConfig(settings.log_driver, options)
    return replace(
        asked,
        Runtime=runtime,
        LogConfig=replace(log_config, Config=log_config.Config or {}),
        NetworkMode=create_checks.network_mode(asked),
        ShmSize=asked.ShmSize or settings.default_shm_size,
        IpcMode=asked.IpcMode or settings.default_ipc_mode,
        CgroupnsMode=asked.CgroupnsMode or default_cgroupns_mode(env),
        PortBindings=asked.PortBindings or {},
    )


def _hostname(
    env: ContainersEnv, config: ContainerConfig, host_config: HostConfig, container_id: str
) -> str:
    if config.Hostname:
        return config.Hostname
    if host_config.NetworkMode == "host" or host_config.UTSMode == "host":
        return env.host.files.hostname()
    if create_checks.joined_container(host_config.NetworkMode):
        return ""
    return short_id(container_id)


def _endpoints(
    host_config: HostConfig, asked: NetworkingConfig | None, mac_address: str
) -> dict[str, EndpointSettings]:
    """Return the endpoints asked for; the network mode names one of them, none or host aside."""
    mode = host_config.NetworkMode
    if create_checks.joined_container(mode) is not None:
        return {}
    given = {
        ("bridge" if name == "default" else name): settings or EndpointSettings()
        for name, settings in ((asked.EndpointsConfig if asked else None) or {}).items()
    }
    if mode in {"none", "host"}:
        if set(given) - {mode}:
            raise InvalidArgument(
                f"conflicting options: cannot attach {mode} networking to other networks"
            )
        return {mode: given.get(mode, EndpointSettings())}
    own = given.get(mode, EndpointSettings())
    if mac_address and not own.MacAddress:
        own = replace(own, MacAddress=mac_address)
    return {**given, mode: own}
