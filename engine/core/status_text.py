"""What `docker ps` prints of a container: "Up 5 minutes", "Exited (0) 2 seconds ago"."""

from __future__ import annotations

from engine.core.container_state import State, Status

_SECOND_NS = 1_000_000_000


def status_text(  # noqa: PLR0911  (one row of a table each)
    state: State, health: str, now_ns: int
) -> str:
    """Return the text; `health` is "" for a container without a check."""
    match state.status:
        case Status.RUNNING:
            up = f"Up {duration_text(now_ns - state.started_ns)}"
            if health in {"", "none"}:
                return up
            return f"{up} (health: starting)" if health == "starting" else f"{up} ({health})"
        case Status.PAUSED:
            return f"Up {duration_text(now_ns - state.started_ns)} (Paused)"
        case Status.RESTARTING:
            ago = duration_text(now_ns - state.finished_ns)
            return f"Restarting ({state.exit_code}) {ago} ago"
        case Status.REMOVING:
            return "Removal In Progress"
        case Status.DEAD:
            return "Dead"
        case Status.CREATED:
            return "Created"
        case Status.EXITED:
            ago = duration_text(now_ns - state.finished_ns)
            return f"Exited ({state.exit_code}) {ago} ago"


def duration_text(duration_ns: int) -> str:  # noqa: PLR0911  (one row of a table each)
    """Return a span of time in one unit, as people say it."""
    seconds = max(duration_ns, 0) // _SECOND_NS
    if seconds < 1:
        return "Less than a second"
    if seconds < 60:
        return "1 second" if seconds == 1 else f"{seconds} seconds"
    minutes = seconds // 60
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    hours = (seconds + 1800) // 3600
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    days = hours // 24
    if days < 14:
        return f"{days} days"
    if days < 60:
        return f"{days // 7} weeks"
    if days < 730:
        return f"{days // 30} months"
    return f"{days // 365} years"
