"""Filters of GET /events (api 1.56)."""

from __future__ import annotations

import pytest

from api.types.events import EventActor, EventMessage
from engine.core.event_filters import select


def event(kind: str, action: str, actor: str, **attributes: str) -> EventMessage:
    """Return an event of the first second."""
    return EventMessage(
        Type=kind, Action=action, Actor=EventActor(actor, attributes), time=1, timeNano=10**9
    )


START = event("container", "start", "abc123", name="web", image="nginx:1.27", tier="front")
EXEC = event("container", "exec_start: sh -c true", "abc123", name="web", image="nginx:1.27")
PULL = event("image", "pull", "localhost:5000/nginx:1.27", name="localhost:5000/nginx")
CONNECT = event("network", "connect", "def456", name="bridge", container="abc123")
RELOAD = event("daemon", "reload", "id-1", name="host1")


@pytest.mark.parametrize(
    ("wanted", "passing"),
    [
        ({}, [START, EXEC, PULL, CONNECT, RELOAD]),
        ({"type": ["container"]}, [START, EXEC]),
        ({"type": ["container", "daemon"]}, [START, EXEC, RELOAD]),
        ({"event": ["start"]}, [START]),
        ({"event": ["exec_start"]}, [EXEC]),
        ({"event": ["exec_start: sh -c true"]}, [EXEC]),
        ({"event": ["exec"]}, []),
        ({"container": ["web"]}, [START, EXEC]),
        ({"container": ["abc"]}, [START, EXEC]),
        ({"container": ["def456"]}, []),
        ({"network": ["bridge"]}, [CONNECT]),
        ({"image": ["nginx"]}, [START, EXEC]),
        ({"image": ["nginx:1.27"]}, [START, EXEC]),
        ({"image": ["localhost:5000/nginx"]}, [PULL]),
        ({"label": ["tier"]}, [START]),
        ({"label": ["tier=front"]}, [START]),
        ({"label": ["tier=back"]}, []),
        ({"label": ["tier", "absent"]}, []),
        ({"scope": ["local"]}, [START, EXEC, PULL, CONNECT, RELOAD]),
        ({"scope": ["swarm"]}, []),
        ({"daemon": ["host1"]}, [RELOAD]),
        ({"type": ["container"], "event": ["start", "die"]}, [START]),
        ({"container": [""]}, []),
        ({"container": []}, [START, EXEC, PULL, CONNECT, RELOAD]),
        ({"unknown": ["x"]}, [START, EXEC, PULL, CONNECT, RELOAD]),
    ],
)
def test_filter_selects(wanted: dict[str, list[str]], passing: list[EventMessage]) -> None:
    passes = select(wanted)

    assert passing == [each for each in (START, EXEC, PULL, CONNECT, RELOAD) if passes(each)]
