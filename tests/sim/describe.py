"""How traces spell what consensus says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from manager.core.raft.members import Members
from manager.core.raft.messages import (
    LOCAL_APPEND,
    LOCAL_APPLY,
    ChangeKind,
    ConfChange,
    ConfChangeSingle,
    Entry,
    EntryKind,
    HardState,
    Message,
    MessageKind,
    Snapshot,
    decode_change,
)
from manager.core.raft.ready import Ready
from manager.core.raft.status import PeerStatus, ProgressKind, Role

# Skep knows one form of a change of membership, traces know two. A change that a script proposes
# in the older one carries this context, so that it is spelled as the script spells it.
OLDER_FORM = b"v1"

_KINDS = {
    MessageKind.PROPOSE: "MsgProp",
    MessageKind.APPEND: "MsgApp",
    MessageKind.APPEND_REPLY: "MsgAppResp",
    MessageKind.VOTE: "MsgVote",
    MessageKind.VOTE_REPLY: "MsgVoteResp",
    MessageKind.PRE_VOTE: "MsgPreVote",
    MessageKind.PRE_VOTE_REPLY: "MsgPreVoteResp",
    MessageKind.SNAPSHOT: "MsgSnap",
    MessageKind.HEARTBEAT: "MsgHeartbeat",
    MessageKind.HEARTBEAT_REPLY: "MsgHeartbeatResp",
    MessageKind.TRANSFER_LEADER: "MsgTransferLeader",
    MessageKind.TIMEOUT_NOW: "MsgTimeoutNow",
    MessageKind.READ_INDEX: "MsgReadIndex",
    MessageKind.READ_INDEX_REPLY: "MsgReadIndexResp",
    MessageKind.STORAGE_APPEND: "MsgStorageAppend",
    MessageKind.STORAGE_APPEND_REPLY: "MsgStorageAppendResp",
    MessageKind.STORAGE_APPLY: "MsgStorageApply",
    MessageKind.STORAGE_APPLY_REPLY: "MsgStorageApplyResp",
}
KINDS_BY_NAME = {name: kind for kind, name in _KINDS.items()}
ROLES = {
    Role.FOLLOWER: "StateFollower",
    Role.PRE_CANDIDATE: "StatePreCandidate",
    Role.CANDIDATE: "StateCandidate",
    Role.LEADER: "StateLeader",
}
_PROGRESS = {
    ProgressKind.PROBE: "StateProbe",
    ProgressKind.REPLICATE: "StateReplicate",
    ProgressKind.SNAPSHOT: "StateSnapshot",
}
_LETTERS = {
    "v": ChangeKind.ADD_VOTER,
    "l": ChangeKind.ADD_LEARNER,
    "r": ChangeKind.REMOVE,
    "u": ChangeKind.UPDATE,
}
_LETTER_OF = {kind: letter for letter, kind in _LETTERS.items()}
_LOCAL = {LOCAL_APPEND: "AppendThread", LOCAL_APPLY: "ApplyThread"}


def parse_changes(text: str) -> tuple[ConfChangeSingle, ...]:
    """Return the steps in a text like "v1 l2 r3"."""
    return tuple(ConfChangeSingle(_LETTERS[word[0]], int(word[1:])) for word in text.split())


def describe_entry(entry: Entry) -> str:
    """Return an entry as term/index, kind, content."""
    if entry.kind is EntryKind.NORMAL:
        return f"{entry.term}/{entry.index} EntryNormal {json.dumps(entry.data.decode())}"
    change = decode_change(entry.data)
    name = "EntryConfChange" if change.context == OLDER_FORM else "EntryConfChangeV2"
    return " ".join([f"{entry.term}/{entry.index} {name}", *_steps(change)])


def describe_entries(entries: Iterable[Entry]) -> str:
    """Return entries, one a line."""
    return "".join(describe_entry(entry) + "\n" for entry in entries)


def describe_snapshot(snapshot: Snapshot) -> str:
    """Return a snapshot without its data."""
    meta, conf = snapshot.meta, snapshot.meta.conf
    lists = {
        "Voters": conf.voters,
        "VotersOutgoing": conf.voters_outgoing,
        "Learners": conf.learners,
        "LearnersNext": conf.learners_next,
    }
    words = " ".join(f"{name}:[{' '.join(map(str, ids))}]" for name, ids in lists.items())
    auto = str(conf.auto_leave).lower()
    return f"Index:{meta.index} Term:{meta.term} ConfState:{words} AutoLeave:{auto}"


def describe_message(message: Message, indent: str = "") -> str:
    """Return a message; its parts on lines of their own where there are several."""
    sender, to = (_LOCAL.get(id_, str(id_)) for id_ in (message.sender, message.to))
    text = (
        f"{indent}{sender}->{to} {_KINDS[message.kind]} "
        f"Term:{message.term} Log:{message.log_term}/{message.index}"
    )
    if message.reject:
        text += f" Rejected (Hint: {message.reject_hint})"
    if message.commit:
        text += f" Commit:{message.commit}"
    if message.vote:
        text += f" Vote:{message.vote}"
    entries = [describe_entry(entry) for entry in message.entries]
    if len(entries) == 1:
        text += f" Entries:[{entries[0]}]"
    elif entries:
        text += " Entries:[" + "".join(f"\n{indent}  {entry}" for entry in entries)
        text += f"\n{indent}]"
    if message.snapshot and message.snapshot.meta.index:
        text += f"\n{indent}  Snapshot: {describe_snapshot(message.snapshot)}"
    if message.responses:
        responses = (describe_message(each, indent + "  ") for each in message.responses)
        text += " Responses:[" + "".join(f"\n{each}" for each in responses) + f"\n{indent}]"
    return text


def describe_ready(ready: Ready) -> str:
    """Return the work that a step left."""
    text = ""
    if ready.soft_state:
        text += f"Lead:{ready.soft_state.leader} State:{ROLES[ready.soft_state.role]}\n"
    if ready.hard_state:
        text += f"HardState {_hard_state(ready.hard_state)}\n"
    for read in ready.read_states:
        text += f"ReadState Index:{read.index} {json.dumps(read.context.decode())}\n"
    if ready.entries:
        text += "Entries:\n" + describe_entries(ready.entries)
    if ready.snapshot:
        text += f"Snapshot {describe_snapshot(ready.snapshot)}\n"
    if ready.committed:
        text += "CommittedEntries:\n" + describe_entries(ready.committed)
    if ready.messages:
        text += "Messages:\n"
        text += "".join(describe_message(message) + "\n" for message in ready.messages)
    if not text:
        return "<empty Ready>\n"
    return f"Ready MustSync={str(ready.must_sync).lower()}:\n{text}"


def describe_members(members: Members) -> str:
    """Return a membership."""
    text = f"voters={_set(members.voters)}"
    if members.is_joint():
        text += f"&&{_set(members.outgoing)}"
    if members.learners:
        text += f" learners={_set(members.learners)}"
    if members.learners_next:
        text += f" learners_next={_set(members.learners_next)}"
    return text + " autoleave" * members.auto_leave


def describe_progress(peers: Mapping[int, PeerStatus]) -> str:
    """Return what a leader knows of everyone, one a line."""
    return "".join(f"{id_}: {_peer(peer)}\n" for id_, peer in sorted(peers.items()))


def _peer(peer: PeerStatus) -> str:
    words = [_PROGRESS[peer.kind], f"match={peer.match}", f"next={peer.next}"]
    words += ["learner"] * peer.is_learner + ["paused"] * peer.is_paused
    if peer.pending_snapshot:
        words.append(f"pendingSnap={peer.pending_snapshot}")
    words += ["inactive"] * (not peer.is_active)
    if peer.inflight:
        words.append(f"inflight={peer.inflight}" + "[full]" * peer.is_inflight_full)
    return " ".join(words)


def _hard_state(state: HardState) -> str:
    vote = f" Vote:{state.vote}" if state.vote else ""
    return f"Term:{state.term}{vote} Commit:{state.commit}"


def _steps(change: ConfChange) -> list[str]:
    return [f"{_LETTER_OF[step.kind]}{step.id}" for step in change.changes]


def _set(ids: frozenset[int]) -> str:
    return f"({' '.join(map(str, sorted(ids)))})"
