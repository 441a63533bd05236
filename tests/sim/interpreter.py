"""Plays a script on a cluster, one command at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from api.errors import SkepError
from manager.core.raft.config import NO_LIMIT, Config, ReadMode
from manager.core.raft.errors import MessageRefused, ProposalDropped
from manager.core.raft.messages import (
    LOCAL_APPEND,
    LOCAL_APPLY,
    ConfChange,
    ConfState,
    Entry,
    EntryKind,
    HardState,
    Message,
    MessageKind,
    Snapshot,
    SnapshotMeta,
    Transition,
    encode_change,
)
from tests.sim.describe import (
    KINDS_BY_NAME,
    OLDER_FORM,
    ROLES,
    describe_entries,
    describe_message,
    describe_progress,
    describe_ready,
    parse_changes,
)
from tests.sim.scripted_node import ScriptedNode
from tests.sim.traces import Command

_LOCAL = {LOCAL_APPEND, LOCAL_APPLY}
_UNLIMITED_MESSAGES = 2**31 - 1


class Interpreter:
    """A cluster, the messages between its members in the order sent, and the output so far."""

    def __init__(self, random_below: Callable[[int], int]) -> None:
        self._random_below = random_below
        self._nodes: dict[int, ScriptedNode] = {}
        self._messages: list[Message] = []
        self._lines: list[str] = []
        self._indent = ""
        self._is_quiet = False

    def play(self, command: Command) -> str:
        """Carry out a command; return what a trace says about it."""
        self._lines = []
        handler = _HANDLERS[command.name]
        try:
            handler(self, command)
        except SkepError as error:
            self._lines.append(_spell(error))
        return "\n".join(self._lines) or "ok"

    # Output.

    def _print(self, text: str) -> None:
        if not self._is_quiet:
            self._lines += [self._indent + line for line in text.splitlines()]

    @contextmanager
    def _indented(self, title: str) -> Iterator[None]:
        self._print(title)
        before, self._indent = self._indent, self._indent + "  "
        yield
        self._indent = before

    def log_level(self, command: Command) -> None:
        """At level none, nothing but errors is printed."""
        self._is_quiet = command.names[0].lower() == "none"

    # Members.

    def add_nodes(self, command: Command) -> None:
        """Add members, with a snapshot to begin from if voters are given."""
        conf = ConfState(voters=command.numbers("voters"), learners=command.numbers("learners"))
        index = int(command.value("index", "0"))
        snapshot = Snapshot(meta=SnapshotMeta(index=index, term=1 if index else 0, conf=conf))
        for _ in range(int(command.names[0])):
            id_ = len(self._nodes) + 1
            self._nodes[id_] = ScriptedNode(self._config(id_, command), snapshot)

    def _config(self, id_: int, command: Command) -> Config:
        return Config(
            id=id_,
            random_below=self._random_below,
            election_ticks=3,
            heartbeat_ticks=1,
            max_message_bytes=NO_LIMIT,
            max_inflight_messages=int(command.value("inflight", str(_UNLIMITED_MESSAGES))),
            max_uncommitted_bytes=NO_LIMIT,
            max_apply_bytes=int(command.value("max-committed-size-per-ready", str(NO_LIMIT))),
            has_check_quorum=command.is_set("checkquorum"),
            has_pre_vote=command.is_set("prevote"),
            read_mode=ReadMode(command.value("read-only", "safe")),
            is_async_storage=command.is_set("async-storage-writes"),
            validates_changes=not command.is_set("disable-conf-change-validation"),
            steps_down_on_removal=command.is_set("step-down-on-removal"),
        )

    def set_timeout(self, command: Command) -> None:
        """Set after how many ticks a member stands for election."""
        node = self._nodes[command.ids()[0]]
        node.raft._state.election_timeout = int(command.value("timeout", ""))

    def tick_election(self, command: Command) -> None:
        """Let one election time pass for a member."""
        node = self._nodes[command.ids()[0]]
        for _ in range(node.config.election_ticks):
            node.raft.tick()

    def tick_heartbeat(self, command: Command) -> None:
        """Let one heartbeat time pass for a member."""
        node = self._nodes[command.ids()[0]]
        for _ in range(node.config.heartbeat_ticks):
            node.raft.tick()

    # Asking.

    def campaign(self, command: Command) -> None:
        """Let a member stand for election."""
        self._nodes[command.ids()[0]].raft.campaign()

    def propose(self, command: Command) -> None:
        """Propose a command on a member."""
        id_, data = command.text.split(" ", 1)
        self._nodes[int(id_)].raft.propose(data.strip().encode())

    def propose_change(self, command: Command) -> None:
        """Propose a change as a peer would: one that does not fit becomes an empty entry."""
        id_ = command.ids()[0]
        change = ConfChange(
            changes=parse_changes(command.input),
            transition=Transition[command.value("transition", "auto").upper()],
            context=OLDER_FORM if command.is_set("v1") else b"",
        )
        entry = Entry(kind=EntryKind.CHANGE, data=encode_change(change))
        self._nodes[id_].raft.step(
            Message(kind=MessageKind.PROPOSE, to=id_, sender=id_, entries=(entry,))
        )

    def read_index(self, command: Command) -> None:
        """Ask a member for the index of a linearizable read."""
        id_, context = command.names
        self._nodes[int(id_)].raft.read_index(context.encode())

    def transfer(self, command: Command) -> None:
        """Ask a member to hand leadership to another."""
        leader = self._nodes[int(command.value("from", ""))]
        leader.raft.transfer_leader(int(command.value("to", "")))

    def forget_leader(self, command: Command) -> None:
        """Let a member forget its leader."""
        self._nodes[command.ids()[0]].raft.forget_leader()

    def report_unreachable(self, command: Command) -> None:
        """Tell a member that another one could not be reached."""
        id_, peer = command.ids()
        self._nodes[id_].raft.report_unreachable(peer)

    def send_snapshot(self, command: Command) -> None:
        """Send a snapshot from outside of the protocol."""
        sender, to = command.ids()
        node = self._nodes[sender]
        message = Message(
            kind=MessageKind.SNAPSHOT,
            to=to,
            sender=sender,
            term=node.raft.status().hard_state.term,
            snapshot=node.log.snapshot(),
        )
        self._messages.append(message)
        self._print(describe_message(message))

    def compact(self, command: Command) -> None:
        """Forget a member's entries up to an index, and show the rest."""
        id_, index = command.ids()
        self._nodes[id_].log.compact(index)
        self._show_log(self._nodes[id_])

    # Showing.

    def raft_log(self, command: Command) -> None:
        """Show what a member has stored."""
        self._show_log(self._nodes[command.ids()[0]])

    def _show_log(self, node: ScriptedNode) -> None:
        first, last = node.log.first_index(), node.log.last_index()
        if last < first:
            self._print(f"log is empty: first index={first}, last index={last}")
        else:
            self._print(describe_entries(node.log.entries(first, last + 1, NO_LIMIT)))

    def raft_state(self, _command: Command) -> None:
        """Show everyone's part."""
        for id_, node in self._nodes.items():
            status = node.raft.status()
            is_voter = id_ in status.conf.voters + status.conf.voters_outgoing
            self._print(
                f"{id_}: {ROLES[status.soft_state.role]} ({'' if is_voter else 'Non-'}Voter) "
                f"Term:{status.hard_state.term} Lead:{status.soft_state.leader}"
            )

    def status(self, command: Command) -> None:
        """Show what a leader knows of everyone."""
        self._print(describe_progress(self._nodes[command.ids()[0]].raft.status().peers))

    # Working.

    def process_ready(self, command: Command) -> None:
        """Do what is due on members."""
        self._for_each(command, "handling Ready", self._do_ready)

    def process_append(self, command: Command) -> None:
        """Let the workers that store do one piece of work."""
        self._for_each(command, "processing append thread", self._do_append)

    def process_apply(self, command: Command) -> None:
        """Let the workers that apply do one piece of work."""
        self._for_each(command, "processing apply thread", self._do_apply)

    def _for_each(self, command: Command, what: str, work: Callable[[ScriptedNode], None]) -> None:
        ids = command.ids()
        for id_ in ids:
            if len(ids) == 1:
                work(self._nodes[id_])
            else:
                with self._indented(f"> {id_} {what}"):
                    work(self._nodes[id_])

    def deliver(self, command: Command) -> None:
        """Deliver messages to members, drop those to others."""
        kind = KINDS_BY_NAME[command.value("type", "")] if "type" in command.values else None
        count = sum(self._deliver(id_, kind) for id_ in command.ids())
        count += sum(self._drop(id_, kind) for id_ in command.numbers("drop"))
        if not count:
            self._print("no messages")

    def stabilize(self, command: Command) -> None:
        """Do everything on members, in turns, until nothing is left to do."""
        before = self._is_quiet
        if "log-level" in command.values:
            self._is_quiet = command.value("log-level", "") == "none"
        ids = command.ids() or tuple(self._nodes)
        while self._take_turn(ids):
            pass
        self._is_quiet = before

    def _take_turn(self, ids: tuple[int, ...]) -> bool:
        """Do what was due on each, then deliver, then store, then apply; False if nothing was."""
        did = False
        for id_ in ids:
            if self._nodes[id_].raft.has_ready():
                did = True
                with self._indented(f"> {id_} handling Ready"):
                    self._do_ready(self._nodes[id_])
        for id_ in ids:
            if any(message.to == id_ for message in self._messages):
                did = True
                with self._indented(f"> {id_} receiving messages"):
                    self._deliver(id_, None)
        for what, work, queue in (
            ("append", self._do_append, "append_work"),
            ("apply", self._do_apply, "apply_work"),
        ):
            for id_ in ids:
                node = self._nodes[id_]
                if getattr(node, queue):
                    did = True
                    with self._indented(f"> {id_} processing {what} thread"):
                        while getattr(node, queue):
                            work(node)
        return did

    def _deliver(self, to: int, kind: MessageKind | None) -> int:
        chosen = self._take_out(lambda message: message.to == to and kind in {None, message.kind})
        for message in chosen:
            self._print(describe_message(message))
            try:
                self._nodes[to].raft.step(message)
            except SkepError as error:
                self._print(_spell(error))
        return len(chosen)

    def _drop(self, to: int, kind: MessageKind | None) -> int:
        chosen = self._take_out(
            lambda message: (
                message.to == to
                and kind in {None, message.kind}
                and message.sender not in {to, *_LOCAL}
            )
        )
        for message in chosen:
            self._print("dropped: " + describe_message(message))
        return len(chosen)

    def _take_out(self, is_chosen: Callable[[Message], bool]) -> list[Message]:
        chosen = [message for message in self._messages if is_chosen(message)]
        self._messages = [message for message in self._messages if not is_chosen(message)]
        return chosen

    def _do_ready(self, node: ScriptedNode) -> None:
        ready = node.raft.ready()
        self._print(describe_ready(ready))
        if node.config.is_async_storage:
            for message in ready.messages:
                if message.to == LOCAL_APPEND:
                    node.append_work.append(message)
                elif message.to == LOCAL_APPLY:
                    node.apply_work.append(message)
                else:
                    self._messages.append(message)
            return
        node.store(ready.hard_state, ready.entries, ready.snapshot)
        node.apply(ready.committed)
        self._messages += ready.messages
        node.raft.advance()

    def _do_append(self, node: ScriptedNode) -> None:
        if not node.append_work:
            self._print("no append work to perform")
            return
        message = node.append_work.pop(0)
        self._show_work(message)
        hard_state = HardState(term=message.term, vote=message.vote, commit=message.commit)
        node.store(hard_state if message.term else None, message.entries, message.snapshot)
        self._show_responses(message)

    def _do_apply(self, node: ScriptedNode) -> None:
        if not node.apply_work:
            self._print("no apply work to perform")
            return
        message = node.apply_work.pop(0)
        self._show_work(message)
        node.apply(message.entries)
        self._show_responses(message)

    def _show_work(self, message: Message) -> None:
        self._print("Processing:")
        self._print(describe_message(msgspec.structs.replace(message, responses=())))

    def _show_responses(self, message: Message) -> None:
        self._print("Responses:")
        for response in message.responses:
            self._print(describe_message(response))
        self._messages += message.responses


def _spell(error: SkepError) -> str:
    """Return an error in the words of the traces."""
    if isinstance(error, ProposalDropped):
        return "raft proposal dropped"
    if isinstance(error, MessageRefused) and "not a member" in error.message:
        return "raft: cannot step as peer not found"
    return error.message


_HANDLERS: dict[str, Callable[[Interpreter, Command], None]] = {
    "add-nodes": Interpreter.add_nodes,
    "campaign": Interpreter.campaign,
    "compact": Interpreter.compact,
    "deliver-msgs": Interpreter.deliver,
    "forget-leader": Interpreter.forget_leader,
    "log-level": Interpreter.log_level,
    "process-append-thread": Interpreter.process_append,
    "process-apply-thread": Interpreter.process_apply,
    "process-ready": Interpreter.process_ready,
    "propose": Interpreter.propose,
    "propose-conf-change": Interpreter.propose_change,
    "raft-log": Interpreter.raft_log,
    "raft-state": Interpreter.raft_state,
    "read-index": Interpreter.read_index,
    "report-unreachable": Interpreter.report_unreachable,
    "send-snapshot": Interpreter.send_snapshot,
    "set-randomized-election-timeout": Interpreter.set_timeout,
    "stabilize": Interpreter.stabilize,
    "status": Interpreter.status,
    "tick-election": Interpreter.tick_election,
    "tick-heartbeat": Interpreter.tick_heartbeat,
    "transfer-leadership": Interpreter.transfer,
}
