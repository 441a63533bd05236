"""List containers."""

from __future__ import annotations

import heapq
import json
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from api.errors import SkepError
from api.references import parse_normalized
from api.types.containers import (
    ContainerSummary,
    HealthSummary,
    SummaryHostConfig,
    SummaryNetworkSettings,
)
from engine.containers.env import ContainersEnv
from engine.containers.inspect import endpoints_shown, sizes
from engine.containers.live import CachedSummary
from engine.containers.record import ContainerRecord
from engine.containers.render import mount_points, network_mode_shown, port_rows
from engine.core.container_filters import Facet, Resolved, asks_for_stopped, check_list, matches
from engine.core.container_state import Status
from engine.core.status_text import status_text

_SECOND_NS = 1_000_000_000

Wanted = Mapping[str, Collection[str]]


async def list_containers(
    env: ContainersEnv,
    *,
    everything: bool = False,
    limit: int = 0,
    size: bool = False,
    wanted: Wanted | None = None,
    health: bool = True,
) -> list[ContainerSummary]:
    """Return rows, newest container first.

    Without `everything`, `limit` or a filter by status only running ones. `health` adds the
    summary that API 1.52 and newer have.
    Errors:  InvalidFilter, InvalidArgument, NoSuchContainer (before, since).
    """
    wanted = wanted or {}
    check_list(wanted)
    stopped_too = everything or limit > 0 or asks_for_stopped(wanted)
    records = _select(env, wanted, stopped_too=stopped_too)
    if limit > 0:
        records = heapq.nlargest(limit, records, key=_created)
    else:
        records = sorted(records, key=_created, reverse=True)
    now_ns = env.host.clock.now_ns()
    rows = [_row(env, record, now_ns, health=health) for record in records]
    if size:
        rows = [await _with_size(env, *each) for each in zip(rows, records, strict=True)]
    return rows


def _created(record: ContainerRecord) -> int:
    return record.created_ns


def _row(
    env: ContainersEnv, record: ContainerRecord, now_ns: int, *, health: bool
) -> ContainerSummary:
    row = _cached_summary(env, record, _image_shown(env, record))
    now = record.health
    text = status_text(record.state, now.status if now else "", now_ns)
    if not health:
        return replace(row, Status=text)
    shown = HealthSummary(now.status, now.failing_streak) if now else HealthSummary()
    return replace(row, Status=text, Health=shown)


def _select(env: ContainersEnv, wanted: Wanted, *, stopped_too: bool) -> list[ContainerRecord]:
    records = env.store.all()
    if not stopped_too:
        records = [record for record in records if record.state.is_running]
    if not any(wanted.values()):
        return records
    before = min(
        (env.store.resolve(ref).created_ns for ref in wanted.get("before", ())), default=None
    )
    since = max(
        (env.store.resolve(ref).created_ns for ref in wanted.get("since", ())), default=None
    )
    resolved = Resolved(images=_ancestors(env, wanted.get("ancestor", ())))
    return [
        record
        for record in records
        if (before is None or record.created_ns < before)
        and (since is None or record.created_ns > since)
        and matches(facet_of(env, record), wanted, resolved)
    ]


def _ancestors(env: ContainersEnv, refs: Iterable[str]) -> set[str]:
    found = set()
    for ref in refs:
        try:
            found.add(env.images.store.resolve(ref).id)
        except SkepError:
            continue  # a filter that names no image fits no container
    return found


def facet_of(env: ContainersEnv, record: ContainerRecord) -> Facet:
    """Return what filters look at."""
    volumes: set[str] = set()
    for mount in record.mounts:
        volumes.update(each for each in (mount.volume, mount.source, mount.destination) if each)
    networks: set[str] = {network_mode_shown(record)}
    for name, endpoint in record.endpoints.items():
        networks.update(each for each in (name, endpoint.NetworkID) if each)
    return Facet(
        id=record.id,
        name=record.name,
        status=record.state.status,
        exit_code=record.state.exit_code,
        health=record.health.status if record.health else "none",
        labels=record.config.Labels or {},
        images=_made_from(env, record),
        networks=networks,
        volumes=volumes,
        exposed=_ports(record.config.ExposedPorts) | _ports(record.host_config.PortBindings),
        published=_ports(record.host_config.PortBindings),
    )


def _ports(ports: Mapping[str, object] | UnsetType | None) -> set[str]:
    return {port if "/" in port else f"{port}/tcp" for port in ports or {}}


def _made_from(env: ContainersEnv, record: ContainerRecord) -> set[str]:
    """Return the ids of images whose layers are the first layers of this container's image."""
    chain = set(record.chain_ids)
    return {record.image_id} | {
        image.id
        for image in env.images.store.all()
        if image.chain_ids and image.chain_ids[-1] in chain
    }


def _image_shown(env: ContainersEnv, record: ContainerRecord) -> str:
    """Return the reference that made the container, or the id once that names another image."""
    named = env.images.store.target(_full_name(record.image_ref))
    if named is not None and named != record.image_id:
        return record.image_id
    return record.image_ref


@lru_cache(maxsize=1024)
def _full_name(image_ref: str) -> str:
    try:
        return str(parse_normalized(image_ref).with_default_tag())
    except SkepError:
        return ""  # the container was made from an id


async def _with_size(
    env: ContainersEnv, row: ContainerSummary, record: ContainerRecord
) -> ContainerSummary:
    if record.state.status in {Status.REMOVING, Status.DEAD}:
        return row
    writable, image = await sizes(env, record)
    return replace(row, SizeRw=writable, SizeRootFs=writable + image)


def _cached_summary(env: ContainersEnv, record: ContainerRecord, image: str) -> ContainerSummary:
    """Return the row of a record, made anew only when that changed; Status is filled in later."""
    kept = env.live.summaries.get(record.id)
    if kept is not None and kept.record is record and kept.row.Image == image:
        return kept.row
    row = _summary(env, record, image)
    env.live.summaries[record.id] = CachedSummary(record, row)
    return row


def _summary(env: ContainersEnv, record: ContainerRecord, image: str) -> ContainerSummary:
    return ContainerSummary(
        Id=record.id,
        Names=[f"/{record.name}"],
        Image=image,
        ImageID=record.image_id,
        Command=_command(record),
        Created=record.created_ns // _SECOND_NS,
        Ports=port_rows(record),
        Labels=record.config.Labels or {},
        State=record.state.status,
        Status="",
        HostConfig=SummaryHostConfig(
            network_mode_shown(record), record.host_config.Annotations or UNSET
        ),
        NetworkSettings=SummaryNetworkSettings(endpoints_shown(record)),
        Mounts=mount_points(env, record),
    )


def _command(record: ContainerRecord) -> str:
    quoted = [
        each if each and not set(each) & set(" \t\n\"'\\") else json.dumps(each, ensure_ascii=False)
        for each in record.args
    ]
    return " ".join([record.path, *quoted])
