"""What a join token is good for."""

from __future__ import annotations

import pytest

from api.swarm_errors import InvalidJoinToken
from api.types.nodes import NodeRole
from manager.core.ca.tokens import role_of_token
from manager.core.objects.cluster import RootCA

ROOT = RootCA(worker_token="SWMTKN-1-d-w", manager_token="SWMTKN-1-d-m")


@pytest.mark.parametrize(
    ("token", "role"),
    [("SWMTKN-1-d-w", NodeRole.WORKER), (" SWMTKN-1-d-m\n", NodeRole.MANAGER)],
)
def test_token_gives_its_role(token: str, role: NodeRole) -> None:
    assert role is role_of_token(token, ROOT)


@pytest.mark.parametrize("token", ["", "SWMTKN-1-d", "SWMTKN-1-d-wm", "swmtkn-1-d-w", "é", "\x00"])
def test_other_tokens_are_refused(token: str) -> None:
    with pytest.raises(InvalidJoinToken):
        role_of_token(token, ROOT)


@pytest.mark.parametrize("token", ["", " "])
def test_no_token_opens_a_cluster_without_tokens(token: str) -> None:
    with pytest.raises(InvalidJoinToken):
        role_of_token(token, RootCA())
