"""The system over HTTP, on fakes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.http.app import Api
from engine.adapters.clock import SystemClock
from engine.events.bus import EventBus
from engine.routes import system
from engine.settings import LiveSettings, Settings
from engine.system.env import Counts, SystemEnv
from tests.api.served import Client, serve
from tests.fakes.host import FakeHost


@pytest.fixture
def env() -> SystemEnv:
    """Return a system on the real clock, for streams end by it."""
    clock = SystemClock()
    return SystemEnv(
        settings=LiveSettings(Settings()),
        events=EventBus(clock, backlog=100),
        clock=clock,
        host=FakeHost(),
        version="0.1.0",
        counts=lambda: Counts(running=1),
    )


@pytest.fixture
async def client(env: SystemEnv, tmp_path: Path) -> AsyncIterator[Client]:
    """Return a client of the system routes."""
    app = Api()
    app.state.system_env = env
    app.include_router(system.router)
    async with serve(app, tmp_path / "api.sock") as connected:
        yield connected


def events_in(body: bytes) -> list[dict[str, Any]]:
    """Decode a body of JSON lines."""
    return [msgspec.json.decode(line) for line in body.splitlines()]


def newest(env: SystemEnv) -> str:
    """Return the time of the last event, as a query has it."""
    seconds, nanos = divmod(env.events.past(None, None)[-1].timeNano, 10**9)
    return f"{seconds}.{nanos:09d}"


def actions(events: Iterable[dict[str, Any]]) -> list[str]:
    """Return what happened."""
    return [each["Action"] for each in events]


async def listening(client: Client, query: str = "") -> tuple[asyncio.StreamReader, Any]:
    """Return a connection whose stream of events has begun."""
    reader, writer = await client.open()
    writer.write(f"GET /events{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    return reader, writer


@pytest.mark.parametrize(("method", "body"), [("GET", b"OK"), ("HEAD", b"")])
@pytest.mark.parametrize("prefix", ["", "/v1.24"])
async def test_ping(client: Client, method: str, body: bytes, prefix: str) -> None:
    reply = await client.request(method, f"{prefix}/_ping")

    assert (200, body) == (reply.status, reply.body)
    assert {
        "api-version": "1.56",
        "builder-version": "1",
        "cache-control": "no-cache, no-store, must-revalidate",
        "docker-experimental": "false",
        "ostype": "linux",
        "pragma": "no-cache",
        "swarm": "inactive",
    }.items() <= reply.headers.items()


async def test_info_and_version_answer(client: Client) -> None:
    info = (await client.request("GET", "/info")).json()
    version = (await client.request("GET", "/version")).json()

    assert (1, "node-1") == (info["Containers"], info["Name"])
    assert ("0.1.0", "1.56") == (version["Version"], version["ApiVersion"])


async def test_events_are_told_as_they_come(client: Client, env: SystemEnv) -> None:
    """The head comes at once, and nothing that happens after it is missed."""
    reader, writer = await listening(client)

    env.events.publish("container", "start", "abc", {"name": "web"})

    size = int(await reader.readline(), 16)
    event = msgspec.json.decode(await reader.readexactly(size))
    assert ("container", "start", "abc", "local") == (
        event["Type"],
        event["Action"],
        event["Actor"]["ID"],
        event["scope"],
    )
    assert event["time"] == event["timeNano"] // 10**9
    writer.close()


async def test_history_is_told_between_since_and_until(client: Client, env: SystemEnv) -> None:
    for action in ("create", "start", "die"):
        env.events.publish("container", action, "abc", {})
    start, die = (each.timeNano for each in env.events.past(None, None)[1:])

    span = f"since={start // 10**9}.{start % 10**9:09d}&until={die // 10**9}.{die % 10**9:09d}"
    reply = await client.request("GET", f"/events?{span}")

    assert ["start", "die"] == actions(events_in(reply.body))


async def test_filters_of_both_forms(client: Client, env: SystemEnv) -> None:
    env.events.publish("container", "start", "abc", {})
    env.events.publish("volume", "create", "data", {})
    until = newest(env)

    for filters in (
        "%7B%22type%22:%5B%22volume%22%5D%7D",
        "%7B%22type%22:%7B%22volume%22:true%7D%7D",
    ):
        reply = await client.request("GET", f"/events?since=1&until={until}&filters={filters}")
        assert ["create"] == actions(events_in(reply.body))


@pytest.mark.parametrize(("version", "told"), [("1.51", "start"), ("1.52", None)])
async def test_status_is_repeated_for_old_versions(
    client: Client, env: SystemEnv, version: str, told: str | None
) -> None:
    env.events.publish("container", "start", "abc", {})

    until = newest(env)

    reply = await client.request("GET", f"/v{version}/events?since=1&until={until}")

    (event,) = events_in(reply.body)
    assert told == event.get("status")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("since=5&until=4", "cannot be after"),
        ("since=yesterday", "yesterday"),
        ("filters=%5B", "invalid filter"),
    ],
)
async def test_wrong_query_is_refused(client: Client, query: str, words: str) -> None:
    reply = await client.request("GET", f"/events?{query}")

    assert 400 == reply.status
    assert words in reply.json()["message"]


async def test_client_that_vanishes_is_forgotten(client: Client, env: SystemEnv) -> None:
    _reader, writer = await listening(client)
    assert 1 == env.events.listener_count

    writer.close()

    async with asyncio.timeout(5):
        while env.events.listener_count:  # noqa: ASYNC110 - the server's own time to notice
            await asyncio.sleep(0.005)


async def test_client_that_never_reads_is_dropped_and_others_are_served(
    client: Client, env: SystemEnv
) -> None:
    """Attack: a listener that never reads must cost neither memory nor anybody's time."""
    _reader, stuck = await listening(client)
    stuck.transport.pause_reading()
    attributes = {"filler": "x" * 20_000}

    async with asyncio.timeout(20):
        while env.events.listener_count:
            env.events.publish("container", "start", "abc", attributes)
            await asyncio.sleep(0)

    assert 200 == (await client.request("GET", "/_ping")).status
    stuck.transport.abort()


async def test_unknown_kind_of_usage_is_refused(client: Client) -> None:
    reply = await client.request("GET", "/system/df?type=cake")

    assert (400, {"message": "unknown object type: cake"}) == (reply.status, reply.json())


async def test_usage_in_both_forms(client: Client) -> None:
    old = (await client.request("GET", "/v1.51/system/df")).json()
    new = (await client.request("GET", "/v1.52/system/df")).json()

    assert {"LayersSize", "Images", "Containers", "Volumes", "BuildCache"} == set(old)
    assert {"ImageUsage", "ContainerUsage", "VolumeUsage", "BuildCacheUsage"} == set(new)
