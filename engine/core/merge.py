"""Image and request become one configuration: what is not asked for comes from the image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from api.errors import InvalidArgument
from api.types.containers import ContainerConfig, HealthConfig


class NoCommand(InvalidArgument):
    """Neither image nor request say what to run."""

    def __init__(self) -> None:
        super().__init__("no command specified")


def merge(request: ContainerConfig, image: ContainerConfig) -> ContainerConfig:
    """Return the request completed by the image.

    A command of one's own drops the image's only with an entrypoint of one's own; an entrypoint of
    [""] takes the image's away. Own variables come first, then the image's that are not among them.
    Errors:  NoCommand.
    """
    entrypoint, command = _merge_command(request, image)
    if not entrypoint and not command:
        raise NoCommand
    return replace(
        request,
        User=request.User or image.User,
        ExposedPorts=_union(image.ExposedPorts, request.ExposedPorts) or UNSET,
        Env=merge_env(request.Env or [], image.Env or []),
        Cmd=command,
        Entrypoint=entrypoint,
        Healthcheck=_merge_health(request.Healthcheck, image.Healthcheck),
        Volumes=_union(image.Volumes, request.Volumes) or None,
        WorkingDir=request.WorkingDir or image.WorkingDir,
        Labels={**(image.Labels or {}), **(request.Labels or {})},
        StopSignal=request.StopSignal or image.StopSignal or UNSET,
        Shell=request.Shell or image.Shell or UNSET,
        OnBuild=UNSET,
    )


def command_line(config: ContainerConfig) -> tuple[str, list[str]]:
    """Return (path, arguments) of a merged configuration."""
    words = [*(config.Entrypoint or []), *(config.Cmd or [])]
    assert words, "merge refuses a configuration without a command"
    return words[0], words[1:]


def merge_env(own: list[str], inherited: list[str]) -> list[str]:
    """Return own variables, then those inherited whose name is not among them."""
    names = {each.partition("=")[0] for each in own}
    return [*own, *(each for each in inherited if each.partition("=")[0] not in names)]


def _merge_command(
    request: ContainerConfig, image: ContainerConfig
) -> tuple[list[str] | None, list[str] | None]:
    entrypoint, command = request.Entrypoint, request.Cmd
    if not entrypoint:
        command = command or image.Cmd
        if entrypoint is None:
            entrypoint = image.Entrypoint
    if entrypoint == [""]:
        entrypoint = None
    return entrypoint, command


def _union(
    image: Mapping[str, Any] | UnsetType | None, request: Mapping[str, Any] | UnsetType | None
) -> dict[str, Any]:
    return {**(image or {}), **(request or {})}


def _merge_health(
    request: HealthConfig | UnsetType | None, image: HealthConfig | UnsetType | None
) -> HealthConfig | UnsetType | None:
    if not image:
        return request
    if not request:
        return image
    return HealthConfig(
        Test=request.Test or image.Test,
        Interval=request.Interval or image.Interval,
        Timeout=request.Timeout or image.Timeout,
        StartPeriod=request.StartPeriod or image.StartPeriod,
        StartInterval=request.StartInterval or image.StartInterval,
        Retries=request.Retries or image.Retries,
    )
