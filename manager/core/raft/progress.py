"""What a leader knows of one member, and how it paces what it sends there.

PROBE      one append per heartbeat until one is answered: the member's log is unknown
REPLICATE  appends follow one another without waiting, up to the window
SNAPSHOT   nothing but the snapshot, until the member says where it is
"""

from __future__ import annotations

from collections import deque

from manager.core.raft.status import PeerStatus, ProgressKind


class Inflights:
    """The window: the last index and size of each append that was not answered."""

    __slots__ = ("_bytes", "_max_bytes", "_max_messages", "_sent")

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._sent: deque[tuple[int, int]] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._sent)

    def is_full(self) -> bool:
        """Tell whether another append would pass the window; 0 bytes mean no limit."""
        return len(self._sent) >= self._max_messages or (
            self._max_bytes != 0 and self._bytes >= self._max_bytes
        )

    def add(self, last_index: int, size_bytes: int) -> None:
        """Note an append."""
        assert not self.is_full(), "an append was sent past the window"
        self._sent.append((last_index, size_bytes))
        self._bytes += size_bytes

    def free_to(self, index: int) -> None:
        """Take out the appends that end at or before `index`."""
        sent = self._sent
        while sent and sent[0][0] <= index:
            self._bytes -= sent.popleft()[1]

    def clear(self) -> None:
        """Take out all."""
        self._sent.clear()
        self._bytes = 0


class Progress:
    """One member. Invariant: match < next.

    match: the log agrees up to here · next: what is sent next · is_active: heard of since the
    last quorum check · is_paused_by_probe: wait for an answer or a heartbeat before more.
    """

    __slots__ = (
        "_sent_commit",
        "inflights",
        "is_active",
        "is_learner",
        "is_paused_by_probe",
        "kind",
        "match",
        "next",
        "pending_snapshot",
    )

    def __init__(
        self, *, next_index: int, inflights: Inflights, is_learner: bool, is_active: bool
    ) -> None:
        self.kind = ProgressKind.PROBE
        self.match = 0
        self.next = next_index
        self.inflights = inflights
        self.is_learner = is_learner
        self.is_active = is_active
        self.is_paused_by_probe = False
        self.pending_snapshot = 0
        self._sent_commit = 0

    def is_paused(self) -> bool:
        """Tell whether no append may be sent now."""
        return self.is_paused_by_probe or self.kind is ProgressKind.SNAPSHOT

    def become_probe(self) -> None:
        """Go on carefully, after the snapshot if one was on its way."""
        after_snapshot = self.pending_snapshot + 1 if self.kind is ProgressKind.SNAPSHOT else 0
        self._enter(ProgressKind.PROBE)
        self.next = max(self.match + 1, after_snapshot)
        self._sent_commit = min(self._sent_commit, self.next - 1)

    def become_replicate(self) -> None:
        """Go on at full speed from what is known to agree."""
        self._enter(ProgressKind.REPLICATE)
        self.next = self.match + 1

    def become_snapshot(self, index: int) -> None:
        """Wait for the snapshot that ends at `index`."""
        self._enter(ProgressKind.SNAPSHOT)
        self.pending_snapshot = index
        self.next = index + 1
        self._sent_commit = index

    def note_append(self, count: int, size_bytes: int) -> None:
        """Note an append of `count` entries; a full window makes it a probe."""
        assert self.kind is not ProgressKind.SNAPSHOT, "an append was sent beside a snapshot"
        if self.kind is ProgressKind.REPLICATE:
            if count:
                self.next += count
                self.inflights.add(self.next - 1, size_bytes)
            self.is_paused_by_probe = self.inflights.is_full()
        elif count:
            self.is_paused_by_probe = True

    def note_commit(self, index: int) -> None:
        """Note that the member was told this commit index."""
        self._sent_commit = index

    def may_learn_commit(self, index: int) -> bool:
        """Tell whether telling this commit index now may move the member's own."""
        return self._sent_commit < min(index, self.next - 1)

    def update(self, match: int) -> bool:
        """Take in that the log agrees up to `match`; tell whether that is news."""
        if match <= self.match:
            return False
        self.match = match
        self.next = max(self.next, match + 1)
        self.is_paused_by_probe = False
        return True

    def back_off(self, rejected: int, hint: int) -> bool:
        """Take in that an append after `rejected` did not fit; False if the answer is stale."""
        if self.kind is ProgressKind.REPLICATE:
            if rejected <= self.match:
                return False
            self.next = self.match + 1
        else:
            # While probing one append is out at a time, so only its answer counts.
            if self.next - 1 != rejected:
                return False
            self.next = max(min(rejected, hint + 1), self.match + 1)
            self.is_paused_by_probe = False
        self._sent_commit = min(self._sent_commit, self.next - 1)
        return True

    def status(self) -> PeerStatus:
        """Return what is known, as data."""
        return PeerStatus(
            kind=self.kind,
            match=self.match,
            next=self.next,
            is_learner=self.is_learner,
            is_paused=self.is_paused(),
            is_active=self.is_active,
            pending_snapshot=self.pending_snapshot,
            inflight=len(self.inflights),
            is_inflight_full=self.inflights.is_full(),
        )

    def _enter(self, kind: ProgressKind) -> None:
        self.kind = kind
        self.is_paused_by_probe = False
        self.pending_snapshot = 0
        self.inflights.clear()
