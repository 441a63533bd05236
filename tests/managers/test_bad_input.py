"""Services, as clients and agents with mistakes or bad intentions send them to a real manager."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from agent.adapters.dispatcher_client import GrpcDispatchers
from agent.ports.dispatcher import Dispatcher, News, Registration
from api.errors import Forbidden, InvalidArgument, NotFound, SkepError
from api.types.nodes import NodeDescription
from api.types.tasks import TaskState, TaskStatus
from protos.identity.certificate_files import CertificateFiles
from protos.identity.channels import Credentials
from tests.managers.joining import get_certificate
from tests.managers.process import ManagerProcess, wait_until

S = TaskState
INVALID = "rpc error: code = InvalidArgument desc = "


def spec(name: str = "web", **fields: Any) -> dict[str, Any]:
    """Return a service's spec."""
    return {"Name": name, "TaskTemplate": {"ContainerSpec": {"Image": "busybox"}}, **fields}


def template(**fields: Any) -> dict[str, Any]:
    """Return a task template."""
    return {"ContainerSpec": {"Image": "busybox"}, **fields}


def container(**fields: Any) -> dict[str, Any]:
    """Return a task template with these fields of the container."""
    return {"ContainerSpec": {"Image": "busybox", **fields}}


def reference(kind: str) -> dict[str, Any]:
    """Return a reference to a secret or config that nobody has."""
    return {f"{kind}ID": "nosuch", f"{kind}Name": "nosuch", "File": {"Name": "f", "Mode": 292}}


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (spec(Mode={"Replicated": {"Replicas": 10**9}}), 400, "Number of replicas must be at most"),
        (spec(Mode={"Replicated": {"Replicas": -1}}), 400, ""),
        (spec(Mode={"Replicated": {"Replicas": 2**70}}), 400, ""),
        (spec(Mode={"Replicated": {}, "Global": {}}), 400, "must specify only one service mode"),
        (spec(Mode={"GlobalJob": {}}, UpdateConfig={}), 400, "Jobs may not have an update config"),
        (spec(Networks=[{"Target": "nosuch"}]), 404, "network nosuch not found"),
        (spec(TaskTemplate=template(Networks=[{"Target": "x"}])), 404, "network x not found"),
        (spec(TaskTemplate=container(Secrets=[reference("Secret")])), 400, "secret"),
        (spec(TaskTemplate=container(Configs=[reference("Config")])), 400, "config"),
        (spec(TaskTemplate=template(Placement={"Constraints": ["node.x"]})), 400, "constraint"),
        (spec(TaskTemplate={}), 400, ""),
        (spec(TaskTemplate=None), 400, ""),
        (spec(TaskTemplate=[]), 400, ""),
        (spec("web db"), 400, "name must be valid as a DNS name component"),
        (spec("w" * 64), 400, "name must be 63 characters or fewer"),
        (spec(EndpointSpec={"Mode": "teleport"}), 400, ""),
        (spec(UpdateConfig={"FailureAction": "despair"}), 400, "despair"),
        (spec(UpdateConfig={"Order": "sideways"}), 400, "sideways"),
    ],
)
def test_specs_that_cannot_be_are_refused_and_leave_nothing(
    cluster: ManagerProcess, body: dict[str, Any], status: int, words: str
) -> None:
    answer = cluster.request("POST", "/services/create", body)

    assert status == answer.status, answer.body
    assert words in answer.message
    assert [] == cluster.get("/services")


def test_update_of_an_old_version_is_refused_in_dockers_words(cluster: ManagerProcess) -> None:
    """Source: Engine API, ServiceUpdate; Docker answers 500."""
    made = cluster.request("POST", "/services/create", spec(Mode={"Replicated": {"Replicas": 0}}))
    path = f"/services/{made.json()['ID']}"
    version = cluster.get(path)["Version"]["Index"]
    fresh = cluster.request("POST", f"{path}/update?version={version}", spec(Labels={"a": "1"}))

    stale = cluster.request("POST", f"{path}/update?version={version}", spec(Labels={"a": "2"}))

    assert (200, 500) == (fresh.status, stale.status)
    assert "rpc error: code = Unknown desc = update out of sequence" == stale.message
    assert {"a": "1"} == cluster.get(path)["Spec"]["Labels"]
    for bad in ("", "x", "-1", str(2**80)):
        assert 400 == cluster.request("POST", f"{path}/update?version={bad}", spec()).status
    cluster.request("DELETE", path)
    assert 404 == cluster.request("POST", f"{path}/update?version={version}", spec()).status


@dataclass
class Agent:
    """A node with a certificate and no scruples."""

    node_id: str
    dispatcher: Dispatcher
    session_id: str

    async def report(self, task_id: str, state: TaskState, session_id: str = "") -> None:
        """Say that a task was seen so."""
        status = TaskStatus(State=state, Message="seen", Timestamp="2100-01-01T00:00:00Z")
        await self.dispatcher.update_task_status(session_id or self.session_id, {task_id: status})


@asynccontextmanager
async def registered(
    cluster: ManagerProcess, node_id: str, credentials: Credentials
) -> AsyncIterator[Agent]:
    """Lend an agent that has a session."""
    dispatcher = GrpcDispatchers().connect(cluster.address, credentials)
    session = dispatcher.session(
        Registration(description=NodeDescription(Hostname=node_id), address="127.0.0.1")
    )
    try:
        first = await anext(aiter(session))
        assert isinstance(first, News)
        yield Agent(node_id, dispatcher, first.session_id)
    finally:
        await dispatcher.close()


def admitted(cluster: ManagerProcess, node: ManagerProcess) -> tuple[str, Credentials]:
    """Return a fresh worker's id and certificate."""
    token = cluster.get("/swarm")["JoinTokens"]["Worker"]
    node_id = get_certificate(node, token, cluster)
    return node_id, CertificateFiles(node.state).load()


def assigned(cluster: ManagerProcess, service_id: str) -> dict[str, Any]:
    """Return the service's only task once a node has it."""
    found: list[dict[str, Any]] = []

    def has_node() -> bool:
        tasks = cluster.get("/tasks")
        found[:] = [
            each for each in tasks if each["ServiceID"] == service_id and each.get("NodeID")
        ]
        return len(found) == 1

    wait_until(has_node)
    return found[0]


async def refused(report: Any, error: type[SkepError], words: str) -> None:
    """See a report refused."""
    with pytest.raises(error, match=words):
        await report


@pytest.fixture
def workers(
    cluster: ManagerProcess, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[str, Credentials]]:
    """Lend two workers' ids and certificates."""
    return [admitted(cluster, ManagerProcess(tmp_path_factory.mktemp("node"))) for _ in range(2)]


async def test_agent_that_reports_nonsense_changes_nothing(
    cluster: ManagerProcess, workers: list[tuple[str, Credentials]]
) -> None:
    """States of the managers, unknown tasks, other nodes' tasks, old sessions, time going back."""
    mine, other = workers
    async with registered(cluster, *mine) as agent, registered(cluster, *other) as foreign:
        pinned = template(Placement={"Constraints": [f"node.id=={agent.node_id}"]})
        made = cluster.request("POST", "/services/create", spec(TaskTemplate=pinned))
        task = await asyncio.to_thread(assigned, cluster, made.json()["ID"])
        task_id = task["ID"]

        for state in (S.NEW, S.PENDING, S.ASSIGNED, S.ORPHANED, S.REMOVE):
            await refused(agent.report(task_id, state), InvalidArgument, "does not report")
        await refused(foreign.report(task_id, S.FAILED), Forbidden, "is not assigned to node")
        await refused(agent.report(task_id, S.FAILED, "no-session"), NotFound, "register again")
        await refused(
            foreign.report(task_id, S.FAILED, agent.session_id), NotFound, "register again"
        )
        await agent.report("nosuchtask", S.RUNNING)
        assert "assigned" == cluster.get(f"/tasks/{task_id}")["Status"]["State"]

        await agent.report(task_id, S.RUNNING)
        for earlier in (S.ACCEPTED, S.PREPARING, S.STARTING):
            await agent.report(task_id, earlier)

        kept = cluster.get(f"/tasks/{task_id}")
        assert ("running", "running") == (kept["Status"]["State"], kept["DesiredState"])
        assert kept["Status"]["Timestamp"] < "2100", "a node's clock is not believed"
        assert 200 == cluster.request("GET", "/services").status
        cluster.request("DELETE", f"/services/{made.json()['ID']}")
