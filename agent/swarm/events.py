"""What happens in the cluster, told to those who watch this node's events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping

import msgspec

from agent.ports.manager_api import Incoming, ManagerApi, Outgoing
from api.errors import Internal

# Called with type, action, id and attributes.
Publish = Callable[[str, str, str, Mapping[str, str]], None]


class _Told(msgspec.Struct):
    Type: str
    Action: str
    ID: str
    Attributes: dict[str, str]


async def follow_events(manager: ManagerApi, publish: Publish) -> None:
    """Publish what the local manager tells, until it ends. Errors: SkepError of the request."""
    async with manager.send(Outgoing(b"GET", b"/cluster/events")) as answer:
        if answer.status != 200:
            raise Internal(f"the manager tells no events: status {answer.status}")
        async for line in _lines(answer):
            if line:
                told = msgspec.json.decode(line, type=_Told)
                publish(told.Type, told.Action, told.ID, told.Attributes)


async def _lines(answer: Incoming) -> AsyncIterator[bytes]:
    rest = b""
    async for piece in answer.pieces():
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line
