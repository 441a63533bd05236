"""Small objects and states to test the store with."""

from __future__ import annotations

from api.types.container_spec import ContainerSpec
from api.types.nodes import NodeDescription
from api.types.secrets import SecretReference
from api.types.services import ServiceSpec
from api.types.tasks import TaskSpec
from manager.core.objects.node import Node
from manager.core.objects.service import Service
from manager.core.objects.task import Task
from manager.core.store.apply import Applied, apply
from manager.core.store.codec import Reader
from manager.core.store.command import decode_command
from manager.core.store.entry import Change, EntryBuilder, EntryLimits
from manager.core.store.state import State, empty_state

NOW_NS = 1_700_000_000_000_000_000


def service(object_id: str, name: str, secret_ids: tuple[str, ...] = ()) -> Service:
    """Return a service of this name that uses these secrets."""
    secrets = [SecretReference(SecretID=secret_id) for secret_id in secret_ids]
    template = TaskSpec(ContainerSpec=ContainerSpec(Image="busybox", Secrets=secrets))
    return Service(id=object_id, spec=ServiceSpec(Name=name, TaskTemplate=template))


def task(object_id: str, of: Service, slot: int = 1, node_id: str = "") -> Task:
    """Return a task of a service."""
    return Task(
        id=object_id,
        service_id=of.id,
        service_name=of.spec.Name,
        slot=slot,
        node_id=node_id,
        spec=of.spec.TaskTemplate,
    )


def node(object_id: str, hostname: str) -> Node:
    """Return a node of this host name."""
    return Node(id=object_id, description=NodeDescription(Hostname=hostname))


def entry(state: State, *changes: Change[object], now_ns: int = NOW_NS) -> bytes:
    """Return the entry of some changes on top of a state."""
    builder = EntryBuilder(state, now_ns, EntryLimits(), Reader())
    for change in changes:
        builder.run(change)
    return builder.encode()


def applied(state: State, data: bytes, index: int) -> Applied:
    """Return what an entry makes of a state."""
    return apply(state, decode_command(data), index, Reader())


def after(*changes: Change[object], state: State | None = None, index: int = 1) -> State:
    """Return the state after some changes."""
    base = empty_state() if state is None else state
    return applied(base, entry(base, *changes), index).state
