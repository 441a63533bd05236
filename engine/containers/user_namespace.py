"""The user namespace of a container: one of its own where the daemon remaps ids, or the host's."""

from __future__ import annotations

from api.errors import Conflict
from engine.containers.env import ContainersEnv
from engine.containers.record import ContainerRecord
from engine.core.create_checks import joined_container
from engine.core.id_maps import IdMaps


def own_ids(env: ContainersEnv, record: ContainerRecord) -> IdMaps | None:
    """Return the maps of a container's own user namespace, None where it has the host's."""
    return None if record.host_config.UsernsMode == "host" else env.settings.current.id_maps


def packed_ids(env: ContainersEnv) -> IdMaps | None:
    """Return the maps that owners go through on their way from a container's tree to an image.

    An image's files have mapped owners in every container, one in the host's user namespace
    included, so what such a one made as the host's own users keeps their numbers.
    """
    maps = env.settings.current.id_maps
    return maps.foreign_kept() if maps else None


def joined_user_namespace(env: ContainersEnv, record: ContainerRecord) -> str:
    """Return the path of the user namespace that comes with what a container joins, "" for none.

    Who joins a namespace must be in the user namespace that owns it.
    Errors:  NoSuchContainer, Conflict (what it joins belongs to two, or to the host).
    """
    if own_ids(env, record) is None:
        return ""
    host = record.host_config
    refs = map(joined_container, (host.NetworkMode, host.PidMode, host.IpcMode))
    others = {each.id: each for each in (env.store.resolve(ref) for ref in refs if ref is not None)}
    roots = {_owner(env, each).id for each in others.values()}
    if len(roots) > 1:
        raise Conflict(
            f"cannot join the namespaces of {' and '.join(sorted(others))}: "
            "their user namespaces are not the same"
        )
    for each in others.values():
        if own_ids(env, each) is None:
            raise Conflict(
                f"cannot join namespaces of container {each.id}, which is in the host's user "
                "namespace: use --userns=host for this container too"
            )
        if each.state.has_process:
            return f"/proc/{each.state.pid}/ns/user"
    return ""


def _owner(env: ContainersEnv, record: ContainerRecord) -> ContainerRecord:
    """Return the container whose user namespace another one is in: its own, or that it joined."""
    host = record.host_config
    for mode in (host.NetworkMode, host.PidMode, host.IpcMode):
        ref = joined_container(mode)
        other = env.store.find(ref) if ref is not None else None
        if other is not None:
            return _owner(env, other)
    return record
