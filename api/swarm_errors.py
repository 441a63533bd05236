"""Errors about a node's place in a swarm, in Docker's words; managers and nodes raise them.

Source of the statuses: Engine API 1.56, the operations under /swarm and their 503s.
"""

from __future__ import annotations

from typing import ClassVar

from api.cluster_errors import InvalidSpec, rpc_text
from api.errors import Conflict, InvalidArgument, Unauthenticated, Unavailable


class NotInSwarm(Unavailable):
    """The node is in no swarm that it could leave."""

    def __init__(self) -> None:
        super().__init__("This node is not part of a swarm")


class AlreadyInSwarm(Unavailable):
    """A node is in one swarm at most."""

    def __init__(self) -> None:
        super().__init__(
            'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm '
            "and join another one."
        )


class NotManager(Unavailable):
    """The node is in no swarm, and something was asked that a manager answers."""

    def __init__(self) -> None:
        super().__init__(
            'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to '
            "connect this node to swarm and try again."
        )


class WorkerNode(Unavailable):
    """The node is a worker, and something was asked that a manager answers."""

    def __init__(self) -> None:
        super().__init__(
            "This node is not a swarm manager. Worker nodes can't be used to view or modify "
            "cluster state. Please run this command on a manager node or promote the current node "
            "to a manager."
        )


class ManagerNotReady(Unavailable):
    """The node is a manager that does not answer yet, or cannot reach the others."""

    def __init__(self) -> None:
        super().__init__(
            "This node is not a swarm manager. Manager is being prepared or has trouble "
            "connecting to the cluster."
        )


class SwarmLocked(Unavailable):
    """The manager's data wait for their key."""

    def __init__(self) -> None:
        super().__init__(
            "Swarm is encrypted and needs to be unlocked before it can be used. Please use "
            '"docker swarm unlock" to unlock it.'
        )


class LeaveLocked(Unavailable):
    """A locked manager would leave without a word to the others."""

    def __init__(self) -> None:
        super().__init__(
            "Swarm is encrypted and locked. Please unlock it first or use `--force` to ignore "
            "this message."
        )


class SwarmNotLocked(Conflict):
    """There is nothing to unlock."""

    def __init__(self) -> None:
        super().__init__("swarm is not locked")


class InvalidUnlockKey(Unauthenticated):
    """The key does not open the manager's data."""

    def __init__(self) -> None:
        super().__init__("swarm could not be unlocked: invalid key provided")


class CertificatesExpired(Unavailable):
    """The node was away for longer than its certificate lasted."""

    def __init__(self) -> None:
        super().__init__(
            "Swarm certificates have expired. To replace them, leave the swarm and join again."
        )


class JoinTimedOut(Unavailable):
    """Joining takes longer than the client waits, and goes on."""

    def __init__(self) -> None:
        super().__init__(
            "Timeout was reached before node joined. The attempt to join the swarm will continue "
            'in the background. Use the "docker info" command to see the current swarm status of '
            "your node."
        )


class ManagerLeaves(Unavailable):
    """A manager may leave by force only; `danger` says what is at stake."""

    danger: ClassVar[str] = (
        "The only way to restore a swarm that has lost consensus is to reinitialize it with "
        "`--force-new-cluster`. Use `--force` to suppress this message."
    )

    def __init__(self, danger: str = "") -> None:
        super().__init__(
            "You are attempting to leave the swarm on a node that is participating as a manager. "
            f"{danger}{self.danger}"
        )


class LastManagerLeaves(ManagerLeaves):
    """The swarm would end with its last manager."""

    danger = (
        "Removing the last manager erases all current state of the swarm. Use `--force` to "
        "ignore this message. "
    )


class QuorumLeaves(ManagerLeaves):
    """Those who stay would be too few to decide."""

    def __init__(self, left: int, total: int) -> None:
        super().__init__(
            f"Removing this node leaves {left} managers out of {total}. Without a Raft quorum "
            "your swarm will be inaccessible. "
        )


class CutOffManagerLeaves(ManagerLeaves):
    """The manager does not know how the others are."""

    def __init__(self) -> None:
        super().__init__("Doing so may lose the consensus of your cluster. ")


class MalformedJoinToken(InvalidArgument):
    """The text is no join token."""

    def __init__(self) -> None:
        super().__init__("invalid join token")


class InvalidJoinToken(InvalidSpec):
    """The token is not, or no longer, one of this cluster."""

    def __init__(self) -> None:
        super().__init__("A valid join token is necessary to join this cluster")


class FingerprintMismatch(InvalidArgument):
    """The cluster that answered is not the one that the token is of."""

    def __init__(self, expected: str) -> None:
        super().__init__(f"remote CA does not match fingerprint. Expected: {expected}")


class NoLeader(Unavailable):
    """Too few managers are up to decide. Docker answers 500."""

    def __init__(self) -> None:
        super().__init__(
            rpc_text(
                "Unknown",
                "The swarm does not have a leader. It's possible that too few managers are "
                "online. Make sure more than half of the managers are online.",
            )
        )
