"""A process that writes a raft log step by step, to be killed.

It goes on where the log ends, and prints a step's number once that is acknowledged.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from manager.adapters.raft_log import RaftLog, create_log, has_log, open_log
from manager.core.raft.messages import SnapshotMeta
from manager.ports.log import Batch, StoredSnapshot
from tests.consensus.log_model import Model, after, at, next_kind, pieces
from tests.fakes.cipher import OneKeyCipher


async def stage(log: RaftLog, meta: SnapshotMeta) -> StoredSnapshot:
    """Write a snapshot's pieces."""
    handle = await log.stage()
    for number, piece in enumerate(pieces(meta)):
        await log.write_piece(handle, number, piece)
    return StoredSnapshot(meta=meta, pieces=len(pieces(meta)), handle=handle)


async def advance(log: RaftLog, before: Model, model: Model, old_handle: int) -> int:
    """Do one step; return the handle of the snapshot afterwards."""
    match next_kind(before):
        case "append":
            kept = 0
            while before.entries[:kept] == model.entries[:kept] and kept <= len(before.entries):
                kept += 1
            await log.write(Batch(model.entries[kept - 1 :], model.hard_state))
            return old_handle
        case "receive":
            snapshot = await stage(log, model.snapshot)
            await log.write(Batch(hard_state=model.hard_state, snapshot=snapshot))
        case "reseal":
            await log.reseal()
            await log.write(Batch(hard_state=model.hard_state))
            return old_handle
        case _:
            snapshot = await stage(log, model.snapshot)
            await log.keep(snapshot)
            await log.compact(model.start)
            await log.write(Batch(hard_state=model.hard_state))
    if old_handle:
        await log.drop(old_handle)
    return snapshot.handle


async def main(path: Path, count: int) -> None:
    """Write until killed, or for a number of steps."""
    if not await has_log(path):
        await create_log(path, OneKeyCipher(), 1)
    log, stored = await open_log(path, OneKeyCipher())
    model, handle = at(stored.hard_state.vote), stored.snapshot.handle
    for _ in range(count):
        following = after(model)
        handle = await advance(log, model, following, handle)
        model = following
        os.write(1, b"%d\n" % model.step)
    await log.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
