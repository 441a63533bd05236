"""List services."""

from __future__ import annotations

from api.filters import Filters
from api.types.services import Service, ServiceMode
from api.types.tasks import RuntimeType
from manager.cluster.env import ClusterEnv
from manager.cluster.object_filters import NameFilters
from manager.cluster.services.render import status_of, to_api


async def list_services(env: ClusterEnv, filters: Filters, *, with_status: bool) -> list[Service]:
    """Return the services that fit the filters, with their tasks counted if wanted.

    Errors:  InvalidFilter.
    """
    wanted = NameFilters(filters, others=("mode", "runtime"))
    modes = filters.get("mode", ())
    runtimes = filters.get("runtime", ()) or (RuntimeType.CONTAINER.value,)
    view = env.store.view()
    return [
        to_api(
            service,
            status=status_of(service, view.tasks.by(service=service.id)) if with_status else None,
        )
        for service in view.services
        if not service.is_removed
        and wanted.fits(service.id, service.spec.Name, service.spec.Labels)
        and (not modes or mode_name(service.spec.Mode) in modes)
        and (service.spec.TaskTemplate.Runtime or RuntimeType.CONTAINER) in runtimes
    ]


def mode_name(mode: ServiceMode) -> str:
    """Return how the filter spells a mode."""
    if mode.Global is not None:
        return "global"
    if mode.ReplicatedJob is not None:
        return "replicated-job"
    return "replicated" if mode.GlobalJob is None else "global-job"
