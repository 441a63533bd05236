"""Create a volume, or find the one of that name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from api.errors import InvalidArgument, NotFound
from api.ids import new_id
from engine.core.volume import ANONYMOUS_LABEL, DRIVER, check_name, check_options
from engine.volumes.env import VolumesEnv
from engine.volumes.record import VolumeRecord


class NoSuchVolumeDriver(NotFound):
    """Only the local driver is built in."""

    def __init__(self, name: str, driver: str) -> None:
        why = f'error looking up volume plugin {driver}: plugin "{driver}" not found'
        super().__init__(f"create {name}: {why}")


async def create(
    env: VolumesEnv,
    name: str = "",
    *,
    driver: str = "",
    options: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> VolumeRecord:
    """Return the volume of that name, made if there is none; without a name an anonymous one.

    An existing volume keeps its labels and options, whatever is asked for, as the reference has it.
    Errors:  InvalidArgument (name, options), NoSuchVolumeDriver, Internal.
    """
    if not name:
        name = new_id()
        labels = {**(labels or {}), ANONYMOUS_LABEL: ""}
    if driver not in {"", DRIVER}:
        raise NoSuchVolumeDriver(name, driver)
    _check(name, options or {})
    async with env.store.lock(name):
        existing = env.store.find(name)
        if existing is not None:
            return existing
        return await _make(env, name, options, labels)


def _check(name: str, options: Mapping[str, str]) -> None:
    try:
        check_name(name)
        check_options(options)
    except InvalidArgument as error:
        raise InvalidArgument(f"create {name}: {error.message}") from error


async def _make(
    env: VolumesEnv,
    name: str,
    options: Mapping[str, str] | None,
    labels: Mapping[str, str] | None,
) -> VolumeRecord:
    record = VolumeRecord(
        name=name,
        created=_rfc3339(env.clock.now_ns()),
        labels=None if labels is None else dict(labels),
        options=dict(options or {}),
    )
    # Directory first: one without a record is empty and harmless, a record without one is not.
    await env.disk.create(name)
    try:
        await env.store.put(record)
    except BaseException:
        await env.disk.remove(name)
        raise
    env.events.publish("volume", "create", name, {"driver": DRIVER})
    return record


def _rfc3339(now_ns: int) -> str:
    return datetime.fromtimestamp(now_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
