"""How a manager becomes a member: it asks the leader, whom any manager names."""

from __future__ import annotations

import structlog

from api.errors import Expired, Unavailable
from manager.adapters.membership_client import MembershipClient
from manager.consensus.roster import Seat
from manager.core.backoff import Backoff
from manager.ports.clock import Clock
from protos.errors import raised_here
from protos.identity.channels import Credentials, open_channel
from protos.identity.tokens import parse_unlock_key
from protos.skep.v1.ca_pb2 import GetUnlockKeyRequest
from protos.skep.v1.ca_pb2_grpc import CAStub

log = structlog.get_logger(__name__)

_BACKOFF = Backoff(first_s=0.1, limit_s=2.0)
_ASK_LIMIT_S = 3.0


async def fetch_unlock_key(credentials: Credentials, through: str, clock: Clock) -> bytes | None:
    """Return the key that managers of the cluster lock by; None where they do not.

    It is asked for before there are keys on the disk, so that these are never there unlocked.
    Errors:  Forbidden and its kin: this node is no manager there.
    """
    failures = 0
    while True:
        try:
            async with open_channel(through, credentials) as channel:
                with raised_here():
                    answer = await CAStub(channel).GetUnlockKey(
                        GetUnlockKeyRequest(), timeout=_ASK_LIMIT_S
                    )
            return parse_unlock_key(answer.unlock_key) if answer.unlock_key else None
        except (Unavailable, Expired) as error:
            failures += 1
            log.info("manager.no_unlock_key_yet", through=through, reason=error.message)
            await clock.sleep(_BACKOFF.delay_s(failures, 0.5))


async def join_cluster(
    client: MembershipClient, through: str, raft_id: int, seat: Seat, clock: Clock
) -> None:
    """Become a member, a learner at first; asks again until it is done.

    Errors:  Conflict, Forbidden and their kin: the cluster does not want this member.
    """
    failures = 0
    while True:
        try:
            leader = await _leader(client, through)
            await client.join(leader, raft_id, seat.address)
        except (Unavailable, Expired) as error:
            failures += 1
            log.info("manager.not_joined_yet", through=through, reason=error.message)
            await clock.sleep(_BACKOFF.delay_s(failures, 0.5))
        else:
            log.info("manager.joined", through=through)
            return


async def _leader(client: MembershipClient, through: str) -> str:
    """Return where the leader is. Errors: Unavailable while there is none."""
    for member in await client.list(through, _ASK_LIMIT_S):
        if member.is_leader:
            return member.address
    raise Unavailable(f"the manager at {through} knows no leader")
