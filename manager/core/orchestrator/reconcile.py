"""The whole of what is due for one service."""

from __future__ import annotations

from manager.core.orchestrator.actions import DeleteService, Plan
from manager.core.orchestrator.doubles import stop_doubles
from manager.core.orchestrator.draft import Draft
from manager.core.orchestrator.global_ import clear, cover
from manager.core.orchestrator.jobs import drop_old_runs, run_global, run_replicated
from manager.core.orchestrator.rebalance import rebalance
from manager.core.orchestrator.replicated import remove_slot, scale
from manager.core.orchestrator.restart import restart_tasks, start_waiting
from manager.core.orchestrator.updater import update
from manager.core.orchestrator.view import NewId, ServiceView


def reconcile(view: ServiceView, now_ns: int, new_id: NewId) -> Plan:
    """Return what brings a service to what its spec says; an empty plan when nothing is due.

    Idempotent: applied, and asked again at the same moment, there is nothing more to do; unless
    the plan rolled the service back, to a spec that other tasks are due for.
    """
    draft = Draft(view, now_ns, new_id)
    mode = view.service.spec.Mode
    if view.service.is_removed:
        _remove(draft)
        return draft.plan()
    if view.service.job is not None:
        drop_old_runs(draft)
    is_global = mode.Global is not None or mode.GlobalJob is not None
    if is_global:
        clear(draft)
    restart_tasks(draft)
    stop_doubles(draft)
    if mode.ReplicatedJob is not None:
        run_replicated(draft)
    elif mode.GlobalJob is not None:
        run_global(draft)
    elif is_global:
        cover(draft)
    else:
        scale(draft)
    if view.service.job is None:
        update(draft)
        if not is_global:
            rebalance(draft)
    start_waiting(draft)
    return draft.plan()


def _remove(draft: Draft) -> None:
    """Want all tasks gone, then the service."""
    if not draft.tasks:
        draft.act(DeleteService(draft.service.id))
    for tasks in draft.slots().values():
        remove_slot(draft, tasks)
