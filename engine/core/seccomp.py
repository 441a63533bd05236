"""The seccomp filter of a container, in the form that the OCI runtime takes.

A profile in Docker's form has conditions (capabilities, architectures, kernel); the runtime's form
has none, so they are decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from api.errors import InvalidArgument
from engine.core import seccomp_syscalls as calls

# Machine word -> (name in profiles, the architectures of its filter, its own first).
_ARCHITECTURES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "x86_64": ("amd64", ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32")),
    "aarch64": ("arm64", ("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM")),
    "armv7l": ("arm", ("SCMP_ARCH_ARM",)),
    "armv6l": ("arm", ("SCMP_ARCH_ARM",)),
    "i686": ("386", ("SCMP_ARCH_X86",)),
    "ppc64le": ("ppc64le", ("SCMP_ARCH_PPC64LE",)),
    "s390x": ("s390x", ("SCMP_ARCH_S390X", "SCMP_ARCH_S390")),
    "riscv64": ("riscv64", ("SCMP_ARCH_RISCV64",)),
}
_PROFILE_NAMES = {"amd64": {"amd64", "x32", "x86"}, "arm64": {"arm64", "arm"}}
_X32 = "SCMP_ARCH_X32"
_EPERM, _ENOSYS = 1, 38
_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
_NAMESPACE_FLAGS = 0x7E020000
_WORD = 0xFFFFFFFF
# The address families from 0 to 47 without AF_ALG (38) and AF_VSOCK (40), as (mask, value). Masks,
# not comparisons: the kernel reads 32 bits of the argument, a comparison would read 64.
_FAMILIES = (
    (_WORD ^ 31, 0),
    (_WORD ^ 3, 32),
    (_WORD ^ 1, 36),
    (_WORD, 39),
    (_WORD, 41),
    (_WORD ^ 1, 42),
    (_WORD ^ 3, 44),
)


@lru_cache(maxsize=32)
def default_filter(
    capabilities: frozenset[str], architecture: str, kernel: tuple[int, int], *, x32: bool = True
) -> Mapping[str, Any]:
    """Return the filter that containers get unless they ask for another.

    `architecture` is the machine's word (x86_64). Without `x32` that ABI is left out, for kernels
    that cannot run it: the runtime compiles every ABI for every process, a few ms each.
    The result is shared: do not change it.
    """
    name, filter_architectures = _ARCHITECTURES.get(architecture, (architecture, ()))
    if not x32:
        filter_architectures = tuple(each for each in filter_architectures if each != _X32)
    allowed = {*calls.ALWAYS, *calls.BY_ARCHITECTURE.get(name, ())}
    if kernel >= (4, 8):
        allowed.update(calls.SINCE_4_8)
    for capability in capabilities:
        allowed.update(calls.BY_CAPABILITY.get(capability, ()))
    rules = [_rule(sorted(allowed))]
    rules += [_rule(["socket"], _masked(0, mask, value)) for mask, value in _FAMILIES]
    rules += [_rule(["personality"], _equal(0, value)) for value in _PERSONALITIES]
    if "CAP_SYS_ADMIN" not in capabilities:
        # New namespaces need the capability; clone3 keeps its flags in memory, out of a filter's
        # sight, and programs fall back to clone when the kernel seems not to know it.
        flags = 1 if name == "s390x" else 0
        rules.append(_rule(["clone"], _masked(flags, _NAMESPACE_FLAGS, 0)))
        rules.append({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS})
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": _EPERM,
        "architectures": list(filter_architectures),
        "syscalls": rules,
    }


def parse_profile(
    text: str, capabilities: frozenset[str], architecture: str, kernel: tuple[int, int]
) -> dict[str, Any]:
    """Return the filter of a profile that a user wrote (Docker's JSON form).

    Errors:  InvalidArgument `Decoding seccomp profile failed: …`.
    """
    try:
        profile = msgspec.json.decode(text, type=_Profile)
    except msgspec.MsgspecError as error:
        raise InvalidArgument(f"Decoding seccomp profile failed: {error}") from error
    if profile.architectures and profile.archMap:
        raise InvalidArgument("use either 'architectures' or 'archMap'")
    name, own = _ARCHITECTURES.get(architecture, (architecture, ()))
    made: dict[str, Any] = {"defaultAction": profile.defaultAction}
    if profile.defaultErrnoRet is not None:
        made["defaultErrnoRet"] = profile.defaultErrnoRet
    if profile.flags:
        made["flags"] = profile.flags
    architectures = list(profile.architectures or [])
    for entry in profile.archMap or []:
        if own and entry.architecture == own[0]:
            architectures = [entry.architecture, *(entry.subArchitectures or [])]
    if architectures:
        made["architectures"] = architectures
    names = _PROFILE_NAMES.get(name, {name})
    made["syscalls"] = [
        _user_rule(rule)
        for rule in profile.syscalls or []
        if _applies(rule, capabilities, names, kernel)
    ]
    return made


class _Argument(msgspec.Struct, frozen=True):
    index: int
    value: int
    op: str
    valueTwo: int = 0  # noqa: N815  (the profile's spelling)


class _Terms(msgspec.Struct, frozen=True):
    caps: list[str] | None = None
    arches: list[str] | None = None
    minKernel: str = ""  # noqa: N815  (the profile's spelling)


class _Rule(msgspec.Struct, frozen=True):
    action: str
    name: str = ""
    names: list[str] | None = None
    args: list[_Argument] | None = None
    errnoRet: int | None = None  # noqa: N815  (the profile's spelling)
    includes: _Terms | None = None
    excludes: _Terms | None = None


class _ArchitectureMap(msgspec.Struct, frozen=True):
    architecture: str
    subArchitectures: list[str] | None = None  # noqa: N815  (the profile's spelling)


class _Profile(msgspec.Struct, frozen=True):
    defaultAction: str  # noqa: N815  (the profile's spelling)
    defaultErrnoRet: int | None = None  # noqa: N815  (the profile's spelling)
    architectures: list[str] | None = None
    archMap: list[_ArchitectureMap] | None = None  # noqa: N815  (the profile's spelling)
    flags: list[str] | None = None
    syscalls: list[_Rule] | None = None


def _applies(
    rule: _Rule, capabilities: frozenset[str], names: set[str], kernel: tuple[int, int]
) -> bool:
    wanted, unwanted = rule.includes or _Terms(), rule.excludes or _Terms()
    return (
        set(wanted.caps or ()) <= capabilities
        and (not wanted.arches or not names.isdisjoint(wanted.arches))
        and (not wanted.minKernel or kernel >= _kernel(wanted.minKernel))
        and capabilities.isdisjoint(unwanted.caps or ())
        and names.isdisjoint(unwanted.arches or ())
        and (not unwanted.minKernel or kernel < _kernel(unwanted.minKernel))
    )


def _kernel(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    if not (major.isdecimal() and minor.isdecimal() and len(text) <= 16):
        raise InvalidArgument(f"Decoding seccomp profile failed: invalid kernel version: {text}")
    return int(major), int(minor)


def _user_rule(rule: _Rule) -> dict[str, Any]:
    if bool(rule.name) == bool(rule.names):
        raise InvalidArgument("use either 'name' or 'names'")
    made: dict[str, Any] = {"names": rule.names or [rule.name], "action": rule.action}
    if rule.args:
        made["args"] = [msgspec.structs.asdict(argument) for argument in rule.args]
    if rule.errnoRet is not None:
        made["errnoRet"] = rule.errnoRet
    return made


def _rule(names: Iterable[str], argument: Mapping[str, Any] | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {"names": list(names), "action": "SCMP_ACT_ALLOW"}
    if argument:
        made["args"] = [argument]
    return made


def _equal(index: int, value: int) -> dict[str, Any]:
    return {"index": index, "value": value, "op": "SCMP_CMP_EQ"}


def _masked(index: int, mask: int, value: int) -> dict[str, Any]:
    return {"index": index, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"}
