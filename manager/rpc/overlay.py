"""What agents hear of overlay networks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import grpc.aio
import msgspec

from manager.cluster.attachments import Wish, attach, keep
from manager.core.cluster_network import network_to_api
from manager.core.dispatcher.network_members import Endpoint, Member
from manager.core.dispatcher.overlays import NetworkChange, TargetsChange
from manager.core.objects.cluster import NetworkKey
from manager.loops.network_keys import NetworkKeyLoop
from manager.loops.overlays import News, OverlayLoop
from manager.ports.clock import Clock
from manager.ports.outcomes import NotLeader
from manager.ports.store import Store
from manager.rpc.guard import caller
from protos.skep.v1 import overlay_pb2 as wire
from protos.skep.v1.dispatcher_pb2 import ApiValue
from protos.skep.v1.overlay_pb2_grpc import OverlayServicer

VERSION = 1

Context = grpc.aio.ServicerContext[Any, Any]
# A message has no more members and services than this: well below the limit of a message.
_PIECE = 2000
# What a node may wait for the others at the most.
_LONGEST_S = 30.0


class Overlays(OverlayServicer):
    """Serves agents while this manager leads; `loop` and `keys` are None while another one does."""

    def __init__(
        self,
        loop: Callable[[], OverlayLoop | None],
        keys: Callable[[], NetworkKeyLoop | None],
        store: Store,
        clock: Clock,
    ) -> None:
        self._loop = loop
        self._keys = keys
        self._store = store
        self._clock = clock

    async def Watch(
        self, request: wire.OverlayRequest, context: Context
    ) -> AsyncIterator[wire.OverlayMessage]:
        """Tell the caller's node what is on its networks, all of it, then what changes.

        Errors:  NoSession, NotLeader.
        """
        loop = self._led()
        changes = loop.changes(
            caller().node_id, request.session_id, takes_targets=request.takes_targets
        )
        async for news in changes:
            for message in messages(news):
                yield message

    async def Confirm(self, request: wire.ConfirmRequest, context: Context) -> wire.ConfirmResponse:
        """Note that the caller's node has what it was told. Errors: NoSession, NotLeader."""
        self._led().confirm(caller().node_id, request.session_id, request.sequence)
        return wire.ConfirmResponse()

    async def Settled(self, request: wire.SettledRequest, context: Context) -> wire.SettledResponse:
        """Return when all nodes have what there is to tell. Errors: NoSession, NotLeader."""
        limit_s = min(request.limit_ms / 1000, _LONGEST_S)
        is_settled = await self._led().settled(caller().node_id, request.session_id, limit_s)
        return wire.SettledResponse(settled=is_settled)

    async def Attach(self, request: wire.AttachRequest, context: Context) -> wire.AttachResponse:
        """Give a container of the caller's node a place on a network.

        Errors:  NoSession, NotLeader; those of `attach`.
        """
        self._led().check(caller().node_id, request.session_id)
        network, addresses = await attach(
            self._store,
            self._clock,
            caller().node_id,
            request.container_id,
            Wish(request.network, [*request.names], [*request.addresses]),
        )
        data = msgspec.msgpack.encode(network_to_api(network))
        return wire.AttachResponse(
            network=ApiValue(version=VERSION, msgpack=data), addresses=addresses
        )

    async def Keep(self, request: wire.KeepRequest, context: Context) -> wire.KeepResponse:
        """Forget the places of the caller's node's containers, but these.

        Errors:  NoSession, NotLeader.
        """
        # What a session that has ended tells late is from before what the present one was given.
        self._led().check(caller().node_id, request.session_id)
        kept = {(each.container_id, each.network_id) for each in request.attachments}
        await keep(self._store, caller().node_id, kept)
        return wire.KeepResponse()

    async def RenewKeys(
        self, request: wire.RenewKeysRequest, context: Context
    ) -> wire.RenewKeysResponse:
        """Have the keys change, for the caller's node has used up its own.

        Errors:  NoSession, NotLeader.
        """
        self._led().check(caller().node_id, request.session_id)
        keys = self._keys()
        if keys is None:
            raise NotLeader
        await keys.renew()
        return wire.RenewKeysResponse()

    def _led(self) -> OverlayLoop:
        loop = self._loop()
        if loop is None:
            raise NotLeader
        return loop


def messages(news: News) -> Iterator[wire.OverlayMessage]:
    """Yield what tells of news, in pieces; the last bears keys and number."""
    pieces = [*_pieces(news.changes)]
    for number, piece in enumerate(pieces, start=1):
        is_last = number == len(pieces)
        yield wire.OverlayMessage(
            complete=news.is_complete and number == 1,
            networks=piece,
            sequence=news.sequence if is_last else news.sequence - 1,
            keys=_keys(news.keys) if is_last else None,
        )


def _keys(keys: Sequence[NetworkKey] | None) -> wire.NetworkKeys | None:
    if keys is None:
        return None
    return wire.NetworkKeys(
        keys=[wire.NetworkKey(secret=each.key, lamport_time=each.clock) for each in keys]
    )


def _pieces(changes: Sequence[NetworkChange]) -> Iterator[list[wire.NetworkChange]]:
    """Yield what messages carry, at least once; a large change of a network is cut."""
    piece: list[wire.NetworkChange] = []
    size = 0
    for change in changes:
        for part in _to_wire(change):
            size += len(part.members) + len(part.services) + len(part.targets) + 1
            if piece and size > _PIECE:
                yield piece
                piece, size = [], 0
            piece.append(part)
    yield piece


def _to_wire(change: NetworkChange) -> Iterator[wire.NetworkChange]:
    network = None
    if change.network is not None:
        network = ApiValue(version=VERSION, msgpack=msgspec.msgpack.encode(change.network))
    members = [*map(_member, change.members)]
    yield wire.NetworkChange(
        network_id=change.network_id,
        gone=change.is_gone,
        complete=change.network is not None,
        network=network,
        members=members[:_PIECE],
        **(_after_members(change) if len(members) <= _PIECE else {}),
    )
    for start in range(_PIECE, len(members), _PIECE):
        is_last = start + _PIECE >= len(members)
        yield wire.NetworkChange(
            network_id=change.network_id,
            members=members[start : start + _PIECE],
            **(_after_members(change) if is_last else {}),
        )


def _after_members(change: NetworkChange) -> dict[str, Any]:
    """Return what comes with the last of the new members: who leads to them, and who is gone."""
    return {
        "removed_members": change.removed_members,
        "services": [*map(_service, change.services)],
        "removed_services": change.removed_services,
        "targets": [*map(_targets, change.targets)],
    }


def _targets(change: TargetsChange) -> wire.TargetsChange:
    return wire.TargetsChange(
        service_id=change.service_id,
        targets=[wire.Target(member_id=id_, weight=weight) for id_, weight in change.targets],
        removed=change.removed,
    )


def _member(member: Member) -> wire.Member:
    return wire.Member(
        id=member.id,
        names=member.names,
        addresses=member.addresses,
        node_id=member.node_id,
        node_address=member.node_address,
    )


def _service(service: Endpoint) -> wire.ServiceEndpoint:
    return wire.ServiceEndpoint(
        id=service.id,
        names=service.names,
        addresses=service.addresses,
        targets=[wire.Target(member_id=id_, weight=weight) for id_, weight in service.targets],
        ports=[
            wire.Port(
                protocol=port.Protocol or "tcp",
                published=port.PublishedPort,
                target=port.TargetPort,
            )
            for port in service.ports
        ],
        local_only=service.is_local_only,
        health_port=service.health_port,
    )
