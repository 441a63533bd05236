"""What a leader does: keep the others with it, take in their answers."""

from __future__ import annotations

from manager.core.raft import follower, proposing, reads
from manager.core.raft.messages import NONE, Entry, Message, MessageKind
from manager.core.raft.progress import Progress
from manager.core.raft.replication import (
    broadcast_append,
    broadcast_heartbeat,
    maybe_commit,
    send_all_appends,
    send_append,
)
from manager.core.raft.state import State
from manager.core.raft.status import ProgressKind, Role


def become_leader(state: State) -> None:
    """Lead the present term, and open it with an empty entry."""
    state.reset(state.term)
    state.leader = state.id
    state.role = Role.LEADER
    me = state.membership.peers[state.id]
    me.become_replicate()
    me.is_active = True
    # A change of membership may be anywhere in what is not applied: let none in before it is.
    state.pending_change = state.log.last_index()
    is_taken = proposing.append(state, [Entry()])
    assert is_taken, "an empty entry counts nothing and is always taken"


def tick(state: State) -> None:
    """Let time pass: heartbeats, the quorum check, the end of a transfer that did not succeed."""
    state.heartbeat_elapsed += 1
    state.election_elapsed += 1
    if state.election_elapsed >= state.config.election_ticks:
        state.election_elapsed = 0
        if state.config.has_check_quorum:
            _check_quorum(state)
        state.transferee = NONE
    if state.role is Role.LEADER and state.heartbeat_elapsed >= state.config.heartbeat_ticks:
        state.heartbeat_elapsed = 0
        broadcast_heartbeat(state, state.reads.last_context())


def step(state: State, message: Message) -> None:
    """Take in a message of this term. Errors: ProposalDropped, ProposalTooLarge."""
    match message.kind:
        case MessageKind.APPEND_REPLY:
            _on_append_reply(state, message)
        case MessageKind.HEARTBEAT_REPLY:
            _on_heartbeat_reply(state, message)
        case MessageKind.PROPOSE:
            proposing.propose(state, message.entries)
        case MessageKind.READ_INDEX:
            reads.ask(state, message)
        case MessageKind.TRANSFER_LEADER:
            transfer(state, message.vote)
        case _:
            return


def transfer(state: State, to: int) -> None:
    """Hand leadership to a voter once it has the whole log; meanwhile nothing is proposed."""
    peer = state.membership.peers.get(to)
    if peer is None or peer.is_learner or to == state.transferee:
        return
    state.transferee = NONE
    if to == state.id:
        return
    state.election_elapsed = 0
    state.transferee = to
    if peer.match == state.log.last_index():
        _send_timeout_now(state, to)
    else:
        send_append(state, to)


def on_unreachable(state: State, id_: int) -> None:
    """Take in that a message could not be sent: appends on the way are probably lost as well."""
    peer = state.membership.peers.get(id_)
    if peer and peer.kind is ProgressKind.REPLICATE:
        peer.become_probe()


def on_snapshot_sent(state: State, id_: int, *, is_ok: bool) -> None:
    """Take in how sending a snapshot ended."""
    peer = state.membership.peers.get(id_)
    if peer is None or peer.kind is not ProgressKind.SNAPSHOT:
        return
    if not is_ok:
        peer.pending_snapshot = 0
    peer.become_probe()
    # Wait for its answer to the snapshot, or for the next heartbeat before another try.
    peer.is_paused_by_probe = True


def on_members_changed(state: State) -> None:
    """Go on leading a changed membership."""
    members = state.membership.members
    if state.id not in members.everyone() or state.id in members.learners:
        if state.config.steps_down_on_removal:
            follower.become_follower(state, state.term, NONE)
        return
    if maybe_commit(state):
        # A smaller quorum may have what the larger one had not.
        broadcast_append(state)
    else:
        for id_ in state.membership.ids:
            if id_ != state.id:
                send_append(state, id_, is_empty_allowed=False)
    if state.transferee not in members.all_voters():
        state.transferee = NONE


def _check_quorum(state: State) -> None:
    if not state.membership.is_quorum_active():
        follower.become_follower(state, state.term, NONE)
    for id_, peer in state.membership.peers.items():
        if id_ != state.id:
            peer.is_active = False


def _on_append_reply(state: State, message: Message) -> None:
    peer = state.membership.peers.get(message.sender)
    if peer is None:
        return
    peer.is_active = True
    if message.reject:
        _on_rejection(state, peer, message)
        return
    was_probed = peer.kind is ProgressKind.PROBE and peer.match == message.index
    if not peer.update(message.index) and not was_probed:
        return
    _resume(state, peer, message.index)
    if maybe_commit(state):
        reads.release_early(state)
        broadcast_append(state)
    elif message.sender != state.id and peer.may_learn_commit(state.log.committed):
        send_append(state, message.sender)
    if message.sender != state.id:
        send_all_appends(state, message.sender)
    if message.sender == state.transferee and peer.match == state.log.last_index():
        _send_timeout_now(state, message.sender)


def _on_rejection(state: State, peer: Progress, message: Message) -> None:
    hint = message.reject_hint
    if message.log_term:
        # Entries of terms above the follower's there cannot agree either.
        hint = state.log.find_conflict_by_term(hint, message.log_term).index
    if peer.back_off(message.index, hint):
        if peer.kind is ProgressKind.REPLICATE:
            peer.become_probe()
        send_append(state, message.sender)


def _resume(state: State, peer: Progress, index: int) -> None:
    """Send at full speed once it is known where the member's log agrees."""
    match peer.kind:
        case ProgressKind.PROBE:
            peer.become_replicate()
        case ProgressKind.SNAPSHOT:
            # Whatever snapshot it restored: the log here reaches down to its end.
            if peer.match + 1 >= state.log.first_index():
                peer.become_probe()
                peer.become_replicate()
        case ProgressKind.REPLICATE:
            peer.inflights.free_to(index)


def _on_heartbeat_reply(state: State, message: Message) -> None:
    peer = state.membership.peers.get(message.sender)
    if peer is None:
        return
    peer.is_active = True
    peer.is_paused_by_probe = False
    if peer.match < state.log.last_index() or peer.kind is ProgressKind.PROBE:
        send_append(state, message.sender)
    if message.context:
        reads.confirm(state, message.sender, message.context)


def _send_timeout_now(state: State, to: int) -> None:
    # It will be voted for within the lease of this leader, which therefore ends here.
    state.has_handed_over = True
    state.send(Message(kind=MessageKind.TIMEOUT_NOW, to=to, sender=state.id, term=state.term))
