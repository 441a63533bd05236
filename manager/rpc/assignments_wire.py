"""Assignments and reports of tasks as messages carry them."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from api.errors import InvalidArgument, Unsupported
from api.types.assignments import AssignedConfig, AssignedSecret, AssignedTask
from api.types.cluster_networks import ClusterNetwork
from api.types.tasks import TaskStatus
from manager.core.dispatcher.assign import AssignmentChange
from protos.skep.v1.dispatcher_pb2 import (
    ApiValue,
    AssignmentKind,
    AssignmentsMessage,
)

VERSION = 1

# A message ends with the item that makes it larger than this; an item has 1.5 MB at the most.
_PIECE_BYTES = 1_000_000
# Far beyond what a node has to tell of a task, and far below what a change of the store may hold.
_STATUS_LIMIT_BYTES = 256 << 10
_ENCODER = msgspec.msgpack.Encoder()
_STATUS = msgspec.msgpack.Decoder(TaskStatus)

_KINDS = {
    AssignedTask: AssignmentKind.ASSIGNMENT_KIND_TASK,
    AssignedSecret: AssignmentKind.ASSIGNMENT_KIND_SECRET,
    AssignedConfig: AssignmentKind.ASSIGNMENT_KIND_CONFIG,
    ClusterNetwork: AssignmentKind.ASSIGNMENT_KIND_NETWORK,
}


def change_to_wire(change: AssignmentChange, *, is_complete: bool) -> Iterator[AssignmentsMessage]:
    """Yield the messages of a change, one or more."""
    message, size_bytes = AssignmentsMessage(complete=is_complete), 0
    for item in change.items:
        if size_bytes > _PIECE_BYTES:
            message.more_follows = True
            yield message
            message, size_bytes = AssignmentsMessage(complete=is_complete), 0
        data = _ENCODER.encode(item)
        assignment = message.set.add()
        assignment.key.kind = _KINDS[type(item)]
        assignment.key.id = item.ID
        assignment.value.version = VERSION
        assignment.value.msgpack = data
        size_bytes += len(data)
    for kind, object_id in change.removed:
        message.removed.add(kind=_KINDS[kind], id=object_id)
    yield message


def status_from_wire(value: ApiValue) -> TaskStatus:
    """Return a reported status. Errors: InvalidArgument; Unsupported for a newer version."""
    if len(value.msgpack) > _STATUS_LIMIT_BYTES:
        raise InvalidArgument(
            f"invalid status of a task: {len(value.msgpack)} bytes, {_STATUS_LIMIT_BYTES} at most"
        )
    if value.version > VERSION:
        raise Unsupported(
            f"the node reports tasks in version {value.version}; this manager reads up to "
            f"{VERSION}: upgrade the managers first"
        )
    try:
        return _STATUS.decode(value.msgpack)
    except msgspec.MsgspecError as error:
        raise InvalidArgument(f"invalid status of a task: {error}") from error
