"""Exec instances as the API spells them (Engine API 1.56)."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType


class ExecCreateRequest(Struct, frozen=True, kw_only=True):
    """The body of POST /containers/{id}/exec."""

    User: str = ""
    Privileged: bool = False
    Tty: bool = False
    ConsoleSize: list[int] | UnsetType | None = UNSET
    AttachStdin: bool = False
    AttachStderr: bool = False
    AttachStdout: bool = False
    Detach: bool = False
    DetachKeys: str = ""
    Env: list[str] | None = None
    WorkingDir: str = ""
    Cmd: list[str] | None = None


class IDResponse(Struct, frozen=True):
    """What creating an exec answers."""

    Id: str


class ExecStartRequest(Struct, frozen=True):
    """The body of POST /exec/{id}/start."""

    Detach: bool = False
    Tty: bool = False
    ConsoleSize: list[int] | UnsetType | None = UNSET


class ProcessConfig(Struct, frozen=True, kw_only=True):
    """The process of an exec instance, as inspect shows it."""

    tty: bool
    entrypoint: str
    arguments: list[str]
    privileged: bool
    user: str | UnsetType = UNSET


class ExecInspectResponse(Struct, frozen=True, kw_only=True):
    """GET /exec/{id}/json; ExitCode is null while the process runs."""

    ID: str
    Running: bool
    ExitCode: int | None
    ProcessConfig: ProcessConfig
    OpenStdin: bool
    OpenStderr: bool
    OpenStdout: bool
    CanRemove: bool = False
    ContainerID: str
    DetachKeys: str = ""
    Pid: int = 0
