"""The files of /etc that the engine writes for a container: hosts, hostname, resolv.conf."""

from __future__ import annotations

from collections.abc import Mapping

from api.types.networks import EndpointSettings
from engine.containers.env import ContainersEnv
from engine.containers.links import linked_hosts
from engine.containers.record import ContainerRecord
from engine.core.create_checks import joined_container
from engine.core.dns import ADDRESS
from engine.core.etc_files import (
    hosts_file,
    resolv_conf,
    with_addresses,
    without_addresses,
)
from engine.networks.sandbox import Sandbox

HOSTS = "hosts"
HOSTNAME = "hostname"
RESOLV_CONF = "resolv.conf"


async def write_etc_files(
    env: ContainersEnv, record: ContainerRecord, sandbox: Sandbox | None
) -> None:
    """Write the files, unless the container shares those of the one it joins.

    The directory is made in any case: the log is in it.
    """
    if joined_container(record.host_config.NetworkMode) is not None:
        await env.host.files.write(record.id, {})
        return
    await env.host.files.write(
        record.id,
        {
            HOSTS: _hosts(env, record, sandbox),
            HOSTNAME: f"{record.config.Hostname}\n",
            RESOLV_CONF: resolv_conf_text(env, record, sandbox.endpoints if sandbox else {}),
        },
    )


async def note_addresses(
    env: ContainersEnv, before: ContainerRecord, after: ContainerRecord
) -> None:
    """Bring a running container's hosts and resolv.conf from one set of endpoints to another.

    A resolv.conf that was changed inside of the container stays as it is.
    """
    old, new = _addresses(before.endpoints), _addresses(after.endpoints)
    config = after.config

    def hosts(text: str) -> str:
        kept = without_addresses(text, set(old) - set(new))
        fresh = [each for each in new if each not in old]
        return with_addresses(kept, config.Hostname, config.Domainname, fresh)

    def resolver(text: str) -> str:
        was = resolv_conf_text(env, before, before.endpoints)
        return resolv_conf_text(env, after, after.endpoints) if text == was else text

    await env.host.files.edit(after.id, HOSTS, hosts)
    await env.host.files.edit(after.id, RESOLV_CONF, resolver)


def _addresses(endpoints: Mapping[str, EndpointSettings]) -> list[str]:
    return [
        address
        for endpoint in endpoints.values()
        for address in (endpoint.IPAddress, endpoint.GlobalIPv6Address)
        if address
    ]


def etc_paths(env: ContainersEnv, record: ContainerRecord) -> dict[str, str]:
    """Return the host paths of the files by their place in the container."""
    ref = joined_container(record.host_config.NetworkMode)
    owner = env.store.resolve(ref) if ref is not None else record
    if owner.id != record.id and joined_container(owner.host_config.NetworkMode) is not None:
        return etc_paths(env, owner)
    directory = env.host.files.directory(owner.id)
    return {f"/etc/{name}": str(directory / name) for name in (RESOLV_CONF, HOSTNAME, HOSTS)}


def _hosts(env: ContainersEnv, record: ContainerRecord, sandbox: Sandbox | None) -> str:
    extra = record.host_config.ExtraHosts or []
    if sandbox is None:
        # In the host's network the host's own names are true; the user's lines come behind them.
        own = hosts_file("", "", [], extra, "127.0.0.1")
        added = own.splitlines()[len(hosts_file("", "", []).splitlines()) :]
        return "\n".join([env.host.files.host_hosts().rstrip("\n"), *added]) + "\n"
    addresses = _addresses(sandbox.endpoints)
    gateway = next((each.Gateway for each in sandbox.endpoints.values() if each.Gateway), "")
    config = record.config
    named = [*linked_hosts(env, record), *extra]
    return hosts_file(config.Hostname, config.Domainname, addresses, named, gateway)


def resolv_conf_text(
    env: ContainersEnv, record: ContainerRecord, endpoints: Mapping[str, EndpointSettings]
) -> str:
    """Return /etc/resolv.conf, which names the engine's resolver where there is one."""
    settings, asked = env.settings.current, record.host_config
    has_resolver = any(each.DNSNames for each in endpoints.values())
    return resolv_conf(
        env.host.files.host_resolv_conf(),
        asked.Dns or settings.dns,
        asked.DnsSearch or settings.dns_search,
        asked.DnsOptions or settings.dns_opts,
        in_host_mode=asked.NetworkMode == "host",
        resolver=ADDRESS if has_resolver else "",
    )
