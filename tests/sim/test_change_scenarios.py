"""Changes of membership as in the public traces: memberships, progress, refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from manager.core.raft import members
from manager.core.raft.errors import ChangeRefused
from manager.core.raft.members import Members
from manager.core.raft.membership import Membership
from tests.sim.describe import describe_members, describe_progress, parse_changes
from tests.sim.traces import Command, read_commands

_SHARED = Path(__file__).parents[3] / "shared" / "raft-scenarios" / "confchange"


def _changed(before: Members, command: Command) -> Members:
    steps = parse_changes(command.input)
    match command.name:
        case "simple":
            return members.simple(before, steps)
        case "enter-joint":
            return members.enter_joint(before, steps, auto_leave=command.is_set("autoleave"))
        case _:
            return members.leave_joint(before)


@pytest.mark.skipif(not _SHARED.is_dir(), reason="the public scenarios are not at hand")
@pytest.mark.parametrize("path", sorted(_SHARED.glob("*.txt")), ids=lambda path: path.stem)
def test_change_leads_where_the_public_trace_does(path: Path) -> None:
    """The last index grows by one with each command, so that `next` tells when one was new."""
    membership = Membership(max_inflight_messages=10, max_inflight_bytes=0)
    for last_index, command in enumerate(read_commands(path)):
        try:
            membership.switch(_changed(membership.members, command), last_index)
            peers = {id_: peer.status() for id_, peer in membership.peers.items()}
            actual = f"{describe_members(membership.members)}\n{describe_progress(peers)}"
        except ChangeRefused as error:
            actual = error.message

        assert command.expected.strip() == actual.strip(), f"{path.name}:{command.line}"
