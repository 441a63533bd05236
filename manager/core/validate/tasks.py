"""What each task of a service is."""

from __future__ import annotations

from api.cluster_errors import InvalidSpec, Unimplemented
from api.errors import InvalidArgument
from api.types.tasks import Placement, RestartCondition, RestartPolicy, RuntimeType, TaskSpec
from manager.core.scheduler.constraint import parse_constraints
from manager.core.scheduler.requirements import NODES_THEMSELVES
from manager.core.validate.containers import check_container
from manager.core.validate.names import quoted
from manager.core.validate.references import check_references
from manager.core.validate.resources import check_resources

_SPREAD_PREFIXES = ("node.labels.", "engine.labels.")


def check_task_spec(spec: TaskSpec) -> None:
    """Refuse tasks that could never run. Errors: InvalidArgument, Unimplemented."""
    check_resources(spec.Resources)
    if spec.RestartPolicy is not None:
        _check_restart(spec.RestartPolicy)
    if spec.Placement is not None:
        _check_placement(spec.Placement)
    _check_runtime(spec)
    if spec.ContainerSpec is None:
        raise InvalidSpec("ContainerSpec: image reference must be provided")
    check_references(spec.ContainerSpec)
    check_container(spec.ContainerSpec)


def _check_runtime(spec: TaskSpec) -> None:
    if spec.Runtime in (RuntimeType.PLUGIN, RuntimeType.ATTACHMENT):
        raise Unimplemented("RuntimeSpec: unimplemented runtime in service spec")
    if spec.Runtime not in ("", RuntimeType.CONTAINER):
        raise InvalidArgument("unsupported runtime")
    if spec.PluginSpec is not None or spec.NetworkAttachmentSpec is not None:
        raise InvalidArgument("mismatched Runtime and *Spec fields")


def _check_restart(policy: RestartPolicy) -> None:
    if policy.Condition and policy.Condition not in set(RestartCondition):
        raise InvalidArgument(f"invalid RestartCondition: {quoted(policy.Condition)}")
    if policy.Delay is not None and policy.Delay < 0:
        raise InvalidSpec("TaskSpec: restart-delay cannot be negative")
    if policy.Window is not None and policy.Window < 0:
        raise InvalidSpec("TaskSpec: restart-window cannot be negative")


def _check_placement(placement: Placement) -> None:
    parse_constraints(placement.Constraints)
    for preference in placement.Preferences:
        over = preference.Spread.SpreadDescriptor if preference.Spread is not None else ""
        if over.lower() in NODES_THEMSELVES:
            continue
        if not over.lower().startswith(_SPREAD_PREFIXES) or over.endswith(".labels."):
            raise InvalidSpec(
                f"placement preference {quoted(over)}: only spreading over node.labels.<name> or "
                "engine.labels.<name> is supported"
            )
