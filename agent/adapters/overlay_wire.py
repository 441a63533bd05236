"""News of overlay networks as they come over the wire."""

from __future__ import annotations

import msgspec

from agent.adapters.assignments_wire import VERSION
from agent.core.overlay_news import (
    Member,
    NetworkNews,
    OverlayKey,
    OverlayNews,
    Place,
    ServiceEndpoint,
    TargetsChange,
)
from api.errors import Unsupported
from api.types.cluster_networks import ClusterNetwork, PortConfig
from protos.skep.v1 import dispatcher_pb2, overlay_pb2


def news_from_wire(message: overlay_pb2.OverlayMessage) -> OverlayNews:
    """Return a message of the stream. Errors: Unsupported when the managers are newer."""
    return OverlayNews(
        is_complete=message.complete,
        networks=tuple(map(_change, message.networks)),
        keys=_keys(message.keys) if message.HasField("keys") else None,
        sequence=message.sequence,
    )


def place_from_wire(answer: overlay_pb2.AttachResponse) -> Place:
    """Return a container's place on a network. Errors: Unsupported when the managers are newer."""
    return Place(_network(answer.network), tuple(answer.addresses))


def _keys(told: overlay_pb2.NetworkKeys) -> tuple[OverlayKey, ...]:
    return tuple(OverlayKey(each.lamport_time, each.secret) for each in told.keys)


def _change(change: overlay_pb2.NetworkChange) -> NetworkNews:
    return NetworkNews(
        network_id=change.network_id,
        is_gone=change.gone,
        network=_network(change.network) if change.complete else None,
        members=tuple(map(_member, change.members)),
        removed_members=tuple(change.removed_members),
        services=tuple(map(_service, change.services)),
        removed_services=tuple(change.removed_services),
        targets=tuple(map(_targets, change.targets)),
    )


def _network(value: dispatcher_pb2.ApiValue) -> ClusterNetwork:
    if value.version > VERSION:
        raise Unsupported(
            f"the managers tell of networks in version {value.version}; this node reads up to "
            f"{VERSION}: upgrade it"
        )
    try:
        return msgspec.msgpack.decode(value.msgpack, type=ClusterNetwork)
    except msgspec.MsgspecError as error:
        raise Unsupported(f"a network cannot be read: {error}") from error


def _targets(change: overlay_pb2.TargetsChange) -> TargetsChange:
    return TargetsChange(
        service_id=change.service_id,
        targets=tuple((each.member_id, each.weight) for each in change.targets),
        removed=tuple(change.removed),
    )


def _member(member: overlay_pb2.Member) -> Member:
    return Member(
        id=member.id,
        names=tuple(member.names),
        addresses=tuple(member.addresses),
        node_id=member.node_id,
        node_address=member.node_address,
    )


def _service(service: overlay_pb2.ServiceEndpoint) -> ServiceEndpoint:
    return ServiceEndpoint(
        id=service.id,
        names=tuple(service.names),
        addresses=tuple(service.addresses),
        targets=tuple((each.member_id, each.weight) for each in service.targets),
        ports=tuple(
            PortConfig(Protocol=each.protocol, PublishedPort=each.published, TargetPort=each.target)
            for each in service.ports
        ),
        local_only=service.local_only,
        health_port=service.health_port,
    )
