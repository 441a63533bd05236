"""What the daemon asks its own manager for: the key that it locks by."""

from __future__ import annotations

import pytest

from agent.swarm.unlock_key import ask_unlock_key
from api.errors import Unavailable
from tests.fakes.manager_api import FakeAnswer, FakeManagerApi


def manager(answer: FakeAnswer) -> FakeManagerApi:
    """Return a local manager that answers so."""
    return FakeManagerApi({(b"GET", b"/swarm/unlockkey"): answer})


async def test_key_is_what_the_manager_says() -> None:
    answer = FakeAnswer(200, b'{"UnlockKey":"SWMKEY-1-x"}')

    assert "SWMKEY-1-x" == await ask_unlock_key(manager(answer))


@pytest.mark.parametrize(
    "answer",
    [
        FakeAnswer(503, b'{"message":"Swarm is encrypted"}'),
        FakeAnswer(200, b'{"UnlockKey":""}'),
        FakeAnswer(200, b"<html>"),
        FakeAnswer(200, b""),
    ],
    ids=["locked", "no-lock", "nonsense", "empty"],
)
async def test_anything_else_means_not_yet(answer: FakeAnswer) -> None:
    with pytest.raises(Unavailable):
        await ask_unlock_key(manager(answer))
