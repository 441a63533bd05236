"""Turns: what consensus wants done is handed to disk, network and state machine, until it rests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

import structlog

from manager.core.raft.errors import MessageRefused, ProposalDropped, ProposalTooLarge
from manager.core.raft.messages import LOCAL_APPEND, LOCAL_APPLY, Message
from manager.core.raft.raft import Raft
from manager.core.raft.ready import Ready

log = structlog.get_logger(__name__)

_TURN_LIMIT_S = 0.01


class Worker(Protocol):
    """Takes storage messages; its responses come back by `deliver`."""

    def put(self, message: Message) -> None:
        """Take in work."""
        ...


class Applies(Worker, Protocol):
    """Applies what is committed."""

    def step(self) -> bool:
        """Apply some; False if nothing waits."""
        ...


class Driver:
    """Runs one core. A turn is one callback of the loop; a long one goes on in another."""

    def __init__(
        self,
        raft_id: int,
        raft: Raft,
        writer: Worker,
        applier: Applies,
        send: Callable[[Message], None],
        on_news: Callable[[Ready], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        """Begin.

        send:        carries messages to other members.
        on_news:     hears of changed leadership, and of answered reads.
        on_failure:  hears what makes going on impossible; there are no turns after it.
        """
        self._raft_id = raft_id
        self._raft = raft
        self._writer = writer
        self._applier = applier
        self._send = send
        self._on_news = on_news
        self._on_failure = on_failure
        self._is_due = False
        self._is_turning = False
        self._has_stopped = False

    def wake(self) -> None:
        """Take a turn soon."""
        if not self._is_due and not self._has_stopped:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._turn_if_due)

    def go(self) -> None:
        """Take a turn now, for whom a round of the loop would be a wait; soon if one is on."""
        if self._is_turning:
            self.wake()
        else:
            self._turn()

    def stop(self) -> None:
        """Take no more turns."""
        self._has_stopped = True

    def deliver(self, message: Message) -> None:
        """Take in a storage worker's response, or send it where it is for."""
        if message.to == self._raft_id:
            self.step(message)
        else:
            self._send(message)

    def step(self, message: Message) -> None:
        """Take in a message; one that no correct member sends is only noted."""
        try:
            self._raft.step(message)
        except MessageRefused as error:
            log.info("raft.message_refused", reason=error.message, sender=message.sender)
        except (ProposalDropped, ProposalTooLarge) as error:
            log.debug("raft.forwarded_proposal_dropped", reason=error.message)
        self.wake()

    def tick(self) -> None:
        """Let a unit of time pass."""
        self._raft.tick()
        self.wake()

    def _turn_if_due(self) -> None:
        if self._is_due:
            self._turn()

    def _turn(self) -> None:
        self._is_due = False
        if self._has_stopped:
            return
        deadline_s = time.monotonic() + _TURN_LIMIT_S
        self._is_turning = True
        try:
            while self._do_some():
                if time.monotonic() >= deadline_s:
                    self.wake()
                    return
        except BaseException as error:
            self._has_stopped = True
            self._on_failure(error)
            if not isinstance(error, Exception):
                raise
        finally:
            self._is_turning = False

    def _do_some(self) -> bool:
        """Do what is next; False when there is nothing."""
        if not self._raft.has_ready():
            return self._applier.step()
        ready = self._raft.ready()
        for message in ready.messages:
            match message.to:
                case to if to == LOCAL_APPEND:
                    self._writer.put(message)
                case to if to == LOCAL_APPLY:
                    self._applier.put(message)
                case _:
                    self._send(message)
        if ready.soft_state or ready.read_states:
            self._on_news(ready)
        return True
