"""When a node's certificate is renewed: in the middle of its life, not all nodes at once."""

from __future__ import annotations

from datetime import datetime, timedelta

# Certificates begin before they are made, for clocks that are behind; that time is not lived.
_BACKDATE = timedelta(hours=1)
_EARLIEST = 0.5
_SPREAD = 0.3


def renewal_time(first: datetime, last: datetime, chance: float) -> datetime:
    """Return when to renew a certificate of these days: after 50 to 80 % of its life.

    Short lives are not eaten up by the time before they were made: a third of the whole at most.
    """
    whole = last - first
    begin = first + min(_BACKDATE, whole / 3)
    return begin + (last - begin) * (_EARLIEST + _SPREAD * chance)
