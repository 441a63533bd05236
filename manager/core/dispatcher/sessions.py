"""The agents that are registered, and when each was last heard of."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

# How many heartbeats in a row may be missed before a node counts as down.
MISSED_LIMIT = 3
# When more than so many connections are broken, and more than this share of all, it is rather this
# manager or the network that is at fault than each of the nodes: none of them is given up before
# it misses its heartbeats. To replace all their tasks at once would make that only worse.
MANY = 3
MANY_SHARE = 0.25
# In periods: a heartbeat that did not come for so long is overdue.
OVERDUE = 2


class Sessions:
    """One session per node at most.

    A session ends `MISSED_LIMIT` periods after its last heartbeat, and `lost_grace_s` after its
    connection broke when that comes first: a machine that died is known by its silent connection
    long before its heartbeats are missed, and an agent that only restarts is back by then. One
    that said that it pauses has all the time that its heartbeats give it, and so has every one
    where many connections broke at once. Where many heartbeats are missed over connections that
    stand, it is this manager that does not get round to them: they count as heard.
    Nodes that are awaited have no session; they have the same time to make one, and `lost_grace_s`
    from when they are doubted: their managers fell silent as well. Those that said to the leader
    before that they pause are not doubted: their managers end with their daemons.
    Units:   now_s is seconds of a clock that never falls back.
    """

    def __init__(self, period_s: float, lost_grace_s: float) -> None:
        self.period_s = period_s
        self.lost_grace_s = lost_grace_s
        self._ids: dict[str, str] = {}
        # By node, the longest silent first: what happens moves a node to the end.
        self._heard: dict[str, float] = {}
        self._lost: dict[str, float] = {}
        self._paused: set[str] = set()
        self._awaited: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def has(self, node_id: str) -> bool:
        """Tell whether the node has a session."""
        return node_id in self._ids

    def is_current(self, node_id: str, session_id: str) -> bool:
        """Tell whether the session is this node's, and the one that it has now."""
        return self._ids.get(node_id) == session_id

    def register(self, node_id: str, session_id: str, now_s: float) -> None:
        """Begin a node's session, which ends the one that it had."""
        self.remove(node_id)
        self._ids[node_id] = session_id
        self._heard[node_id] = now_s

    def beat(self, node_id: str, session_id: str, now_s: float) -> bool:
        """Note a heartbeat; False when this is not the node's session."""
        if not self.is_current(node_id, session_id):
            return False
        self._lost.pop(node_id, None)
        del self._heard[node_id]
        self._heard[node_id] = now_s
        return True

    def lose(self, node_id: str, session_id: str, now_s: float) -> None:
        """Note that a session's connection broke; nothing when it is not the node's any more."""
        if self.is_current(node_id, session_id) and node_id not in self._paused:
            self._lost.setdefault(node_id, now_s)

    def pause(self, node_id: str, session_id: str, now_s: float) -> bool:
        """Note that a node's agent ends and will be back; False when this is not its session."""
        if not self.beat(node_id, session_id, now_s):
            return False
        self._paused.add(node_id)
        return True

    def remove(self, node_id: str) -> bool:
        """Forget a node; tell whether it had a session."""
        for times in (self._heard, self._lost, self._awaited):
            times.pop(node_id, None)
        self._paused.discard(node_id)
        return self._ids.pop(node_id, None) is not None

    def wait_for(self, node_id: str, now_s: float, *, is_paused: bool = False) -> None:
        """Expect a node of which another leader knew, as if it had been heard of now."""
        if node_id in self._ids:
            return
        self._awaited.setdefault(node_id, now_s)
        if is_paused:
            self._paused.add(node_id)

    def doubt(self, node_ids: Collection[str], now_s: float) -> None:
        """Say which of the awaited nodes are likely gone; nothing is held against the others."""
        for node_id in self._awaited:
            if node_id in node_ids and node_id not in self._paused:
                self._lost.setdefault(node_id, now_s)
            else:
                self._lost.pop(node_id, None)

    def change_period(self, period_s: float) -> None:
        """Take another period; an agent hears of it with its next heartbeat, due by the old one."""
        if (longer_s := self.period_s - period_s) > 0:
            for node_id in self._heard:
                self._heard[node_id] += longer_s
        self.period_s = period_s

    def grant(self, seconds: float) -> None:
        """Give everybody so much more time: this manager was not there to hear them."""
        for times in (self._heard, self._lost, self._awaited):
            for node_id in times:
                times[node_id] += seconds

    def expire(self, now_s: float) -> list[str]:
        """Forget the nodes whose time is over, and return them."""
        self._spare_many_lost(now_s)
        self._spare_many_unheard(now_s)
        over = [
            *_before(self._heard, now_s - self._limit_s),
            *_before(self._awaited, now_s - self._limit_s),
            *_before(self._lost, now_s - self.lost_grace_s),
        ]
        for node_id in over:
            self.remove(node_id)
        return list(dict.fromkeys(over))

    def next_expiry_s(self) -> float | None:
        """Return when `expire` may have something to do at the earliest; None for never."""
        limits = (
            (self._heard, self._limit_s),
            (self._awaited, self._limit_s),
            (self._lost, self.lost_grace_s),
        )
        return min(
            (next(iter(times.values())) + limit_s for times, limit_s in limits if times),
            default=None,
        )

    def _spare_many_lost(self, now_s: float) -> None:
        """Count broken connections as broken just now, as long as too many are."""
        lost = [node_id for node_id in self._lost if node_id in self._ids]
        if self._are_many(lost):
            for node_id in lost:
                del self._lost[node_id]
                self._lost[node_id] = now_s

    def _spare_many_unheard(self, now_s: float) -> None:
        """Count nodes with connections as heard just now, where too many were not for long."""
        overdue = _before(self._heard, now_s - self.period_s * OVERDUE)
        connected = [
            node_id
            for node_id in overdue
            if node_id not in self._lost and node_id not in self._paused
        ]
        if self._are_many(connected):
            for node_id in connected:
                del self._heard[node_id]
                self._heard[node_id] = now_s

    def _are_many(self, node_ids: Sequence[str]) -> bool:
        return len(node_ids) > max(MANY, len(self._ids) * MANY_SHARE)

    @property
    def _limit_s(self) -> float:
        return self.period_s * MISSED_LIMIT


def _before(times: Mapping[str, float], limit_s: float) -> list[str]:
    """Return the nodes whose time is not after the limit; the oldest come first in `times`."""
    found = []
    for node_id, since_s in times.items():
        if since_s > limit_s:
            break
        found.append(node_id)
    return found
