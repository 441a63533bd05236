"""Who may call what: a method without a row is refused, so that none is forgotten."""

from __future__ import annotations

from collections.abc import Mapping

from protos.identity.certificates import Role

_MANAGERS = frozenset({Role.MANAGER})
_NODES = frozenset({Role.MANAGER, Role.WORKER})
_ALL = frozenset(Role)

METHODS: Mapping[str, frozenset[Role]] = {
    "/skep.v1.Raft/Step": _MANAGERS,
    "/skep.v1.Raft/SendSnapshot": _MANAGERS,
    "/skep.v1.Membership/Join": _MANAGERS,
    "/skep.v1.Membership/Leave": _MANAGERS,
    "/skep.v1.Membership/Resolve": _MANAGERS,
    "/skep.v1.Membership/List": _MANAGERS,
    "/skep.v1.Control/Forward": _MANAGERS,
    "/skep.v1.Control/Status": _MANAGERS,
    "/skep.v1.Dispatcher/Session": _NODES,
    "/skep.v1.Dispatcher/Heartbeat": _NODES,
    "/skep.v1.Dispatcher/Pause": _NODES,
    "/skep.v1.Dispatcher/Assignments": _NODES,
    "/skep.v1.Dispatcher/UpdateTaskStatus": _NODES,
    "/skep.v1.Logs/Read": _MANAGERS,
    "/skep.v1.Logs/Listen": _NODES,
    "/skep.v1.Logs/Publish": _NODES,
    "/skep.v1.Overlay/Watch": _NODES,
    "/skep.v1.Overlay/Confirm": _NODES,
    "/skep.v1.Overlay/Settled": _NODES,
    "/skep.v1.Overlay/Attach": _NODES,
    "/skep.v1.Overlay/Keep": _NODES,
    "/skep.v1.Overlay/RenewKeys": _NODES,
    "/skep.v1.CA/GetRootCertificate": _ALL,
    "/skep.v1.CA/IssueNodeCertificate": _ALL,
    "/skep.v1.CA/NodeCertificateStatus": _ALL,
    "/skep.v1.CA/GetUnlockKey": _MANAGERS,
}
"""Full method name → roles whose certificate opens it."""
