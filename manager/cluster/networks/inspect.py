"""Show one network of the cluster."""

from __future__ import annotations

from msgspec.structs import replace

from api.types.cluster_networks import Endpoint
from api.types.networks import Network, NetworkTaskInfo, PeerInfo, ServiceInfo
from api.types.tasks import TaskState
from manager.cluster.env import ClusterEnv
from manager.cluster.networks.render import to_api
from manager.cluster.refs import resolve
from manager.core.allocator.vips import bare_by_network
from manager.core.dispatcher.network_members import names_of
from manager.core.objects.service import Service
from manager.core.objects.task import Task
from manager.core.store.query import View
from manager.core.store.tables import NETWORKS


async def inspect_network(env: ClusterEnv, ref: str, *, is_verbose: bool) -> Network:
    """Return the network with this id, name or id prefix; its services and tasks if wanted.

    Errors:  NoSuchNetwork, AmbiguousRef.
    """
    view = env.store.view()
    network = resolve(NETWORKS, view.networks, ref)
    tasks = [each for each in view.tasks.by(network=network.id) if _is_there(each)]
    shown = replace(to_api(network), Peers=_peers(view, tasks))
    if not is_verbose:
        return shown
    by_service: dict[str, list[Task]] = {}
    for task in tasks:
        by_service.setdefault(task.service_id, []).append(task)
    services = {
        service.spec.Name if service is not None else "": _service(view, service, found, network.id)
        for service_id, found in by_service.items()
        if (service := view.services.get(service_id)) is not None or not service_id
    }
    return replace(shown, Services=services)


def _is_there(task: Task) -> bool:
    return bool(task.node_id) and task.status.State <= TaskState.RUNNING


def _peers(view: View, tasks: list[Task]) -> list[PeerInfo]:
    nodes = [view.nodes.get(node_id) for node_id in sorted({each.node_id for each in tasks})]
    return [
        PeerInfo(Name=each.description.Hostname or each.id, IP=each.data_path_address)
        for each in nodes
        if each is not None
    ]


def _service(
    view: View, service: Service | None, tasks: list[Task], network_id: str
) -> ServiceInfo:
    """Return what there is of a service; without one, of the containers that are no tasks."""
    endpoint = service.endpoint if service is not None else Endpoint()
    virtual = bare_by_network(endpoint.VirtualIPs).get(network_id, ())
    return ServiceInfo(
        VIP=virtual[0] if virtual else "",
        Ports=[
            f"Target: {each.TargetPort}, Publish: {each.PublishedPort}" for each in endpoint.Ports
        ],
        Tasks=[
            NetworkTaskInfo(
                Name=next(iter(names_of(task, network_id)), task.id),
                EndpointID=task.id,
                EndpointIP=_address(task, network_id),
                Info={"Host IP": _host_address(view, task)},
            )
            for task in tasks
        ],
    )


def _host_address(view: View, task: Task) -> str:
    node = view.nodes.get(task.node_id)
    return node.data_path_address if node is not None else ""


def _address(task: Task, network_id: str) -> str:
    found = [each.addresses for each in task.networks if each.network_id == network_id]
    return found[0][0].partition("/")[0] if found and found[0] else ""
