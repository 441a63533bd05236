"""A node's place in the words of the API."""

from __future__ import annotations

import pytest

from agent.core.standing import ManagerPhase, Standing, has_control, local_state, ping_header
from api.types.nodes import NodeRole

WORKER = Standing(in_swarm=True, role=NodeRole.WORKER, has_session=True)
MANAGER = Standing(
    in_swarm=True, role=NodeRole.MANAGER, has_session=True, manager=ManagerPhase.SERVING
)


@pytest.mark.parametrize(
    ("standing", "state", "control", "header"),
    [
        (Standing(), "inactive", False, "inactive"),
        (Standing(in_swarm=True), "pending", False, "pending"),
        (WORKER, "active", False, "active/worker"),
        (MANAGER, "active", True, "active/manager"),
        (
            Standing(in_swarm=True, role=NodeRole.MANAGER, manager=ManagerPhase.LOCKED),
            "locked",
            False,
            "locked",
        ),
        (Standing(in_swarm=True, role=NodeRole.WORKER, error="no"), "error", False, "error"),
        (Standing(in_swarm=True, is_expired=True), "error", False, "error"),
    ],
)
def test_state_control_and_header(
    standing: Standing, state: str, control: bool, header: str
) -> None:
    """What `docker info` and the CLI's ping read."""
    assert state == local_state(standing)
    assert control is has_control(standing)
    assert header == ping_header(standing)
