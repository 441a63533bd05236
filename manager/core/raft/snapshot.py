"""Replacing the log by a snapshot that the leader sent."""

from __future__ import annotations

from manager.core.raft.members import from_conf_state
from manager.core.raft.messages import Snapshot
from manager.core.raft.state import State
from manager.core.raft.status import Role


def restore(state: State, snapshot: Snapshot) -> bool:
    """Begin again after a snapshot; False if it is dropped.

    It is if it holds nothing new, is not for this member, or comes while committed entries are
    being applied: a change of membership among them would be made on top of the snapshot's. The
    leader sends another one.
    """
    meta = snapshot.meta
    assert state.role is Role.FOLLOWER
    if meta.index <= state.log.committed or state.log.applied < state.log.applying:
        return False
    members = from_conf_state(meta.conf)
    if state.id not in members.everyone():
        return False
    if state.log.matches(meta.term, meta.index):
        # The log has all of it: only the commit index is news.
        state.log.commit_to(meta.index)
        return False
    state.log.restore(snapshot)
    state.switch_members(members)
    return True
