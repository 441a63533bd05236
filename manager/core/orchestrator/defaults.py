"""What holds where a service's spec says nothing.

Source: docker service create, the defaults of its flags; `?insertDefaults=true`.
"""

from __future__ import annotations

from msgspec import Struct

from api.types.services import FailureAction, ServiceSpec, UpdateConfig, UpdateOrder
from api.types.tasks import RestartCondition, RestartPolicy, TaskSpec
from manager.core.service_spec import MONITOR_NS, RESTART_DELAY_NS

SECOND_NS = 10**9

DEFAULT_UPDATE = UpdateConfig(
    Parallelism=1,
    FailureAction=FailureAction.PAUSE,
    Monitor=MONITOR_NS,
    Order=UpdateOrder.STOP_FIRST,
)
_NO_POLICY = RestartPolicy()


class Restart(Struct, frozen=True):
    """A restart policy with its defaults; max_attempts and window_ns 0 are without bound."""

    condition: RestartCondition
    delay_ns: int
    max_attempts: int
    window_ns: int


class Update(Struct, frozen=True):
    """How an update goes, with its defaults; parallelism 0 is all at once."""

    parallelism: int
    delay_ns: int
    action: FailureAction
    monitor_ns: int
    max_failure_ratio: float
    is_start_first: bool


def restart_policy(spec: TaskSpec) -> Restart:
    """Return how tasks of a spec are restarted."""
    policy = spec.RestartPolicy or _NO_POLICY
    return Restart(
        RestartCondition(policy.Condition or RestartCondition.ANY),
        RESTART_DELAY_NS if policy.Delay is None else policy.Delay,
        policy.MaxAttempts or 0,
        policy.Window or 0,
    )


def update_policy(spec: ServiceSpec, *, is_rollback: bool) -> Update:
    """Return how tasks of a service are replaced, in an update or in a rollback."""
    config = (spec.RollbackConfig if is_rollback else spec.UpdateConfig) or DEFAULT_UPDATE
    return Update(
        config.Parallelism,
        config.Delay,
        FailureAction(config.FailureAction or FailureAction.PAUSE),
        config.Monitor or MONITOR_NS,
        config.MaxFailureRatio,
        config.Order == UpdateOrder.START_FIRST,
    )
