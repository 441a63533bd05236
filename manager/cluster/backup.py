"""The whole state of the cluster in one file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

from manager.cluster.own import ManagerEnv
from manager.ports.backups import BackupAbout


async def back_up(env: ManagerEnv) -> tuple[str, AsyncIterator[bytes]]:
    """Return the key of a fresh backup, and its bytes; other requests go on meanwhile.

    It holds everything that was committed when this was called, secrets and the authority's key
    among it, sealed under the key that is returned and kept nowhere.
    Errors:  NoLeader.
    """
    await env.leadership.read_barrier()
    view = env.store.view()
    pieces = env.store.dump()
    about = BackupAbout(
        ClusterID=next((each.id for each in view.clusters), ""),
        Index=view.version,
        CreatedAt=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    key, sealed = env.backups.seal(about, pieces)
    return key, _in_thread(sealed)


async def _in_thread(sealed: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (piece := await asyncio.to_thread(next, sealed, None)) is not None:
        yield piece
