"""What a node is told: its tasks, and just what they need."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from api.types.assignments import AssignedConfig, AssignedSecret, AssignedTask
from api.types.cluster_networks import ClusterNetwork
from api.types.configs import ConfigReference, ConfigSpec
from api.types.container_spec import ContainerSpec
from api.types.secrets import SecretReference, SecretSpec
from api.types.services import ServiceSpec
from api.types.tasks import TaskSpec, TaskState, TaskStatus
from manager.core.dispatcher.assign import NodeAssignments, concerns_node
from manager.core.objects.config import Config
from manager.core.objects.meta import StoredObject
from manager.core.objects.secret import Secret
from manager.core.objects.service import Service
from manager.core.objects.task import Task, TaskNetwork
from manager.core.store.command import Action
from manager.core.store.draft import Draft
from manager.core.store.query import View
from manager.core.store.state import empty_state
from manager.core.store.transaction import Transaction

S = TaskState
SPEC = TaskSpec(
    ContainerSpec=ContainerSpec(
        Image="a",
        Secrets=[SecretReference(SecretID="s1", SecretName="key")],
        Configs=[ConfigReference(ConfigID="c1", ConfigName="conf")],
    )
)
OTHERS = (
    Secret(id="s1", spec=SecretSpec(Name="key", Data=b"hush")),
    Secret(id="s2", spec=SecretSpec(Name="unused", Data=b"hush")),
    Config(id="c1", spec=ConfigSpec(Name="conf", Data=b"x")),
)


def task(
    number: int,
    state: TaskState = S.ASSIGNED,
    node_id: str = "n1",
    desired: TaskState = S.RUNNING,
    spec: TaskSpec = SPEC,
) -> Task:
    return Task(
        id=f"t{number}",
        service_id="web",
        node_id=node_id,
        spec=spec,
        desired_state=desired,
        status=TaskStatus(State=state),
    )


def test_slots_of_jobs_are_shown_from_0() -> None:
    """The CLI's progress looks for them there: it never ended for slots from 1."""
    job = replace(task(1), slot=3, job_iteration=0)

    shown = [each.shown_slot for each in (job, replace(job, job_iteration=None), task(2))]

    assert [2, 3, 0] == shown


def view(*objects: StoredObject) -> View:
    draft = Draft(empty_state())
    tx = Transaction(draft, 1)
    for each in (*OTHERS, *objects):
        rows = {Task: tx.tasks, Secret: tx.secrets, Config: tx.configs, Service: tx.services}
        rows[type(each)].create(each)  # type: ignore[attr-defined]  # rows of the object's own kind
    return View(draft.freeze(version=1, sequence=1))


def ids(items: Iterable[object]) -> list[str]:
    return [each.ID for each in items]  # type: ignore[attr-defined]  # all items have one


def test_all_is_the_nodes_tasks_after_what_they_need() -> None:
    change = NodeAssignments("n1").all(
        view(task(1), task(2, S.RUNNING), task(3, node_id="n2"), task(4, S.PENDING))
    )

    assert ["s1", "c1", "t1", "t2"] == ids(change.items)
    assert [] == change.removed


def test_secret_holds_its_data_and_does_not_show_it() -> None:
    change = NodeAssignments("n1").all(view(task(1)))

    secret = change.items[0]
    assert isinstance(secret, AssignedSecret)
    assert b"hush" == secret.Data
    assert "hush" not in repr(change)


def test_image_is_pulled_with_the_credentials_of_the_tasks_own_spec() -> None:
    service = Service(
        id="web",
        spec=ServiceSpec(Name="web"),
        spec_version=7,
        registry_auth="new",
        previous_spec_version=3,
        previous_registry_auth="old",
    )
    tasks = [
        replace(task(number), service_id="web", spec_version=version)
        for number, version in ((1, 7), (2, 3))
    ]

    change = NodeAssignments("n1").all(view(service, *tasks))

    found = {each.ID: each for each in change.items if isinstance(each, AssignedTask)}
    assert ("new", "old") == (found["t1"].RegistryAuth, found["t2"].RegistryAuth)


def test_ended_task_stays_and_its_secrets_go() -> None:
    told = NodeAssignments("n1")
    told.all(view(task(1, S.RUNNING)))

    change = told.change(["t1"], view(task(1, S.SHUTDOWN, desired=S.SHUTDOWN)))

    assert ["t1"] == ids(change.items)
    assert {(AssignedSecret, "s1"), (AssignedConfig, "c1")} == set(change.removed)


def test_secrets_stay_for_the_other_task_that_needs_them() -> None:
    told = NodeAssignments("n1")
    told.all(view(task(1), task(2)))

    change = told.change(["t1"], view(task(2)))

    assert [(AssignedTask, "t1")] == change.removed
    assert [] == change.items


def test_replacement_in_one_change_keeps_the_secret() -> None:
    told = NodeAssignments("n1")
    told.all(view(task(1)))

    change = told.change(["t1", "t2"], view(task(2)))

    assert ["t2"] == ids(change.items)
    assert [(AssignedTask, "t1")] == change.removed


def test_reports_of_the_node_are_not_told_back() -> None:
    told = NodeAssignments("n1")
    told.all(view(task(1)))

    assert not told.change(["t1"], view(task(1, S.RUNNING)))


def test_nodes_own_network_comes_along() -> None:
    alone = replace(
        task(1, spec=TaskSpec(ContainerSpec=ContainerSpec(Image="a"))),
        networks=[TaskNetwork(network_id="host")],
    )

    change = NodeAssignments("n1").all(view(alone))

    network, _ = change.items
    assert isinstance(network, ClusterNetwork)
    assert "true" == network.Spec.Labels["com.docker.swarm.predefined"]


def test_what_concerns_a_node() -> None:
    update = Action.UPDATE
    assert concerns_node(task(1, S.PENDING, ""), task(1), update)
    assert concerns_node(task(1), task(1, desired=S.SHUTDOWN), update)
    assert concerns_node(task(1), task(1), Action.REMOVE)
    assert concerns_node(task(1, S.RUNNING), task(1, S.FAILED), update), "its secrets go"
    assert not concerns_node(task(1), task(1, S.RUNNING), update)
    assert not concerns_node(task(1, S.NEW, ""), task(1, S.PENDING, ""), update)
