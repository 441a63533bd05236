"""The network of a container that starts: its own, the host's, none, or another container's."""

from __future__ import annotations

from dataclasses import replace

from api.errors import Conflict
from api.ids import new_id
from api.types.networks import EndpointSettings
from engine.containers.env import ContainersEnv
from engine.containers.record import ContainerRecord
from engine.containers.user_namespace import joined_user_namespace, own_ids
from engine.core.create_checks import joined_container
from engine.core.etc_files import nameservers
from engine.networks.open_sandbox import open_sandbox
from engine.networks.sandbox import Sandbox, SandboxRequest
from engine.ports.network import UserNamespace


class JoinsItself(Conflict):
    """A container cannot use its own network before it has one."""

    def __init__(self) -> None:
        super().__init__("cannot join own network")


async def open_network(env: ContainersEnv, record: ContainerRecord) -> Sandbox | None:
    """Return the sandbox of a container, None for the host's network.

    Joining gives the other's namespace path and no endpoints of one's own.
    Errors:  NoSuchContainer, Conflict (the joined one does not run), those of `open_sandbox`.
    """
    mode = record.host_config.NetworkMode
    if mode == "host":
        return None
    ref = joined_container(mode)
    if ref is not None:
        path = _joined_path(env, record, ref)
        return Sandbox(netns_path=path, endpoints={}, ports={}) if path else None
    request = SandboxRequest(
        container_id=record.id,
        container_name=record.name,
        hostname=record.config.Hostname,
        endpoints={} if mode == "none" else record.asked_endpoints,
        port_bindings=record.host_config.PortBindings or {},
        exposed=frozenset(
            each if "/" in each else f"{each}/tcp" for each in record.config.ExposedPorts or {}
        ),
        publish_all=record.host_config.PublishAllPorts,
        nameservers=nameservers(
            env.host.files.host_resolv_conf(), record.host_config.Dns or env.settings.current.dns
        ),
        owner=_owner(env, record),
    )
    sandbox = await open_sandbox(env.networks, request)
    if mode == "none":
        return replace(sandbox, endpoints=static_endpoints(env, mode))
    return sandbox


def _owner(env: ContainersEnv, record: ContainerRecord) -> UserNamespace | None:
    ids = own_ids(env, record)
    return UserNamespace(ids, joined_user_namespace(env, record)) if ids else None


def static_endpoints(env: ContainersEnv, mode: str) -> dict[str, EndpointSettings]:
    """Return the endpoint that stands for the modes none and host: it has no addresses."""
    network = env.networks.store.get(mode)
    return {mode: EndpointSettings(NetworkID=network.id, EndpointID=new_id())}


def _joined_path(env: ContainersEnv, record: ContainerRecord, ref: str) -> str:
    """Return the namespace of a running container, "" when that is the host's."""
    other = env.store.resolve(ref)
    if other.id == record.id:
        raise JoinsItself
    if not other.state.has_process:
        raise Conflict(f"cannot join network of a non running container: {other.id}")
    return other.sandbox_key
