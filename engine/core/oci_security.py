"""What of a container's rights `SecurityOpt`, `Privileged` and the path masks decide."""

from __future__ import annotations

from dataclasses import dataclass, replace

from api.errors import InvalidArgument
from api.types.containers import HostConfig
from engine.core.host_facts import Facts

MASKED_PATHS = (
    "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
    "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list",
    "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
)  # fmt: skip
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


@dataclass(frozen=True, slots=True)
class SecurityOptions:
    """`seccomp` is "" (default profile), "unconfined" or a profile's JSON text."""

    no_new_privileges: bool = False
    seccomp: str = ""
    apparmor: str = ""
    labels: tuple[str, ...] = ()
    unmasked: bool = False
    writable_cgroups: bool = False


def parse_security_options(
    options: list[str] | None, *, no_new_privileges: bool
) -> SecurityOptions:
    """Return what the `SecurityOpt` list says; the keyword is the daemon's default.

    Errors:  InvalidArgument `invalid --security-opt 1: "…"` and `invalid --security-opt 2: …`.
    """
    parsed = SecurityOptions(no_new_privileges=no_new_privileges)
    for option in options or []:
        if option == "no-new-privileges":
            parsed = replace(parsed, no_new_privileges=True)
            continue
        if option == "disable":
            parsed = replace(parsed, labels=())
            continue
        separator = "=" if "=" in option else ":"
        key, found, value = option.partition(separator)
        if not found:
            raise InvalidArgument(f'invalid --security-opt 1: "{option}"')
        parsed = _with(parsed, key, value, option)
    return parsed


def profile_warnings(options: SecurityOptions, facts: Facts) -> list[str]:
    """Return what to tell a client whose container goes without a profile that it asked for.

    The reference ignores AppArmor profiles and SELinux labels where they are not in force.
    """
    warnings = []
    if options.apparmor not in {"", "unconfined"} and not facts.has_apparmor:
        warnings.append(
            f"AppArmor is not enabled on this host: the profile {options.apparmor} is not applied."
        )
    if options.labels:
        shown = ", ".join(options.labels)
        warnings.append(f"SELinux is not in use: the label options {shown} are not applied.")
    return warnings


def _with(parsed: SecurityOptions, key: str, value: str, option: str) -> SecurityOptions:
    match key:
        case "seccomp":
            return replace(parsed, seccomp="" if value == "builtin" else value)
        case "apparmor":
            return replace(parsed, apparmor=value)
        case "label":
            return replace(parsed, labels=() if value == "disable" else (*parsed.labels, value))
        case "no-new-privileges":
            return replace(parsed, no_new_privileges=_boolean(value, option))
        case "writable-cgroups":
            return replace(parsed, writable_cgroups=_boolean(value, option))
        case "systempaths" if value == "unconfined":
            return replace(parsed, unmasked=True)
        case _:
            raise InvalidArgument(f'invalid --security-opt 2: "{option}"')


def _boolean(value: str, option: str) -> bool:
    if value in {"1", "t", "T", "true", "TRUE", "True"}:
        return True
    if value in {"0", "f", "F", "false", "FALSE", "False"}:
        return False
    raise InvalidArgument(f'invalid --security-opt 2: "{option}"')


def masked_paths(host: HostConfig, options: SecurityOptions, facts: Facts) -> list[str]:
    """Return the paths that the container sees empty; an empty list asked for is kept."""
    if host.Privileged or options.unmasked:
        return []
    if host.MaskedPaths is not None:
        return list(host.MaskedPaths)
    throttles = [f"/sys/devices/system/cpu/cpu{cpu}/thermal_throttle" for cpu in facts.thermal_cpus]
    return [*MASKED_PATHS, *throttles]


def readonly_paths(host: HostConfig, options: SecurityOptions) -> list[str]:
    """Return the paths that the container cannot write to; an empty list asked for is kept."""
    if host.Privileged or options.unmasked:
        return []
    return list(READONLY_PATHS if host.ReadonlyPaths is None else host.ReadonlyPaths)
