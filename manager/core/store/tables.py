"""The kinds of objects that the store keeps, and what each can be found by.

To add a kind: its Struct in `manager/core/objects`, one `Table(...)` here and in TABLES, one line
each in `query.View` and `transaction.Transaction`. Apply, watch, dump and restore follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Generic, TypeVar

from msgspec import structs

from api.cluster_errors import (
    ConfigExists,
    NameConflict,
    NoSuchConfig,
    NoSuchNode,
    NoSuchSecret,
    NoSuchService,
    NoSuchTask,
    SecretExists,
    ServiceExists,
)
from api.errors import NoSuchNetwork, NotFound
from api.types.tasks import TaskSpec
from manager.core.allocator.node_local import NODE_LOCAL
from manager.core.objects.cluster import Cluster
from manager.core.objects.config import Config
from manager.core.objects.meta import StoredObject
from manager.core.objects.network import Network
from manager.core.objects.node import Node
from manager.core.objects.resource import Extension, Resource
from manager.core.objects.secret import Secret
from manager.core.objects.service import Service
from manager.core.objects.task import Task, lean_status
from manager.core.objects.volume import Volume
from manager.core.store.errors import NoSuchObject

T = TypeVar("T", bound=StoredObject)

ID_BUCKET_CHARACTERS = 2


@dataclass(frozen=True, slots=True)
class Index(Generic[T]):
    """Something that objects are found by: `keys` may give several, or none.

    fields are those that the keys are made of: while they stay the same objects, so do the keys.
    Keys of a folded index are compared without case, as Docker compares names.
    """

    keys: Callable[[T], Sequence[str]]
    fields: tuple[str, ...]
    is_folded: bool = False


@dataclass(frozen=True, slots=True)
class Table(Generic[T]):
    """One kind of objects.

    name gives what no two objects of the kind may share; None where names do not count.
    shared fields are alike in many objects: they are written and kept once. Those in `runs` are
    often what the object read before had, and then they are kept once; `lean` gives a field's
    value in a form that shares what it can with others.
    """

    kind: str
    type: type[T]
    indexes: Mapping[str, Index[T]]
    name: Callable[[T], str] | None = None
    shared: frozenset[str] = frozenset()
    runs: frozenset[str] = frozenset()
    lean: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    taken: Callable[[str], NameConflict] = lambda _: NameConflict()
    missing: Callable[[str], NotFound] | None = None
    fields: tuple[str, ...] = field(init=False)
    values: Callable[[T], tuple[Any, ...]] = field(init=False)
    indexed_values: Callable[[T], tuple[Any, ...]] = field(init=False)
    indexes_by_field: tuple[tuple[str, ...], ...] = field(init=False)

    def __post_init__(self) -> None:
        """Derive the fields but id and meta, and two getters: theirs, and of those indexed.

        Each getter gives something more at the end, so that it gives a tuple always. Beside
        the indexed values, in the same order, are the names of the indexes made of them.
        """
        fields = tuple(f.name for f in structs.fields(self.type) if f.name not in {"id", "meta"})
        indexes = {"bucket": _BUCKET, **self.indexes}
        indexed = sorted({name for index in indexes.values() for name in index.fields})
        by_field = [tuple(n for n, i in indexes.items() if name in i.fields) for name in indexed]
        object.__setattr__(self, "fields", fields)
        object.__setattr__(self, "indexes", indexes)
        object.__setattr__(self, "values", attrgetter(*fields, "id"))
        object.__setattr__(self, "indexed_values", attrgetter(*indexed, "id"))
        object.__setattr__(self, "indexes_by_field", (*by_field, ()))

    def not_found(self, object_id: str) -> NotFound:
        """Return the error that says that there is no such object."""
        if self.missing is not None:
            return self.missing(object_id)
        return NoSuchObject(self.kind, object_id)


def _bucket(item: StoredObject) -> tuple[str]:
    return (item.id[:ID_BUCKET_CHARACTERS],)


_BUCKET: Index[Any] = Index(_bucket, ("id",))


def _attribute(name: str) -> Index[Any]:
    """Index by a field of text; "" is no key."""
    get = attrgetter(name)

    def keys(item: StoredObject) -> tuple[str, ...]:
        found: str = get(item)
        return (found,) if found else ()

    return Index(keys, (name,))


def _name(get: Callable[[T], str], field_name: str) -> Index[T]:
    def keys(item: T) -> tuple[str, ...]:
        name = get(item)
        return (name.lower(),) if name else ()

    return Index(keys, (field_name,), is_folded=True)


def _labels(get: Callable[[T], Mapping[str, str]], field_name: str) -> Index[T]:
    """Index by labels: each as `key`, and as `key=value`."""

    def keys(item: T) -> list[str]:
        labels = get(item)
        return [*labels, *(f"{key}={value}" for key, value in labels.items())]

    return Index(keys, (field_name,))


def _spec_name(item: Any) -> str:
    name: str = item.spec.Name
    return name


def _spec_labels(item: Any) -> Mapping[str, str]:
    labels: Mapping[str, str] = item.spec.Labels
    return labels


def _annotated_name(item: Any) -> str:
    name: str = item.annotations.Name
    return name


def _annotated_labels(item: Any) -> Mapping[str, str]:
    labels: Mapping[str, str] = item.annotations.Labels
    return labels


_SPECIFIED: dict[str, Index[Any]] = {
    "name": _name(_spec_name, "spec"),
    "label": _labels(_spec_labels, "spec"),
}
_ANNOTATED: dict[str, Index[Any]] = {
    "name": _name(_annotated_name, "annotations"),
    "label": _labels(_annotated_labels, "annotations"),
}


def _secrets_of(spec: TaskSpec) -> list[str]:
    container = spec.ContainerSpec
    return [ref.SecretID for ref in container.Secrets] if container is not None else []


def _configs_of(spec: TaskSpec) -> list[str]:
    container = spec.ContainerSpec
    return [ref.ConfigID for ref in container.Configs] if container is not None else []


def _networks_of_service(service: Service) -> list[str]:
    wanted = [*service.spec.TaskTemplate.Networks, *service.spec.Networks]
    return [network.Target for network in wanted]


def _service_name(service: Service) -> str:
    """Return a service's name; a removed one has given it up while its tasks end."""
    return "" if service.is_removed else service.spec.Name


def _service_names(service: Service) -> tuple[str, ...]:
    name = _service_name(service)
    return (name.lower(),) if name else ()


def _networks_of_task(task: Task) -> list[str]:
    """Return the cluster's networks that a task is on; the nodes' own are asked for by nobody."""
    return [each.network_id for each in task.networks if each.network_id not in NODE_LOCAL]


def _slot(task: Task) -> tuple[str, ...]:
    return (slot_key(task.service_id, task.slot),) if task.service_id and task.slot else ()


def slot_key(service_id: str, slot: int) -> str:
    """Return the key of the index `slot` of tasks."""
    return f"{service_id}.{slot}"


CLUSTERS: Table[Cluster] = Table("cluster", Cluster, _SPECIFIED, name=_spec_name)
NODES: Table[Node] = Table(
    "node",
    Node,
    {
        "name": _name(lambda node: node.description.Hostname, "description"),
        "label": _labels(_spec_labels, "spec"),
        "role": Index(lambda node: (node.role.value,), ("role",)),
        "wanted_role": Index(lambda node: (node.spec.Role,), ("spec",)),
        "membership": Index(lambda node: ("manager",) if node.manager else (), ("manager",)),
    },
    missing=NoSuchNode,
)
SERVICES: Table[Service] = Table(
    "service",
    Service,
    {
        **_SPECIFIED,
        "name": Index(_service_names, ("spec", "is_removed"), is_folded=True),
        "secret": Index(lambda service: _secrets_of(service.spec.TaskTemplate), ("spec",)),
        "config": Index(lambda service: _configs_of(service.spec.TaskTemplate), ("spec",)),
        "network": Index(_networks_of_service, ("spec",)),
        "runtime": Index(lambda service: (service.spec.TaskTemplate.Runtime,), ("spec",)),
    },
    name=_service_name,
    taken=ServiceExists,
    missing=NoSuchService,
)
TASKS: Table[Task] = Table(
    "task",
    Task,
    {
        "service": _attribute("service_id"),
        "node": _attribute("node_id"),
        "slot": Index(_slot, ("service_id", "slot")),
        "network": Index(_networks_of_task, ("networks",)),
    },
    shared=frozenset({"spec", "service_labels", "endpoint", "log_driver"}),
    runs=frozenset({"networks", "generic_resources", "volumes"}),
    lean={"status": lean_status},
    missing=NoSuchTask,
)
NETWORKS: Table[Network] = Table(
    "network", Network, _SPECIFIED, name=_spec_name, missing=NoSuchNetwork
)
SECRETS: Table[Secret] = Table(
    "secret", Secret, _SPECIFIED, name=_spec_name, taken=SecretExists, missing=NoSuchSecret
)
CONFIGS: Table[Config] = Table(
    "config", Config, _SPECIFIED, name=_spec_name, taken=ConfigExists, missing=NoSuchConfig
)
VOLUMES: Table[Volume] = Table("volume", Volume, _ANNOTATED, name=_annotated_name)
EXTENSIONS: Table[Extension] = Table("extension", Extension, _ANNOTATED, name=_annotated_name)
RESOURCES: Table[Resource] = Table(
    "resource", Resource, {**_ANNOTATED, "kind": _attribute("kind")}, name=_annotated_name
)

TABLES: Mapping[str, Table[Any]] = {
    table.kind: table
    for table in (
        CLUSTERS, NODES, SERVICES, TASKS, NETWORKS,
        SECRETS, CONFIGS, VOLUMES, EXTENSIONS, RESOURCES,
    )
}  # fmt: skip
