"""Which capabilities a container's process may have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from api.errors import InvalidArgument

_NAMES = (
    "AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE "
    "DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN "
    "MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID "
    "SETPCAP SETUID SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE "
    "SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG SYSLOG WAKE_ALARM"
)
ALL = tuple(f"CAP_{name}" for name in _NAMES.split())
_DEFAULT_NAMES = (
    "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP "
    "NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE"
)
DEFAULT = tuple(f"CAP_{name}" for name in _DEFAULT_NAMES.split())


def normalize(names: Iterable[str], field: str) -> list[str]:
    """Return names in their full form (CAP_NET_ADMIN); ALL stays.

    Errors:  InvalidArgument naming the field of the request and what is unknown.
    """
    full = []
    for name in names:
        upper = name.upper()
        if upper != "ALL" and not upper.startswith("CAP_"):
            upper = f"CAP_{upper}"
        if upper != "ALL" and upper not in ALL:
            raise InvalidArgument(f'invalid {field}: unknown capability: "{upper}"')
        full.append(upper)
    return full


def resolve(
    add: Sequence[str] | None,
    drop: Sequence[str] | None,
    *,
    privileged: bool,
    available: frozenset[str],
) -> list[str]:
    """Return the bounding set of a container, in a fixed order.

    `available` is what the kernel lets us hand on: ALL and privileged mean these. What is asked
    for by name and not available stays in, so that the runtime says so.
    Errors:  InvalidArgument for an unknown name.
    """
    added = normalize(add or [], "CapAdd")
    dropped = normalize(drop or [], "CapDrop")
    if privileged:
        return [name for name in ALL if name in available]
    chosen = set(available) if "ALL" in added else set(DEFAULT)
    if "ALL" in dropped:
        chosen = set(available) if "ALL" in added else set()
    chosen = (chosen - set(dropped)) | {name for name in added if name not in {"ALL", *dropped}}
    # Defaults that the machine cannot give are left out, not refused.
    return [name for name in ALL if name in chosen and (name in available or name in added)]
