"""What the verbs of the cluster need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from manager.ports.issuer import ExternalIssuer, Issuer
from manager.ports.logs import TaskLogs
from manager.ports.members import Members
from manager.ports.store import Store


@dataclass(frozen=True, slots=True)
class ClusterEnv:
    """The replicated state, and the managers around it; node_id is this manager's own node.

    note_key_shown is called when somebody is about to be shown the unlock key.
    """

    node_id: str
    store: Store
    members: Members
    issuer: Issuer
    external_issuer: ExternalIssuer
    logs: TaskLogs
    note_key_shown: Callable[[], None]
