"""The start of a new cluster."""

from __future__ import annotations

from manager.core.raft.bootstrap import first_entries
from manager.core.raft.memory_log import MemoryLog
from manager.core.raft.messages import ChangeKind, ConfChange, ConfChangeSingle, decode_change
from manager.core.raft.status import Role
from tests.fakes.raft_members import Lone, Members


def test_first_voters_know_one_another_once_they_applied_their_entries() -> None:
    """And none stands for election before."""
    hard_state, entries = first_entries({2: b"b", 1: b"a"})
    lone = Lone(MemoryLog(hard_state, entries=entries))

    lone.raft.campaign()
    role_before = lone.status().soft_state.role
    ready = lone.raft.ready()
    for entry in ready.committed:
        lone.raft.apply_conf_change(decode_change(entry.data))
    lone.raft.advance()
    lone.raft.campaign()

    assert [b"a", b"b"] == [decode_change(entry.data).context for entry in entries]
    assert (1, 2) == lone.status().conf.voters
    assert (Role.FOLLOWER, Role.CANDIDATE) == (role_before, lone.status().soft_state.role)
    assert 2 == lone.status().hard_state.term


def test_member_that_joins_later_gets_the_first_entries() -> None:
    """So it learns the membership from the log, without a snapshot."""
    cluster = Members(voters=0)
    hard_state, entries = first_entries({1: b""})
    cluster.add(1, MemoryLog(hard_state, entries=entries))
    cluster.settle()
    cluster.elect(1)
    cluster.add(2)

    cluster[1].propose_conf_change(ConfChange((ConfChangeSingle(ChangeKind.ADD_VOTER, 2),)))
    cluster.settle()

    assert (1, 2) == cluster[2].status().conf.voters
    assert 0 == cluster.logs[2].snapshot().meta.index
