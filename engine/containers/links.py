"""Links on the default bridge: lines in /etc/hosts and variables, fixed when a container starts."""

from __future__ import annotations

from msgspec.structs import replace

from api.errors import Conflict, InvalidArgument, NoSuchContainer
from api.ids import short_id
from api.types.containers import ContainerConfig, HostConfig
from engine.containers.env import ContainersEnv
from engine.containers.record import ContainerRecord
from engine.core.create_checks import network_mode
from engine.core.links import link_environment, parse_link
from engine.networks.names import DEFAULT_BRIDGE


class NotRunning(Conflict):
    """There is no address to link to."""

    def __init__(self, target: str, owner: str, alias: str) -> None:
        super().__init__(f"Cannot link to a non running container: /{target} AS /{owner}/{alias}")


def check_links(env: ContainersEnv, host_config: HostConfig) -> None:
    """Refuse links to containers that do not exist. Errors: InvalidArgument."""
    for text in _links(host_config):
        target, _ = parse_link(text)
        try:
            env.store.resolve(target)
        except NoSuchContainer as error:
            raise InvalidArgument(
                f"could not get container for {target}: {error.message}"
            ) from error


def linked_hosts(env: ContainersEnv, record: ContainerRecord) -> list[str]:
    """Return the lines of /etc/hosts, as "name:address". Errors: NoSuchContainer, NotRunning."""
    lines = []
    for alias, other, address in _linked(env, record):
        names = dict.fromkeys([alias, other.config.Hostname or short_id(other.id), other.name])
        lines += [f"{name}:{address}" for name in names]
    return lines


def with_links(env: ContainersEnv, record: ContainerRecord) -> ContainerConfig:
    """Return the configuration with the links' variables in front, which its own ones override.

    Errors:  NoSuchContainer, NotRunning.
    """
    told = [
        variable
        for alias, other, address in _linked(env, record)
        for variable in link_environment(
            record.name, alias, address, other.config.ExposedPorts or {}, other.config.Env or []
        )
    ]
    config = record.config
    return replace(config, Env=[*told, *(config.Env or [])]) if told else config


def _links(host_config: HostConfig) -> list[str]:
    is_default = network_mode(host_config) == DEFAULT_BRIDGE
    return list(host_config.Links or []) if is_default else []


def _linked(env: ContainersEnv, record: ContainerRecord) -> list[tuple[str, ContainerRecord, str]]:
    found = []
    for text in _links(record.host_config):
        target, alias = parse_link(text)
        other = env.store.resolve(target)
        endpoint = other.endpoints.get(DEFAULT_BRIDGE)
        if not other.state.has_process or endpoint is None or not endpoint.IPAddress:
            raise NotRunning(target, record.name, alias)
        found.append((alias, other, endpoint.IPAddress))
    return found
