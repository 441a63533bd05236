"""One member of a consensus of registers as a process, for tests: python -m tests.consensus.member.

It speaks mutual TLS with its peers, and JSON lines with clients on a unix socket: one request at a
time on each connection, {"op": "write" | "swap" | "read" | "status" | ...}.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import traceback
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import grpc.aio
import msgspec
import uvloop

from api.errors import SkepError
from manager.adapters.clock import SteadyClock
from manager.adapters.membership_client import MembershipClient
from manager.adapters.raft_log import RaftLog, create_log, has_log, open_log
from manager.adapters.raft_transport import GrpcPeers
from manager.adapters.tls import ServerTLS
from manager.consensus.beginnings import begin_cluster, force_new_cluster
from manager.consensus.consensus import Consensus
from manager.consensus.roster import Seat
from manager.consensus.settings import Settings
from manager.ports.log import Stored
from manager.rpc.guard import Guard
from manager.rpc.membership import MembershipService
from manager.rpc.raft import RaftService
from protos.identity.certificates import load_certificate
from protos.identity.channels import SERVER_OPTIONS, Credentials, open_channel
from protos.identity.trust import Trust
from protos.skep.v1.membership_pb2_grpc import add_MembershipServicer_to_server
from protos.skep.v1.raft_pb2_grpc import add_RaftServicer_to_server
from tests.consensus.registers import Command, Registers
from tests.fakes.cipher import OneKeyCipher
from tests.fakes.members import FakeMembers

CLUSTER = "registers"
_RAFT_IDS = 1 << 63


def credentials(folder: Path) -> Credentials:
    """Return what this member shows and trusts."""
    return Credentials(
        *((folder / name).read_bytes() for name in ("root.crt", "node.crt", "node.key"))
    )


async def join(client: MembershipClient, through: str, raft_id: int, address: str) -> None:
    """Ask the leader to let this member in, until it does."""
    while True:
        try:
            leader = next(each for each in await client.list(through) if each.is_leader)
            await client.join(leader.address, raft_id, address)
        except (SkepError, StopIteration) as error:
            sys.stderr.write(f"not let in yet: {error}\n")
            await asyncio.sleep(0.2)
        else:
            return


async def opened(options: argparse.Namespace, seat: Seat) -> tuple[RaftLog, Stored, bool]:
    """Return the log, what is in it, and whether the member is new."""
    path = options.folder / "raft.db"
    cipher = OneKeyCipher()
    is_new = (options.begin or options.join) and not await has_log(path)
    if is_new:
        await create_log(path, cipher, random.randrange(1, _RAFT_IDS))
    log, stored = await open_log(path, cipher)
    if options.force:
        await force_new_cluster(log, stored, seat)
    elif options.begin and stored.is_empty:
        await begin_cluster(log, stored, seat)
    else:
        return log, stored, stored.is_empty
    await log.close()
    log, stored = await open_log(path, cipher)
    return log, stored, False


class Clients:
    """Answers the requests of clients."""

    def __init__(self, consensus: Consensus, registers: Registers) -> None:
        self._consensus = consensus
        self._registers = registers

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests in turn."""
        try:
            while line := await reader.readline():
                request = json.loads(line)
                try:
                    answer = await self._answer(**request)
                except SkepError as error:
                    answer = {"error": type(error).__name__, "message": error.message}
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _answer(self, op: str, **given: Any) -> dict[str, Any]:
        match op:
            case "write" | "swap":
                ballast = os.urandom(given.pop("ballast", 0))
                index = await self._propose(Command(**given, ballast=ballast))
                return {"done": self._registers.outcome(index), "index": index}
            case "read":
                await self._consensus.read_barrier()
                return {"value": self._registers.values.get(given["key"], 0)}
            case "transfer":
                await self._consensus.membership.transfer_leadership()
            case "remove":
                await self._consensus.membership.remove(given["raft_id"])
            case "dump":
                await self._consensus.dump()
            case "status":
                return self._status()
        return {}

    async def _propose(self, command: Command) -> int:
        return await self._consensus.propose(msgspec.msgpack.encode(command))

    def _status(self) -> dict[str, Any]:
        status = self._consensus.status()
        return {
            "raft_id": status.raft_id,
            "is_leader": self._consensus.is_leader,
            "leader": self._consensus.leader_address,
            "term": status.term,
            "applied": status.applied_index,
            "commit": status.commit_index,
            "first": status.raft.first_index,
            "last": status.last_index,
            "snapshot": status.snapshot_index,
            "removed": self._consensus.removed.is_set(),
            "is_voter": self._consensus.membership.is_voter,
            "members": [msgspec.to_builtins(member) for member in status.members],
        }


async def serve_peers(consensus: Consensus, shown: Credentials, address: str) -> grpc.aio.Server:
    """Serve the other members."""
    trust = Trust((load_certificate(shown.roots),))
    guard = Guard(CLUSTER, FakeMembers(), trust)
    server = grpc.aio.server(interceptors=[guard], options=SERVER_OPTIONS)
    add_RaftServicer_to_server(RaftService(consensus.inbound), server)
    add_MembershipServicer_to_server(MembershipService(consensus.membership), server)
    server.add_secure_port(address, ServerTLS(shown, trust).credentials())
    await server.start()
    return server


async def main(options: argparse.Namespace) -> None:
    """Take part until killed, or until consensus must stop."""
    address = options.address
    seat = Seat(options.node, address)
    shown = credentials(options.folder)
    open_to = partial(open_channel, credentials=shown)
    log, stored, is_new = await opened(options, seat)
    registers = Registers()
    consensus = Consensus(
        seat=seat,
        log=log,
        stored=stored,
        peers=GrpcPeers(stored.raft_id, address, open_to),
        machine=registers,
        clock=SteadyClock(),
        random_below=random.randrange,
        settings=msgspec.convert(json.loads(options.settings), Settings),
    )
    async with asyncio.TaskGroup() as group:
        running = group.create_task(consensus.run())
        await consensus.running()
        server = await serve_peers(consensus, shown, address)
        if is_new:
            await join(MembershipClient(open_to), options.join, stored.raft_id, address)
        clients = Clients(consensus, registers)
        options.clients.unlink(missing_ok=True)
        try:
            async with await asyncio.start_unix_server(clients.serve, options.clients):
                await running
        finally:
            await server.stop(None)
            await log.close()


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--node", required=True)
    parser.add_argument("--address", required=True)
    parser.add_argument("--clients", type=Path, required=True)
    parser.add_argument("--begin", action="store_true")
    parser.add_argument("--join", default="")
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--settings", default="{}")
    return parser.parse_args(arguments)


def stop(error: BaseException) -> NoReturn:
    """End as a member that must not go on; its log may be on a full disk too."""
    with suppress(OSError):
        traceback.print_exception(error)
        sys.stderr.flush()
    os._exit(3)


if __name__ == "__main__":
    try:
        uvloop.run(main(parse(sys.argv[1:])))
    except (SkepError, AssertionError) as error:
        stop(error)
    except BaseExceptionGroup as errors:
        # what else fails while it stops makes it no other stop
        if errors.subgroup((SkepError, AssertionError)) is None:
            raise
        stop(errors)
