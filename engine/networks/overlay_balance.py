"""The addresses of services in the sandboxes of the containers that use them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import structlog

from api.errors import SkepError
from engine.core.balance import Balance
from engine.networks.env import NetworksEnv
from engine.networks.overlay_space import known_overlay
from engine.networks.record import SandboxRecord
from engine.ports.overlay import Transaction

log = structlog.get_logger(__name__)

_NONE: Mapping[str, Mapping[str, int]] = {}


async def balance_sandbox(env: NetworksEnv, record: SandboxRecord) -> None:
    """Let a sandbox reach the services of its overlay networks, and no others. Errors: Internal."""
    container_id = record.container_id
    networks = [env.store.find(each.network_id) for each in record.endpoints]
    overlays = [each for each in networks if each is not None and each.overlay is not None]
    if not overlays and container_id not in env.overlay.state.balances:
        return
    services: dict[str, Mapping[str, int]] = {}
    for network in overlays:
        services |= known_overlay(env, network).balanced()
    balance = env.overlay.state.balances.setdefault(container_id, Balance())
    text = balance.whole(services)
    await env.overlay.balancers.run(container_id, env.links.namespace_path(container_id), text)


def stop_balancing(env: NetworksEnv, container_id: str) -> None:
    """Forget a sandbox that goes, with all that is in it."""
    env.overlay.state.balances.pop(container_id, None)
    env.overlay.balancers.close(container_id)


async def change_services(
    env: NetworksEnv,
    records: Iterable[SandboxRecord],
    services: Mapping[str, Mapping[str, int]],
    gone: Iterable[str] = (),
    weights: Mapping[str, Mapping[str, int]] = _NONE,
) -> None:
    """Bring a change of services to these sandboxes; one that cannot take it is balanced anew.

    `weights` are of some targets of services that stay, by virtual address.
    """
    lost = tuple(gone)
    orders = []
    restored = []
    for record in records:
        container_id = record.container_id
        balance = env.overlay.state.balances.get(container_id)
        if balance is None:
            restored.append(record)
        elif text := balance.change(services, lost, weights):
            path = env.links.namespace_path(container_id)
            orders.append(Transaction(container_id, path, text))
    failed = await env.overlay.balancers.run_all(orders) if orders else {}
    for container_id, error in failed.items():
        log.warning("network.balance_failed", container_id=container_id, error=error.message)
        await _anew(env, container_id)
    for record in restored:
        await _after_start(env, record)


async def _after_start(env: NetworksEnv, record: SandboxRecord) -> None:
    """Balance a sandbox from before the start once all its networks are told: it works till then.

    A sandbox that is being opened is balanced by that.
    """
    networks = [env.store.find(each.network_id) for each in record.endpoints]
    overlays = [each for each in networks if each is not None and each.overlay is not None]
    is_restored = record.container_id in env.overlay.state.restored
    if is_restored and all(known_overlay(env, each).is_told for each in overlays):
        await _anew(env, record.container_id)
        env.overlay.state.restored.discard(record.container_id)


async def _anew(env: NetworksEnv, container_id: str) -> None:
    record = env.store.sandbox(container_id)
    if record is None:
        return
    try:
        await balance_sandbox(env, record)
    except SkepError as error:
        log.warning("network.not_balanced", container_id=container_id, error=error.message)
