"""The cluster's objects over HTTP: statuses, bodies, Docker's words, and the reference's shapes."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from msgspec.structs import replace

from api.types.tasks import TaskSpec, TaskState, TaskStatus
from manager.core.objects.task import Task
from tests.api.swagger import Reference
from tests.fakes.manager_app import ManagerApp
from tests.fakes.small_cluster import SmallCluster, small_cluster

_BESIDE = Path(__file__).parents[5] / "shared" / "docker-api" / "swagger.yaml"
SWAGGER = Path(os.environ.get("SKEP_SWAGGER", _BESIDE))

WEB = {
    "Name": "web",
    "TaskTemplate": {"ContainerSpec": {"Image": "nginx:alpine"}},
    "EndpointSpec": {"Ports": [{"TargetPort": 80, "PublishedPort": 8080}]},
}
DATA = base64.b64encode(b"hush").decode()


class Bed:
    """A cluster of one manager and two workers, and its application."""

    def __init__(self, cluster: SmallCluster) -> None:
        self.cluster = cluster
        self.app = ManagerApp(cluster)

    async def make(self, noun: str, content: dict[str, Any]) -> str:
        """Create an object; return its id."""
        status, found = await self.app.ask("POST", f"/{noun}/create", content)
        assert status == 201, found
        object_id: str = found["ID"]
        return object_id

    async def refusal(self, method: str, target: str, content: Any = None) -> tuple[int, str]:
        """Return status and message of what must fail."""
        status, found = await self.app.ask(method, target, content)
        assert status >= 400, found
        return status, found["message"]

    async def make_task(self, service_id: str, number: int, **changes: Any) -> Task:
        """Make a running task of a service."""
        service = self.cluster.store.view().services.need(service_id)
        task = Task(
            id=f"task{number}",
            spec=service.spec.TaskTemplate,
            spec_version=service.spec_version,
            service_id=service_id,
            service_name=service.spec.Name,
            service_labels=service.spec.Labels,
            slot=number,
            node_id="w1",
            desired_state=TaskState.RUNNING,
            status=TaskStatus(State=TaskState.RUNNING),
        )
        return await self.cluster.store.update(lambda tx: tx.tasks.create(replace(task, **changes)))


@pytest_asyncio.fixture
async def bed() -> AsyncIterator[Bed]:
    """Lend a bed."""
    async with small_cluster(workers=2) as cluster:
        yield Bed(cluster)


@cache
def reference() -> Reference:
    """Return the Engine API's reference, read once."""
    if not SWAGGER.exists():
        pytest.skip("needs the Engine API's swagger.yaml in $SKEP_SWAGGER")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return Reference(yaml.load(SWAGGER.read_text(), loader))


@pytest.mark.parametrize(
    "path",
    [
        "/nodes", "/nodes/{id}", "/swarm", "/swarm/unlockkey", "/services", "/services/{id}",
        "/tasks", "/tasks/{id}", "/secrets", "/secrets/{id}", "/configs", "/configs/{id}",
    ],
)  # fmt: skip
async def test_answers_have_the_references_shapes(bed: Bed, path: str) -> None:
    service = await bed.make("services", WEB)
    ids = {
        "nodes": "m1",
        "services": service,
        "tasks": (await bed.make_task(service, 1)).id,
        "secrets": await bed.make("secrets", {"Name": "s", "Data": DATA}),
        "configs": await bed.make("configs", {"Name": "c", "Data": DATA}),
    }

    found = await bed.app.get(path.replace("{id}", ids.get(path.split("/")[1], "")))

    schema = reference().schema(path, "GET", 200)
    assert schema is not None
    assert [] == list(reference().complaints(found, schema))


async def test_new_service_is_shown_as_docker_shows_it(bed: Bed) -> None:
    """Source: a current Docker, the same request."""
    service_id = await bed.make("services", WEB)

    found = await bed.app.get(f"/services/{service_id}")

    port = {"Protocol": "tcp", "TargetPort": 80, "PublishedPort": 8080, "PublishMode": "ingress"}
    assert {
        "Name": "web",
        "Labels": {},
        "TaskTemplate": {
            "ContainerSpec": {"Image": "nginx:alpine", "Isolation": "default"},
            "ForceUpdate": 0,
            "Runtime": "container",
        },
        "Mode": {"Replicated": {"Replicas": 1}},
        "EndpointSpec": {"Mode": "vip", "Ports": [port]},
    } == found["Spec"]
    assert "PreviousSpec" not in found


async def test_defaults_are_inserted_where_they_are_asked_for(bed: Bed) -> None:
    await bed.make("services", WEB)

    spec = (await bed.app.get("/services/web?insertDefaults=true"))["Spec"]

    policy = {"Condition": "any", "Delay": 5_000_000_000, "MaxAttempts": 0}
    assert policy == spec["TaskTemplate"]["RestartPolicy"]
    assert 10_000_000_000 == spec["TaskTemplate"]["ContainerSpec"]["StopGracePeriod"]
    assert {"Limits": {}, "Reservations": {}} == spec["TaskTemplate"]["Resources"]
    update = {
        "Parallelism": 1,
        "FailureAction": "pause",
        "Monitor": 5_000_000_000,
        "MaxFailureRatio": 0,
        "Order": "stop-first",
    }
    assert update == spec["UpdateConfig"] == spec["RollbackConfig"]


async def test_service_without_a_name_is_given_one(bed: Bed) -> None:
    service_id = await bed.make("services", {**WEB, "Name": ""})

    assert (await bed.app.get(f"/services/{service_id}"))["Spec"]["Name"]


async def test_second_service_of_a_name_is_refused(bed: Bed) -> None:
    await bed.make("services", WEB)

    status, message = await bed.refusal("POST", "/services/create", {**WEB, "EndpointSpec": {}})

    assert (409, True) == (status, "service web already exists" in message)


@pytest.mark.parametrize(
    ("mode", "status"), [("ingress", 400), ("host", 400)], ids=["ingress", "host"]
)
async def test_port_that_another_service_publishes_is_refused(
    bed: Bed, mode: str, status: int
) -> None:
    await bed.make("services", WEB)
    ports = [{"TargetPort": 1, "PublishedPort": 8080, "PublishMode": mode}]
    other = {**WEB, "Name": "other", "EndpointSpec": {"Ports": ports}}

    refused = await bed.refusal("POST", "/services/create", other)

    assert status == refused[0]
    assert "port '8080' is already in use by service 'web'" in refused[1]


async def test_host_ports_may_meet_and_protocols_differ(bed: Bed) -> None:
    """The scheduler keeps tasks with the same host port apart."""
    host = {"TargetPort": 1, "PublishedPort": 9, "PublishMode": "host"}
    udp = {"TargetPort": 1, "PublishedPort": 8080, "Protocol": "udp"}
    await bed.make("services", WEB)

    for name, port in (("a", host), ("b", host), ("c", udp)):
        await bed.make("services", {**WEB, "Name": name, "EndpointSpec": {"Ports": [port]}})


async def test_missing_secrets_and_configs_are_named(bed: Bed) -> None:
    file = {"Name": "f", "UID": "0", "GID": "0", "Mode": 292}
    container = {
        "Image": "x",
        "Secrets": [{"SecretID": "no", "SecretName": "hush", "File": file}],
    }

    status, message = await bed.refusal(
        "POST", "/services/create", {"Name": "x", "TaskTemplate": {"ContainerSpec": container}}
    )

    assert (400, True) == (status, "secret not found: hush" in message)


async def test_unknown_network_is_refused_and_hosts_own_is_not(bed: Bed) -> None:
    task = {**WEB["TaskTemplate"], "Networks": [{"Target": "nowhere"}]}  # type: ignore[dict-item]
    refused = await bed.refusal("POST", "/services/create", {"Name": "x", "TaskTemplate": task})
    assert (404, "network nowhere not found") == refused

    task["Networks"] = [{"Target": "host"}]
    await bed.make("services", {"Name": "x", "TaskTemplate": task})


async def test_update_keeps_the_spec_from_before_and_rollback_brings_it_back(bed: Bed) -> None:
    await bed.make("services", WEB)
    first = await bed.app.get("/services/web")
    spec = {**first["Spec"], "Labels": {"a": "b"}}

    target = f"/services/web/update?version={first['Version']['Index']}"
    assert (200, {"Warnings": None}) == await bed.app.ask("POST", target, spec)
    second = await bed.app.get("/services/web")
    assert ({"a": "b"}, {}) == (second["Spec"]["Labels"], second["PreviousSpec"]["Labels"])
    assert 500 == (await bed.refusal("POST", target, spec))[0]

    target = f"/services/web/update?version={second['Version']['Index']}&rollback=previous"
    assert 200 == (await bed.app.ask("POST", target, second["Spec"]))[0]
    third = await bed.app.get("/services/web")
    assert ({}, {"a": "b"}) == (third["Spec"]["Labels"], third["PreviousSpec"]["Labels"])
    assert "rollback_started" == third["UpdateStatus"]["State"]


async def test_spec_version_comes_back_with_the_spec(bed: Bed) -> None:
    """So a rollback does not replace the tasks that still are what the old spec says."""
    service_id = await bed.make("services", WEB)
    for query in ("", "&rollback=previous"):
        shown = await bed.app.get("/services/web")
        target = f"/services/web/update?version={shown['Version']['Index']}{query}"
        await bed.app.ask("POST", target, {**shown["Spec"], "Labels": {"a": "b"}})

    service = bed.cluster.store.view().services.need(service_id)
    assert 0 == service.spec_version
    assert service.previous_spec_version > 0


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"Name": "other"}, 501, "renaming services is not supported"),
        ({"Mode": {"Global": {}}}, 501, "service mode change is not allowed"),
    ],
)
async def test_what_a_service_cannot_change_is_refused(
    bed: Bed, change: dict[str, Any], status: int, words: str
) -> None:
    await bed.make("services", WEB)
    shown = await bed.app.get("/services/web")
    target = f"/services/web/update?version={shown['Version']['Index']}"

    refused = await bed.refusal("POST", target, {**shown["Spec"], **change})

    assert (status, True) == (refused[0], words in refused[1])


async def test_service_without_a_past_cannot_be_rolled_back(bed: Bed) -> None:
    await bed.make("services", WEB)
    shown = await bed.app.get("/services/web")
    target = f"/services/web/update?version={shown['Version']['Index']}&rollback=previous"

    status, message = await bed.refusal("POST", target, shown["Spec"])

    assert (400, True) == (status, "does not have a previous spec" in message)


async def test_removed_service_is_gone_at_once_while_its_tasks_end(bed: Bed) -> None:
    """`docker stack rm` and then `deploy` of the same stack must not meet."""
    service_id = await bed.make("services", WEB)
    await bed.make_task(service_id, 1)

    assert (200, None) == await bed.app.ask("DELETE", "/services/web")

    assert 404 == (await bed.refusal("GET", "/services/web"))[0]
    assert 404 == (await bed.refusal("GET", f"/services/{service_id}"))[0]
    assert [] == await bed.app.get("/services")
    await bed.make("services", WEB)
    assert bed.cluster.store.view().services.need(service_id).is_removed


async def test_credentials_go_along_with_specs_and_are_never_shown(bed: Bed) -> None:
    """What `docker service update` without --with-registry-auth must not lose."""
    app = bed.app
    auth: list[str] = []

    async def update(query: str = "", **headers: str) -> None:
        shown = await app.get("/services/web")
        target = f"/services/web/update?version={shown['Version']['Index']}{query}"
        spec = {**shown["Spec"], "Labels": {"n": str(len(auth))}}
        status, answer = await app.ask("POST", target, spec, **headers)
        assert status == 200, answer
        [service] = bed.cluster.store.view().services
        auth.append(service.registry_auth)

    await app.ask("POST", "/services/create", WEB, x_registry_auth="one")
    await update()
    await update(x_registry_auth="two")
    await update("&rollback=previous")
    await update("&registryAuthFrom=previous-spec")

    assert ["one", "two", "one", "two"] == auth
    assert "two" not in str(await app.get("/services/web"))
    refused = await bed.refusal("POST", "/services/web/update?version=1&registryAuthFrom=x", WEB)
    assert (400, "unsupported registryAuthFrom value") == refused


async def test_status_counts_tasks(bed: Bed) -> None:
    service_id = await bed.make("services", {**WEB, "Mode": {"Replicated": {"Replicas": 3}}})
    await bed.make_task(service_id, 1)
    await bed.make_task(service_id, 2, status=TaskStatus(State=TaskState.PREPARING))

    [plain], [counted] = await bed.app.get("/services"), await bed.app.get("/services?status=true")

    assert "ServiceStatus" not in plain
    assert {"RunningTasks": 1, "DesiredTasks": 3, "CompletedTasks": 0} == counted["ServiceStatus"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ('{"mode":["global"]}', ["g"]),
        ('{"mode":["replicated"]}', ["web"]),
        ('{"name":["w"]}', ["web"]),
        ('{"label":["a=b"]}', ["g"]),
        ('{"runtime":["plugin"]}', []),
    ],
)
async def test_filters_choose_services(bed: Bed, filters: str, expected: list[str]) -> None:
    await bed.make("services", WEB)
    plain = {"TaskTemplate": WEB["TaskTemplate"]}
    await bed.make("services", {**plain, "Name": "g", "Mode": {"Global": {}}, "Labels": {"a": "b"}})

    found = await bed.app.get(f"/services?filters={filters}")

    assert expected == [each["Spec"]["Name"] for each in found]


async def test_filters_choose_tasks(bed: Bed) -> None:
    service_id = await bed.make("services", {**WEB, "Labels": {"a": "b"}})
    await bed.make_task(service_id, 1)
    await bed.make_task(service_id, 2, node_id="w2", desired_state=TaskState.SHUTDOWN)

    async def ids(filters: str) -> list[str]:
        return [task["ID"] for task in await bed.app.get(f"/tasks?filters={filters}")]

    assert ["task1", "task2"] == await ids('{"service":["web"]}')
    assert ["task2"] == await ids('{"node":["host-w2"]}')
    assert ["task1"] == await ids('{"desired-state":["running"],"service":["web"]}')
    assert ["task1", "task2"] == await ids('{"label":["a"]}')
    assert ["task2"] == await ids('{"id":["task2"]}')
    refused = await bed.refusal("GET", '/tasks?filters={"desired-state":["asleep"]}')
    assert (400, "Invalid desired-state filter: 'asleep'") == refused
    assert 404 == (await bed.refusal("GET", '/tasks?filters={"service":["none"]}'))[0]


async def test_tasks_of_an_older_spec_are_not_up_to_date(bed: Bed) -> None:
    """The docker command asks for this filter while it shows the progress of an update."""
    service_id = await bed.make("services", WEB)
    await bed.make_task(service_id, 1)
    await bed.make_task(service_id, 2, spec=TaskSpec(Runtime="container"), spec_version=99)

    found = await bed.app.get('/tasks?filters={"service":["web"],"_up-to-date":["true"]}')

    assert ["task1"] == [task["ID"] for task in found]


@pytest.mark.parametrize("noun", ["secret", "config"])
async def test_labels_alone_can_be_changed(bed: Bed, noun: str) -> None:
    await bed.make(f"{noun}s", {"Name": "n", "Data": DATA})
    shown = await bed.app.get(f"/{noun}s/n")
    target = f"/{noun}s/n/update?version={shown['Version']['Index']}"

    for change in ({"Name": "m"}, {"Data": base64.b64encode(b"other").decode()}):
        status, message = await bed.refusal("POST", target, {"Name": "n", **change})
        assert (400, True) == (status, "only updates to Labels are allowed" in message)
    changed = {"Name": "n", "Data": DATA, "Labels": {"a": "b"}}
    assert (200, None) == await bed.app.ask("POST", target, changed)

    assert {"a": "b"} == (await bed.app.get(f"/{noun}s/n"))["Spec"]["Labels"]


async def test_secret_is_never_given_back(bed: Bed) -> None:
    await bed.make("secrets", {"Name": "n", "Data": DATA})

    assert "Data" not in (await bed.app.get("/secrets/n"))["Spec"]
    assert "Data" not in (await bed.app.get("/secrets"))[0]["Spec"]


async def test_config_is_shown_with_what_it_holds(bed: Bed) -> None:
    await bed.make("configs", {"Name": "n", "Data": DATA})

    assert DATA == (await bed.app.get("/configs/n"))["Spec"]["Data"]


@pytest.mark.parametrize(
    ("noun", "field", "prefix"),
    [("secret", "Secrets", "Secret"), ("config", "Configs", "Config")],
)
async def test_what_services_use_cannot_be_removed(
    bed: Bed, noun: str, field: str, prefix: str
) -> None:
    object_id = await bed.make(f"{noun}s", {"Name": "n", "Data": DATA})
    file = {"Name": "f", "UID": "0", "GID": "0", "Mode": 292}
    reference_ = {f"{prefix}ID": object_id, f"{prefix}Name": "n", "File": file}
    container = {"Image": "x", field: [reference_]}
    await bed.make("services", {"Name": "user", "TaskTemplate": {"ContainerSpec": container}})

    status, message = await bed.refusal("DELETE", f"/{noun}s/n")
    assert (400, True) == (
        status,
        f"{noun} 'n' is in use by the following service: user" in message,
    )

    await bed.app.ask("DELETE", "/services/user")
    assert (204, None) == await bed.app.ask("DELETE", f"/{noun}s/n")
    assert 404 == (await bed.refusal("GET", f"/{noun}s/n"))[0]


@pytest.mark.parametrize(
    ("target", "noun"),
    [("/nodes/m1/update", "node"), ("/swarm/update", "swarm"), ("/services/x/update", "service")],
)
@pytest.mark.parametrize("version", ["", "?version=", "?version=-1", "?version=x"])
async def test_update_without_a_version_is_refused(
    bed: Bed, target: str, noun: str, version: str
) -> None:
    status, message = await bed.refusal("POST", f"{target}{version}", {})

    assert (400, True) == (status, message.startswith(f"invalid {noun} version '"))
