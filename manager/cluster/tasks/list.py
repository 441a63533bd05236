"""List tasks, and show one."""

from __future__ import annotations

from api.filters import Filters
from api.types.tasks import Task
from manager.cluster.env import ClusterEnv
from manager.cluster.refs import resolve
from manager.cluster.tasks.filters import TaskFilters
from manager.cluster.tasks.render import to_api
from manager.core.store.tables import TASKS


async def list_tasks(env: ClusterEnv, filters: Filters) -> list[Task]:
    """Return the tasks that fit. Errors: InvalidArgument, NoSuchService, NoSuchNode."""
    view = env.store.view()
    return [to_api(task, view) for task in TaskFilters(filters, view).tasks()]


async def inspect_task(env: ClusterEnv, ref: str) -> Task:
    """Return the task with this id or id prefix. Errors: NoSuchTask, AmbiguousRef."""
    view = env.store.view()
    return to_api(resolve(TASKS, view.tasks, ref), view)
