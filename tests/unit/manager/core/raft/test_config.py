"""Configurations that cannot work."""

from __future__ import annotations

from typing import Any

import pytest

from api.errors import InvalidArgument
from manager.core.raft.config import ReadMode
from manager.core.raft.messages import LOCAL_APPEND, LOCAL_APPLY
from tests.fakes.raft_members import make_member


@pytest.mark.parametrize(
    "options",
    [
        {"id_": 0},
        {"id_": LOCAL_APPEND},
        {"id_": LOCAL_APPLY},
        {"heartbeat_ticks": 0},
        {"election_ticks": 2, "heartbeat_ticks": 2},
        {"max_inflight_messages": 0},
        {"max_inflight_bytes": 10, "max_message_bytes": 11},
        {"read_mode": ReadMode.LEASE, "has_check_quorum": False},
    ],
)
def test_configuration_that_cannot_work_is_refused(options: dict[str, Any]) -> None:
    """At once, not at the first election."""
    with pytest.raises(InvalidArgument):
        make_member(**options)
