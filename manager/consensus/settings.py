"""How patient consensus is, and how much it keeps."""

from __future__ import annotations

from dataclasses import dataclass

MAX_ENTRY_BYTES = 3 << 19
"""A command of the store may have 1.5 MiB; larger ones are refused before they are proposed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of it, with the values that are used in earnest.

    tick_s:              the unit of the counts of ticks; the leader is missed after election_ticks
                         to twice as many of them.
    barrier_s:           how long a read waits for a leader to confirm, read_again_s until it asks
                         once more.
    unknown_s:           how long a proposal waits for its fate after leadership was lost.
    snapshot_entries, snapshot_bytes:  a dump is taken after so much was applied since the last.
    trailing_entries, trailing_bytes:  what of the log stays behind a dump, for slow followers.
    promote_lag:         a learner this close to the leader's log becomes a voter.
    """

    tick_s: float = 0.05
    election_ticks: int = 14
    heartbeat_ticks: int = 2
    barrier_s: float = 3.0
    read_again_s: float = 0.3
    unknown_s: float = 3.0
    snapshot_entries: int = 10_000
    snapshot_bytes: int = 32 << 20
    trailing_entries: int = 2_000
    trailing_bytes: int = 8 << 20
    promote_lag: int = 100
    max_entry_bytes: int = MAX_ENTRY_BYTES
    max_uncommitted_bytes: int = 64 << 20
    max_inflight_bytes: int = 8 << 20
