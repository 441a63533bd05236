"""Events of the cluster reach those who watch the daemon's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from agent.swarm.events import follow_events
from api.errors import Internal
from tests.fakes.manager_api import FakeAnswer, FakeManagerApi

TARGET = (b"GET", b"/cluster/events")


class Pieces(FakeAnswer):
    """An answer in pieces that cut lines in two."""

    async def pieces(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.content), 7):
            yield self.content[start : start + 7]


async def test_lines_are_published_however_they_are_cut() -> None:
    line = b'{"Type":"node","Action":"update","ID":"%d","Attributes":{"name":"a"}}\n'
    manager = FakeManagerApi({TARGET: Pieces(200, b"\n" + line % 1 + line % 2)})
    heard: list[Any] = []

    def publish(kind: str, action: str, actor: str, attributes: Mapping[str, str]) -> None:
        heard.append((kind, action, actor, attributes))

    await follow_events(manager, publish)

    assert [("node", "update", str(each), {"name": "a"}) for each in (1, 2)] == heard


async def test_a_refusal_is_an_error() -> None:
    manager = FakeManagerApi({TARGET: FakeAnswer(503)})

    with pytest.raises(Internal):
        await follow_events(manager, lambda *_: None)
