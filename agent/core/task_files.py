"""The secrets and configs of a task as files: where each goes, whose it is, what it holds.

Source: docker service create, `--secret` and `--config`: targets, owners and modes; templates of
payloads know `secret`, `config` and `env` beside the placeholders of services.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.core.task_to_container import NodeFacts, container_spec, template_context
from api.errors import InvalidArgument, NotFound
from api.templates import Function, TemplateError, expand
from api.types.assignments import AssignedConfig, AssignedSecret, AssignedTask
from api.types.objects import Driver
from api.types.secrets import FileTarget

_SECRETS = "/run/secrets"
_DEFAULT_MODE = 0o444
_LARGEST_MODE = 0o7777


@dataclass(frozen=True, slots=True)
class TaskFile:
    """A file that a task finds at `target`. The content is never shown."""

    target: str
    uid: int
    gid: int
    mode: int
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PlacedFile:
    """A file that is at `source` on the host, and has to be at `target` in the container."""

    source: str
    target: str


class MissingDependency(NotFound):
    """A secret or config of the task did not come with it."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind} {name} not found")


def files_of(
    task: AssignedTask,
    node: NodeFacts,
    secrets: Mapping[str, AssignedSecret],
    configs: Mapping[str, AssignedConfig],
) -> list[TaskFile]:
    """Return the files of a task.

    Errors:  MissingDependency, TemplateError, InvalidArgument for an owner that is no number.
    """
    spec = container_spec(task, node)
    own_secrets: dict[str, bytes] = {}
    own_configs: dict[str, bytes] = {}
    found: list[tuple[FileTarget, str, bytes, Driver | None]] = []
    for secret_ref in spec.Secrets:
        secret = secrets.get(secret_ref.SecretID)
        if secret is None:
            raise MissingDependency("secret", secret_ref.SecretName or secret_ref.SecretID)
        if secret_ref.File is not None:
            own_secrets[secret_ref.File.Name] = secret.Data
            place = _under(_SECRETS, secret_ref.File.Name or secret.Name)
            found.append((secret_ref.File, place, secret.Data, secret.Templating))
    for config_ref in spec.Configs:
        config = configs.get(config_ref.ConfigID)
        if config is None:
            raise MissingDependency("config", config_ref.ConfigName or config_ref.ConfigID)
        if config_ref.File is not None:
            own_configs[config_ref.File.Name] = config.Data
            place = _under("/", config_ref.File.Name or config.Name)
            found.append((config_ref.File, place, config.Data, config.Templating))
    functions = {
        "secret": _lookup("secret", own_secrets),
        "config": _lookup("config", own_configs),
        "env": _lookup("env", _environment(spec.Env), ""),
    }
    fields = template_context(task, node).fields()

    def content(data: bytes, templating: Driver | None) -> bytes:
        if templating is None or not templating.Name:
            return data
        if templating.Name != "golang":
            raise InvalidArgument(f'unknown template driver: "{templating.Name}"')
        return expand(_text(data), fields, functions).encode()

    return [
        TaskFile(
            target=place,
            uid=_number("UID", target.UID),
            gid=_number("GID", target.GID),
            mode=(target.Mode or _DEFAULT_MODE) & _LARGEST_MODE,
            content=content(data, templating),
        )
        for target, place, data, templating in found
    ]


def _under(directory: str, name: str) -> str:
    return posixpath.normpath(posixpath.join(directory, name))


def _number(what: str, text: str) -> int:
    if not text:
        return 0
    if not text.isdecimal() or int(text) >= 1 << 32:
        raise InvalidArgument(f'the {what} of a secret or config must be a number, not "{text}"')
    return int(text)


def _environment(env: list[str]) -> dict[str, bytes]:
    pairs = (each.partition("=") for each in env)
    return {name: value.encode() for name, _, value in pairs}


def _lookup(kind: str, values: Mapping[str, bytes], default: str | None = None) -> Function:
    def find(name: str) -> str:
        if name in values:
            return _text(values[name])
        if default is None:
            raise TemplateError(f"{kind} target {name} not found")
        return default

    return find


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise TemplateError("a payload that is not text cannot be filled in") from error
