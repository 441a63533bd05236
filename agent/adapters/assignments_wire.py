"""Assignments as they come over the wire."""

from __future__ import annotations

from typing import Any

import msgspec

from agent.core.assignments import Item, Key, Piece
from api.errors import Unsupported
from api.types.assignments import AssignedConfig, AssignedSecret, AssignedTask
from api.types.cluster_networks import ClusterNetwork
from protos.skep.v1 import dispatcher_pb2 as wire

VERSION = 1

_KINDS: dict[int, type[Item]] = {
    wire.ASSIGNMENT_KIND_TASK: AssignedTask,
    wire.ASSIGNMENT_KIND_SECRET: AssignedSecret,
    wire.ASSIGNMENT_KIND_CONFIG: AssignedConfig,
    wire.ASSIGNMENT_KIND_NETWORK: ClusterNetwork,
}


def to_wire(value: Any) -> wire.ApiValue:
    """Return a value of the API's types as messages carry it."""
    return wire.ApiValue(version=VERSION, msgpack=msgspec.msgpack.encode(value))


def piece_from_wire(message: wire.AssignmentsMessage) -> Piece:
    """Return a message of the stream; kinds that this node does not know are left out.

    Errors:  Unsupported when the managers speak a newer version.
    """
    return Piece(
        items=tuple(
            _item(_KINDS[each.key.kind], each.value)
            for each in message.set
            if each.key.kind in _KINDS
        ),
        removed=tuple(_key(each) for each in message.removed if each.kind in _KINDS),
        is_complete=message.complete,
        more_follows=message.more_follows,
    )


def _key(key: wire.AssignmentKey) -> Key:
    return _KINDS[key.kind], key.id


def _item(kind: type[Item], value: wire.ApiValue) -> Item:
    if value.version > VERSION:
        raise Unsupported(
            f"the managers assign in version {value.version}; this node reads up to {VERSION}: "
            "upgrade it"
        )
    try:
        return msgspec.msgpack.decode(value.msgpack, type=kind)
    except msgspec.MsgspecError as error:
        raise Unsupported(f"an assignment cannot be read: {error}") from error
