"""What happens to the cluster's objects, as it is seen on this manager."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import msgspec

from manager.cluster.own import ManagerEnv
from manager.core.object_events import to_object_event
from manager.core.store.errors import LaggedBehind
from manager.core.store.tables import CONFIGS, NETWORKS, NODES, SECRETS, SERVICES
from manager.core.store.watch import Match

# A reader is woken this often at most, and told together what happened meanwhile.
_PAUSE_S = 0.02


async def stream_events(env: ManagerEnv) -> AsyncIterator[bytes]:
    """Yield JSON lines from now on; ends for a reader that is too slow.

    The first line is empty: from then on nothing is missed. What comes after a while without
    events is told at once.
    """
    tables = (NODES, SERVICES, NETWORKS, SECRETS, CONFIGS)
    wanted: list[Match[Any]] = [Match(table) for table in tables]
    with suppress(LaggedBehind), env.store.watch(*wanted) as changes:
        yield b"\n"
        while True:
            together = await anext(changes)
            while more := changes.take():
                together += more
            told = filter(None, map(to_object_event, together))
            yield b"".join(msgspec.json.encode(each) + b"\n" for each in told)
            await env.clock.sleep(_PAUSE_S)
