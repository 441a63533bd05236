"""The configuration blob of an image.

Source:  OCI image spec 1.1, config.md; Docker writes the same with a few fields more.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct, field

from api.errors import InvalidArgument
from api.types.containers import ContainerConfig
from engine.core.digest import is_canonical

MAX_CONFIG_BYTES = 8 << 20


class RootFS(Struct, frozen=True):
    """The uncompressed layers, base first."""

    diff_ids: list[str] = field(default_factory=list)
    type: str = "layers"


class History(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One step of making the image; a step with `empty_layer` made no layer."""

    created: str = ""
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


class ImageConfigFile(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The part of the blob that an engine acts on."""

    created: str = ""
    author: str = ""
    comment: str = ""
    architecture: str = ""
    variant: str = ""
    os: str = ""
    os_version: str = field(default="", name="os.version")
    docker_version: str = ""
    config: ContainerConfig = field(default_factory=ContainerConfig)
    rootfs: RootFS = field(default_factory=RootFS)
    history: list[History] = field(default_factory=list)


def read_config(document: bytes) -> ImageConfigFile:
    """Return what a configuration blob says; null is as good as absent.

    Errors:  InvalidArgument: malformed, too large, for another system, digests of another kind.
    """
    if len(document) > MAX_CONFIG_BYTES:
        raise InvalidArgument(f"image configuration is larger than {MAX_CONFIG_BYTES} bytes")
    try:
        raw = msgspec.json.decode(document)
        found = msgspec.convert(_without_nulls(raw), ImageConfigFile)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidArgument(f"malformed image configuration: {error}") from error
    if found.os not in {"", "linux"}:
        raise InvalidArgument(
            f'cannot load {found.os} image on linux: image operating system "{found.os}" cannot '
            "be used on this platform"
        )
    if found.rootfs.type != "layers" or not all(map(is_canonical, found.rootfs.diff_ids)):
        raise InvalidArgument("malformed image configuration: rootfs is not a list of layers")
    return found


def encode_config(config: ImageConfigFile) -> bytes:
    """Return the blob of a configuration, always the same for the same content."""
    return msgspec.json.encode(config, order="sorted")


_NESTED = {"config", "rootfs", "Healthcheck"}


def _without_nulls(raw: Any) -> Any:
    """Drop nulls where the types know no null: the fields of the objects named above."""
    if not isinstance(raw, dict):
        return raw
    kept = {key: value for key, value in raw.items() if value is not None}
    for key in _NESTED & kept.keys():
        kept[key] = _without_nulls(kept[key])
    if isinstance(kept.get("history"), list):
        kept["history"] = [_without_nulls(step) for step in kept["history"]]
    return kept
