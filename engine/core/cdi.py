"""Devices by the Container Device Interface: which ones a request means, what they change.

A vendor's specification names devices of a kind ("nvidia.com/gpu") and says for each what a
container needs: nodes, mounts, variables, hooks.
Source:  Container Device Interface specification 0.8.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct, field

from api.errors import InvalidArgument
from api.types.containers import DeviceRequest

_KIND = re.compile(r"[A-Za-z][\w.-]*[A-Za-z0-9]/[A-Za-z][\w.-]*")
_GPU_KINDS = ("nvidia.com/gpu", "amd.com/gpu")
_ALL = "all"
_DRIVER = "cdi"


class DeviceNode(Struct, frozen=True, kw_only=True, rename="camel"):
    """A node to be made; what is left out is taken from the host's."""

    path: str
    host_path: str = ""
    type: str = ""
    major: int = 0
    minor: int = 0
    file_mode: int | None = None
    permissions: str = ""
    uid: int | None = None
    gid: int | None = None


class EditMount(Struct, frozen=True, kw_only=True, rename="camel"):
    """A mount to be made."""

    host_path: str
    container_path: str
    options: list[str] = []
    type: str = "bind"


class Hook(Struct, frozen=True, kw_only=True, rename="camel"):
    """A program that the runtime runs at a moment of the container's life."""

    hook_name: str
    path: str
    args: list[str] = []
    env: list[str] = []
    timeout: int | None = None


class Edits(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a container gets."""

    env: list[str] = []
    device_nodes: list[DeviceNode] = []
    hooks: list[Hook] = []
    mounts: list[EditMount] = []
    additional_gids: list[int] = field(name="additionalGids", default_factory=list)


class CdiDevice(Struct, frozen=True, kw_only=True, rename="camel"):
    """A device of a specification."""

    name: str
    container_edits: Edits = Edits()


class CdiSpec(Struct, frozen=True, kw_only=True, rename="camel"):
    """A specification file; its own edits come with any of its devices."""

    cdi_version: str
    kind: str
    devices: list[CdiDevice] = []
    container_edits: Edits = Edits()


def is_valid(spec: CdiSpec) -> bool:
    """Tell whether a file is a specification at all."""
    return bool(_KIND.fullmatch(spec.kind)) and bool(spec.cdi_version)


def wanted_devices(
    requests: Iterable[DeviceRequest], specs: Sequence[CdiSpec]
) -> list[tuple[CdiSpec, CdiDevice]]:
    """Return the devices that requests mean; a later specification wins over an earlier one.

    Driver "cdi" takes qualified names; one without a driver that asks for the capability gpu
    takes the GPUs of a specification, by number or by name.
    Errors:  InvalidArgument in the reference's words.
    """
    found: list[tuple[CdiSpec, CdiDevice]] = []
    for request in requests:
        names = request.DeviceIDs or [] if request.Driver == _DRIVER else _gpu_names(request, specs)
        for name in names:
            device = _find(name, specs)
            if device not in found:
                found.append(device)
    return found


def _find(name: str, specs: Sequence[CdiSpec]) -> tuple[CdiSpec, CdiDevice]:
    kind, _, wanted = name.partition("=")
    for spec in reversed(specs):
        for device in spec.devices:
            if spec.kind == kind and device.name == wanted:
                return spec, device
    raise InvalidArgument(f"CDI device injection failed: unresolvable CDI devices {name}")


def _gpu_names(request: DeviceRequest, specs: Sequence[CdiSpec]) -> list[str]:
    asks_for_gpu = any("gpu" in each for each in request.Capabilities or [])
    kinds = [kind for kind in _GPU_KINDS if any(spec.kind == kind for spec in specs)]
    if request.Driver:
        kinds = [kind for kind in kinds if kind.startswith(f"{request.Driver}.")]
    if not asks_for_gpu or not kinds:
        raise InvalidArgument(
            f'could not select device driver "{request.Driver}" '
            f"with capabilities: {_listed(request.Capabilities or [])}"
        )
    kind = kinds[0]
    names = [each.name for spec in specs if spec.kind == kind for each in spec.devices]
    return [f"{kind}={name}" for name in _chosen(request, names)]


def _chosen(request: DeviceRequest, names: Sequence[str]) -> list[str]:
    if request.DeviceIDs:
        return list(request.DeviceIDs)
    if request.Count < 0 and _ALL in names:
        return [_ALL]
    single = [name for name in dict.fromkeys(names) if name != _ALL]
    numbered = [name for name in single if name.isdecimal()] or single
    if request.Count > len(numbered):
        raise InvalidArgument(
            f"CDI device injection failed: {request.Count} GPUs were asked for, "
            f"the host has {len(numbered)}"
        )
    return numbered if request.Count < 0 else numbered[: request.Count]


def _listed(capabilities: Sequence[Sequence[str]]) -> str:
    """Return lists of words as the reference prints them: [[gpu utility] [tpu]]."""
    lists = (" ".join(each) for each in capabilities)
    return f"[{' '.join(f'[{each}]' for each in lists)}]"


def edits_of(devices: Sequence[tuple[CdiSpec, CdiDevice]]) -> list[Edits]:
    """Return what the devices change: each specification's own edits once, then each device's."""
    specs: list[CdiSpec] = []
    for spec, _ in devices:
        if spec not in specs:
            specs.append(spec)
    return [
        *(spec.container_edits for spec in specs),
        *(device.container_edits for _, device in devices),
    ]


def apply_edits(spec: dict[str, Any], edits: Sequence[Edits]) -> None:
    """Change config.json accordingly; device nodes must be complete (`oci_node`)."""
    process, linux = spec["process"], spec["linux"]
    for each in edits:
        names = {text.partition("=")[0] for text in each.env}
        process["env"] = [
            text for text in process["env"] if text.partition("=")[0] not in names
        ] + each.env
        groups = process["user"].setdefault("additionalGids", [])
        groups += [gid for gid in each.additional_gids if gid not in groups]
        for node in each.device_nodes:
            linux["devices"] = [it for it in linux["devices"] if it["path"] != node.path]
            linux["devices"].append(_oci_node(node))
            linux["resources"].setdefault("devices", []).append(_rule(node))
        spec["mounts"] += [_oci_mount(mount) for mount in each.mounts]
        for hook in each.hooks:
            spec.setdefault("hooks", {}).setdefault(hook.hook_name, []).append(_oci_hook(hook))


def _oci_node(node: DeviceNode) -> dict[str, Any]:
    made: dict[str, Any] = {
        "path": node.path,
        "type": node.type,
        "major": node.major,
        "minor": node.minor,
        "uid": node.uid or 0,
        "gid": node.gid or 0,
    }
    return made if node.file_mode is None else made | {"fileMode": node.file_mode}


def _rule(node: DeviceNode) -> dict[str, Any]:
    access = node.permissions or "rwm"
    return {
        "allow": True,
        "type": node.type,
        "major": node.major,
        "minor": node.minor,
        "access": access,
    }


def _oci_mount(mount: EditMount) -> dict[str, Any]:
    return {
        "destination": mount.container_path,
        "type": mount.type,
        "source": mount.host_path,
        "options": mount.options or ["rbind", "rprivate"],
    }


def _oci_hook(hook: Hook) -> dict[str, Any]:
    made: dict[str, Any] = {"path": hook.path, "args": hook.args, "env": hook.env}
    return made if hook.timeout is None else made | {"timeout": hook.timeout}
