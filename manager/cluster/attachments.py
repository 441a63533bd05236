"""Containers that are no tasks on networks of the cluster: kept as tasks without a service."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from api.addresses import AddressOutside, Subnet, version_of
from api.cluster_errors import FailedPrecondition
from api.errors import Forbidden, Unavailable
from api.ids import new_object_id
from api.types.cluster_networks import NetworkAttachmentConfig
from api.types.tasks import NetworkAttachmentSpec, RuntimeType, TaskSpec, TaskState, TaskStatus
from manager.cluster.refs import resolve
from manager.core.objects.network import Network
from manager.core.objects.task import Task
from manager.core.objects.times import to_api_time
from manager.core.store.query import Rows
from manager.core.store.tables import NETWORKS, TASKS
from manager.core.store.transaction import Transaction
from manager.core.store.watch import Match
from manager.ports.clock import Clock
from manager.ports.store import Store

_LIMIT_S = 10.0

Kept = tuple[str, str]
"""A container's id and a network's."""


class NotAttachable(Forbidden):
    """The network is for services alone."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Could not attach to network {name}: rpc error: code = PermissionDenied desc = "
            f"network {name} not manually attachable"
        )


@dataclass(frozen=True, slots=True)
class Wish:
    """A place on a network, by its name or id: names there, and bare addresses, if not any."""

    network: str
    names: Sequence[str]
    addresses: Sequence[str] = ()


async def attach(
    store: Store, clock: Clock, node_id: str, container_id: str, wish: Wish
) -> tuple[Network, list[str]]:
    """Return the network and the container's addresses on it, in CIDR form.

    Errors:  NoSuchNetwork, AmbiguousRef, NotAttachable, AddressOutside; FailedPrecondition why
             there is no address.
    """
    task_id = new_object_id()

    def change(tx: Transaction) -> str:
        network = resolve(NETWORKS, tx.networks, wish.network)
        if not network.spec.Attachable:
            raise NotAttachable(network.spec.Name)
        _check_addresses(network, wish.addresses)
        present = _find(tx.tasks, node_id, (container_id, network.id))
        if present is not None:
            spec = present.spec.NetworkAttachmentSpec
            if spec is not None and spec.Addresses == [*wish.addresses]:
                return present.id
            tx.tasks.remove(present.id)
        tx.tasks.create(_task(task_id, tx.now_ns, node_id, container_id, network.id, wish))
        return task_id

    with store.watch(Match(TASKS)) as changes:
        found_id = await store.update(change)
        limit_s = clock.now_s() + _LIMIT_S
        while True:
            view = store.view()
            task = view.tasks.get(found_id)
            if task is None or clock.now_s() > limit_s:
                raise Unavailable(
                    f"the container's place on the network {wish.network} was not given"
                )
            if task.status.Err:
                await store.update(lambda tx: _remove(tx, found_id))
                raise FailedPrecondition(task.status.Err)
            if task.status.State is TaskState.RUNNING:
                network = resolve(NETWORKS, view.networks, task.networks[0].network_id)
                return network, task.networks[0].addresses
            await anext(changes)


async def keep(store: Store, node_id: str, kept: Collection[Kept]) -> None:
    """Forget the attachments of a node but these."""

    def change(tx: Transaction) -> None:
        for task in list(tx.tasks.by(node=node_id)):
            spec = task.spec.NetworkAttachmentSpec
            if task.service_id or spec is None:
                continue
            if not {(spec.ContainerID, each.network_id) for each in task.networks} & set(kept):
                tx.tasks.remove(task.id)

    if any(not each.service_id for each in store.view().tasks.by(node=node_id)):
        await store.update(change)


def _check_addresses(network: Network, addresses: Sequence[str]) -> None:
    """Refuse addresses that the network cannot have. Errors: AddressOutside, InvalidArgument."""
    configs = network.ipam.Configs if network.ipam is not None else []
    subnets = [Subnet(each.Subnet) for each in configs]
    for address in addresses:
        own = [each for each in subnets if version_of(address) == each.version]
        if not any(each.may_hold(address) for each in own):
            raise AddressOutside(address, ", ".join(str(each.network) for each in subnets))


def _remove(tx: Transaction, task_id: str) -> None:
    if task_id in tx.tasks:
        tx.tasks.remove(task_id)


def _find(tasks: Rows[Task], node_id: str, wanted: Kept) -> Task | None:
    for task in tasks.by(node=node_id):
        spec = task.spec.NetworkAttachmentSpec
        is_for_it = spec is not None and spec.ContainerID == wanted[0]
        if is_for_it and any(each.Target == wanted[1] for each in task.spec.Networks):
            return task
    return None


def _task(
    task_id: str,
    now_ns: int,
    node_id: str,
    container_id: str,
    network_id: str,
    wish: Wish,
) -> Task:
    return Task(
        id=task_id,
        node_id=node_id,
        spec=TaskSpec(
            Runtime=RuntimeType.ATTACHMENT.value,
            NetworkAttachmentSpec=NetworkAttachmentSpec(container_id, [*wish.addresses]),
            Networks=[NetworkAttachmentConfig(Target=network_id, Aliases=[*wish.names])],
        ),
        desired_state=TaskState.RUNNING,
        status=TaskStatus(Timestamp=to_api_time(now_ns), State=TaskState.NEW, Message="created"),
    )
