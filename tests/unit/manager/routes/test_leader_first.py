"""Reads are served on any manager, writes by the leader, and nothing hangs without one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.types import Message, Scope

from api.http.bodies import Answer
from manager.ports.leadership import Reply
from manager.ports.leadership import Request as Forwarded
from manager.ports.outcomes import NotDone, NotLeader
from manager.routes import leader_first
from manager.routes.app import ManagerApi
from tests.api.served import serve
from tests.fakes.leadership import FakeLeader, FakeLeadership

NO_LEADER = "The swarm does not have a leader."


def _app(leadership: FakeLeadership, leader: FakeLeader, failures: list[Exception]) -> ManagerApi:
    router = APIRouter()

    @router.get("/things")
    async def get_things() -> Answer:
        return Answer(["here"])

    @router.post("/things/create")
    async def make_thing(request: Request) -> Response:
        text = (await request.body()).decode()
        if failures:
            raise failures.pop(0)
        return Answer({"made": text}, status=201)

    @router.get("/health/live")
    async def live() -> Answer:
        return Answer("alive")

    app = ManagerApi(leadership, leader)
    app.include_router(router)
    return app


class Served:
    """A served manager, and the leaders around it."""

    def __init__(self, leadership: FakeLeadership, leader: FakeLeader) -> None:
        self.leadership = leadership
        self.leader = leader
        self.failures: list[Exception] = []
        self.app = _app(leadership, leader, self.failures)

    async def post(self, path: Path, content: bytes = b'"x"') -> tuple[int, object]:
        async with serve(self.app, path / "s") as client:
            reply = await client.post_json("/v1.44/things/create?a=%20b", content)
            return reply.status, reply.json()


def _led_by(address: str | None) -> FakeLeadership:
    return FakeLeadership(is_leader=False, leader_address=address)


async def test_read_waits_for_the_barrier(tmp_path: Path) -> None:
    """A follower that answers from its own state at once would answer from the past."""
    served = Served(_led_by("a:1"), FakeLeader())

    async with serve(served.app, tmp_path / "s") as client:
        reply = await client.request("GET", "/things")

    assert (200, ["here"], 1) == (reply.status, reply.json(), served.leadership.barriers)


async def test_read_without_a_leader_is_refused_with_dockers_words(tmp_path: Path) -> None:
    served = Served(_led_by(None), FakeLeader())

    async with serve(served.app, tmp_path / "s") as client:
        reply = await client.request("GET", "/things")

    assert 503 == reply.status
    assert NO_LEADER in reply.json()["message"]


async def test_manager_tells_of_itself_without_a_leader(tmp_path: Path) -> None:
    served = Served(_led_by(None), FakeLeader())

    async with serve(served.app, tmp_path / "s") as client:
        reply = await client.request("GET", "/health/live")

    assert "alive" == reply.json()


async def test_leader_serves_a_write_itself(tmp_path: Path) -> None:
    served = Served(FakeLeadership(), FakeLeader())

    assert (201, {"made": '"x"'}) == await served.post(tmp_path)


async def test_follower_hands_a_write_on_as_it_came(tmp_path: Path) -> None:
    async def answer(request: Forwarded) -> Reply:
        return Reply(201, ((b"content-type", b"application/json"),), b'"from a"')

    served = Served(_led_by("a:1"), FakeLeader({"a:1": answer}))

    assert (201, "from a") == await served.post(tmp_path)
    [(_, request)] = served.leader.asked
    assert ("POST", "/v1.44/things/create") == (request.method, request.path)
    assert (b"a=%20b", b'"x"') == (request.query, request.body)
    assert (b"content-type", b"application/json") in request.headers


async def test_write_that_was_not_done_is_tried_with_the_next_leader(tmp_path: Path) -> None:
    served = Served(FakeLeadership(), FakeLeader())

    async def answer(request: Forwarded) -> Reply:
        return Reply(201, (), b'"from b"')

    async def refuse(request: Forwarded) -> Reply:
        served.leadership.move(is_leader=False, leader_address="b:1")
        raise NotLeader

    served.leader.managers = {"a:1": refuse, "b:1": answer}
    served.leadership.move(is_leader=False, leader_address="a:1")

    assert (201, "from b") == await served.post(tmp_path)


async def test_proposal_that_was_dropped_is_made_again_with_its_body(tmp_path: Path) -> None:
    served = Served(FakeLeadership(), FakeLeader())
    served.failures.append(NotDone("dropped"))

    assert (201, {"made": '"y"'}) == await served.post(tmp_path, b'"y"')


async def test_write_without_a_leader_ends_within_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leader_first, "LEADER_WAIT_S", 0.2)
    served = Served(_led_by(None), FakeLeader())

    status, content = await served.post(tmp_path)

    assert 503 == status
    assert NO_LEADER in str(content)


async def test_leader_lost_in_the_middle_leaves_the_outcome_unknown(tmp_path: Path) -> None:
    """The change may be in the new leader's log: to try again could make it twice."""
    served = Served(_led_by("a:1"), FakeLeader())

    async def vanish(request: Forwarded) -> Reply:
        served.leadership.move(is_leader=False, leader_address="b:1")
        await asyncio.Event().wait()
        raise AssertionError

    served.leader.managers = {"a:1": vanish}

    status, content = await served.post(tmp_path)

    assert 503 == status
    assert "it is unknown whether the change was made" in str(content)
    assert 1 == len(served.leader.asked)


async def test_leader_lost_before_it_was_asked_means_that_nothing_was_done(
    tmp_path: Path,
) -> None:
    """A dead leader's address takes no connection: the next leader can be asked safely."""
    served = Served(_led_by("dead:1"), FakeLeader())

    async def answer(request: Forwarded) -> Reply:
        return Reply(201, (), b'"from b"')

    served.leader.managers = {"b:1": answer}
    loop = asyncio.get_running_loop()
    loop.call_later(0.1, lambda: served.leadership.move(is_leader=False, leader_address="b:1"))

    assert (201, "from b") == await served.post(tmp_path)


async def test_answer_that_comes_with_the_change_of_leaders_counts(tmp_path: Path) -> None:
    served = Served(_led_by("a:1"), FakeLeader())

    async def answer(request: Forwarded) -> Reply:
        served.leadership.move(is_leader=False, leader_address="b:1")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return Reply(201, (), b'"just in time"')

    served.leader.managers = {"a:1": answer}

    assert (201, "just in time") == await served.post(tmp_path)


async def test_forwarded_request_goes_no_further() -> None:
    """Two managers that each think that the other leads must not pass it to and fro."""
    served = Served(_led_by("a:1"), FakeLeader())
    forwarded = leader_first.Forwarded()
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"1", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": "/things/create",
        "query_string": b"",
        "headers": [],
        "client": None,
        "state": {leader_first.FORWARDED: forwarded},
    }
    await served.app(scope, receive, send)

    assert isinstance(forwarded.not_done, NotLeader)
    assert 503 == sent[0]["status"]
    assert not served.leader.asked
