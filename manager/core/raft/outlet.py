"""Turning what steps left behind into work for the driver."""

from __future__ import annotations

from manager.core.raft.messages import (
    LOCAL_APPEND,
    LOCAL_APPLY,
    HardState,
    Message,
    MessageKind,
)
from manager.core.raft.ready import Ready
from manager.core.raft.state import State
from manager.core.raft.status import SoftState


class Outlet:
    """Remembers what the driver was told, and what follows once it is done."""

    __slots__ = ("_after", "_hard_state", "_soft_state", "_state")

    def __init__(self, state: State) -> None:
        self._state = state
        self._soft_state: SoftState = state.soft_state()
        self._hard_state: HardState = state.hard_state()
        self._after: list[Message] = []

    def has_ready(self) -> bool:
        """Tell whether there is any work."""
        state = self._state
        log = state.log
        return bool(
            state.outbox
            or state.when_stored
            or state.read_states
            or log.unstable.has_next_entries()
            or log.has_next_committed(is_unstable_allowed=self._may_apply_unstable())
            or log.unstable.next_snapshot()
            or state.hard_state() != self._hard_state
            or state.soft_state() != self._soft_state
        )

    def take(self) -> Ready:
        """Return the work, and count it as being done."""
        assert not self._after, "the work before was not advanced"
        state = self._state
        ready = self._collect()
        if state.config.is_async_storage:
            messages = self._messages_with_storage(ready)
        else:
            messages = self._messages_after_storage(ready)
        self._accept(ready)
        return Ready(
            soft_state=ready.soft_state,
            hard_state=ready.hard_state,
            read_states=ready.read_states,
            entries=ready.entries,
            snapshot=ready.snapshot,
            committed=ready.committed,
            messages=tuple(messages),
            must_sync=ready.must_sync,
        )

    def advance(self) -> list[Message]:
        """Return what this member says to itself now that the work is done."""
        after, self._after = self._after, []
        return after

    def _may_apply_unstable(self) -> bool:
        """Tell whether entries may be applied that are only about to be stored.

        They may if the driver stores before it applies, not if two workers do so side by side.
        """
        return not self._state.config.is_async_storage

    def _collect(self) -> Ready:
        state = self._state
        log = state.log
        soft_state = state.soft_state()
        hard_state = state.hard_state()
        entries = tuple(log.unstable.next_entries())
        before = self._hard_state
        return Ready(
            soft_state=soft_state if soft_state != self._soft_state else None,
            hard_state=hard_state if hard_state != before else None,
            read_states=tuple(state.read_states),
            entries=entries,
            snapshot=log.unstable.next_snapshot(),
            committed=tuple(log.next_committed(is_unstable_allowed=self._may_apply_unstable())),
            # A commit index that is lost is found again; a term, a vote or an entry is not.
            must_sync=bool(entries)
            or (hard_state.term, hard_state.vote) != (before.term, before.vote),
        )

    def _accept(self, ready: Ready) -> None:
        state = self._state
        self._soft_state = ready.soft_state or self._soft_state
        self._hard_state = ready.hard_state or self._hard_state
        state.read_states = []
        state.outbox = []
        state.when_stored = []
        state.log.unstable.accept()
        if ready.committed:
            state.log.accept_committed(
                ready.committed, is_unstable_allowed=self._may_apply_unstable()
            )

    def _messages_after_storage(self, ready: Ready) -> list[Message]:
        """Return the messages to others; those to oneself wait for `advance`."""
        state = self._state
        others = [message for message in state.when_stored if message.to != state.id]
        self._after = [message for message in state.when_stored if message.to == state.id]
        if self._needs_stored_reply(ready):
            self._after.append(self._stored_reply(ready))
        if ready.committed:
            self._after.append(self._applied_reply(ready))
        return state.outbox + others

    def _messages_with_storage(self, ready: Ready) -> list[Message]:
        """Return the messages to others, then the work for the two storage workers."""
        state = self._state
        messages = list(state.outbox)
        if ready.entries or ready.hard_state or ready.snapshot or state.when_stored:
            messages.append(self._storage_append(ready))
        if ready.committed:
            messages.append(
                Message(
                    kind=MessageKind.STORAGE_APPLY,
                    to=LOCAL_APPLY,
                    sender=state.id,
                    entries=ready.committed,
                    responses=(self._applied_reply(ready),),
                )
            )
        return messages

    def _storage_append(self, ready: Ready) -> Message:
        state = self._state
        hard_state = ready.hard_state or HardState()
        # The leader's own acknowledgement comes before the reply, which would cost a look at
        # storage if the entries had left memory already.
        responses = list(state.when_stored)
        if self._needs_stored_reply(ready):
            responses.append(self._stored_reply(ready))
        return Message(
            kind=MessageKind.STORAGE_APPEND,
            to=LOCAL_APPEND,
            sender=state.id,
            term=hard_state.term,
            vote=hard_state.vote,
            commit=hard_state.commit,
            entries=ready.entries,
            snapshot=ready.snapshot,
            responses=tuple(responses),
        )

    def _needs_stored_reply(self, ready: Ready) -> bool:
        return bool(self._state.log.unstable.entries) or ready.snapshot is not None

    def _stored_reply(self, ready: Ready) -> Message:
        """Return what tells this member that all it has handed out so far is stored.

        It names the last entry and the present term. Entries may be replaced while they are
        being written; then the reply names an entry that is gone, or comes from an older term,
        and is ignored: the log must not be read from storage while an older write may still
        be on its way there. Therefore each write of this term names whatever is unstable, even
        if an earlier one is writing it.
        """
        state = self._state
        last = state.log.last_id() if state.log.unstable.entries else None
        return Message(
            kind=MessageKind.STORAGE_APPEND_REPLY,
            to=state.id,
            sender=LOCAL_APPEND,
            term=state.term,
            index=last.index if last else 0,
            log_term=last.term if last else 0,
            snapshot=ready.snapshot,
        )

    def _applied_reply(self, ready: Ready) -> Message:
        return Message(
            kind=MessageKind.STORAGE_APPLY_REPLY,
            to=self._state.id,
            sender=LOCAL_APPLY,
            entries=ready.committed,
        )
