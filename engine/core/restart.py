"""Restart policies: whether a container that ended is started again, and when.

Source: the reference's documentation of --restart, and its measured back-off: 100 ms doubling to
a minute, from the beginning again after ten seconds up.
"""

from __future__ import annotations

from api.errors import InvalidArgument
from api.types.containers import RestartPolicy

_FIRST_S = 0.1
_LONGEST_S = 60.0
_SETTLED_NS = 10_000_000_000
_NAMES = frozenset({"", "no", "always", "unless-stopped", "on-failure"})


def check(policy: RestartPolicy, *, auto_remove: bool) -> None:
    """Refuse a policy that makes no sense. Errors: InvalidArgument."""
    if policy.Name not in _NAMES:
        raise InvalidArgument(
            f"invalid restart policy: unknown policy '{policy.Name}'; use one of 'no', 'always', "
            "'on-failure', or 'unless-stopped'"
        )
    if policy.MaximumRetryCount < 0:
        raise InvalidArgument("invalid restart policy: maximum retry count cannot be negative")
    if policy.MaximumRetryCount and policy.Name != "on-failure":
        raise InvalidArgument(
            "invalid restart policy: maximum retry count can only be used with 'on-failure'"
        )
    if auto_remove and policy.Name not in {"", "no"}:
        raise InvalidArgument("can't create 'AutoRemove' container with restart policy")


def is_due(policy: RestartPolicy, *, exit_code: int, failures: int, stop_asked: bool) -> bool:
    """Tell whether an exit is answered by a start; `failures` counts this one too."""
    if stop_asked:
        return False
    match policy.Name:
        case "always" | "unless-stopped":
            return True
        case "on-failure":
            limit = policy.MaximumRetryCount
            return exit_code != 0 and (limit == 0 or failures <= limit)
        case _:
            return False


def is_due_at_boot(
    policy: RestartPolicy, *, exit_code: int, failures: int, stop_asked: bool
) -> bool:
    """Tell whether a stopped container starts with the daemon: `always` even after a stop."""
    asked = stop_asked and policy.Name != "always"
    return is_due(policy, exit_code=exit_code, failures=failures, stop_asked=asked)


def back_off_s(attempt: int) -> float:
    """Return the seconds to wait before restart number `attempt` in a row, 0 the first."""
    return min(_FIRST_S * 2.0 ** min(attempt, 16), _LONGEST_S)


def has_settled(ran_ns: int) -> bool:
    """Tell whether a container ran long enough for the back-off to begin anew."""
    return ran_ns >= _SETTLED_NS
