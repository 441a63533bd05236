"""Secrets and configs become files of their task."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from agent.core.task_files import MissingDependency, TaskFile, files_of
from api.errors import InvalidArgument
from api.templates import TemplateError
from api.types.assignments import AssignedConfig, AssignedSecret, AssignedTask
from api.types.configs import ConfigReference, RuntimeTarget
from api.types.container_spec import ContainerSpec
from api.types.objects import Driver
from api.types.secrets import FileTarget, SecretReference
from api.types.tasks import TaskSpec
from tests.unit.agent.core.test_task_to_container import NODE, TASK

SECRETS = {"s": AssignedSecret(ID="s", Name="password", Data=b"hunter2")}
CONFIGS = {"c": AssignedConfig(ID="c", Name="conf", Data=b"port = 80")}


def task(
    secrets: tuple[SecretReference, ...] = (),
    configs: tuple[ConfigReference, ...] = (),
    env: tuple[str, ...] = (),
) -> AssignedTask:
    """Return a task with these."""
    spec = ContainerSpec(Secrets=[*secrets], Configs=[*configs], Env=[*env])
    return replace(TASK, Spec=TaskSpec(ContainerSpec=spec))


def secret(name: str = "password", **target: str | int) -> SecretReference:
    """Return a reference to the secret."""
    file = FileTarget(Name=name, **target)  # type: ignore[arg-type] # a test's own words
    return SecretReference(File=file, SecretID="s", SecretName="password")


def test_a_secret_is_under_run_secrets_or_where_its_target_says() -> None:
    found = files_of(task((secret(), secret("/etc/pw"))), NODE, SECRETS, {})

    assert ["/run/secrets/password", "/etc/pw"] == [each.target for each in found]


def test_owner_and_mode_are_those_of_the_reference() -> None:
    found = files_of(task((secret(UID="33", GID="34", Mode=0o440),)), NODE, SECRETS, {})

    assert [TaskFile("/run/secrets/password", 33, 34, 0o440, b"hunter2")] == found


def test_a_config_is_under_the_root() -> None:
    reference = ConfigReference(File=FileTarget(Name="conf"), ConfigID="c", ConfigName="conf")

    assert ["/conf"] == [
        each.target for each in files_of(task(configs=(reference,)), NODE, {}, CONFIGS)
    ]


def test_a_config_of_the_runtime_is_no_file() -> None:
    reference = ConfigReference(Runtime=RuntimeTarget(), ConfigID="c", ConfigName="conf")

    assert [] == files_of(task(configs=(reference,)), NODE, {}, CONFIGS)


def test_what_did_not_come_is_named() -> None:
    with pytest.raises(MissingDependency, match="secret password not found"):
        files_of(task((secret(),)), NODE, {}, {})


def test_an_owner_must_be_a_number() -> None:
    with pytest.raises(InvalidArgument, match='"www"'):
        files_of(task((secret(UID="www"),)), NODE, SECRETS, {})


def test_templates_know_the_task_its_secrets_and_its_environment() -> None:
    text = b'{{.Service.Name}}:{{secret "password"}}:{{env "A"}}:{{env "B"}}'
    configs = {"c": AssignedConfig(ID="c", Name="x", Data=text, Templating=Driver("golang"))}
    reference = ConfigReference(File=FileTarget(Name="x"), ConfigID="c", ConfigName="x")

    found = files_of(task((secret(),), (reference,), ("A=1",)), NODE, SECRETS, configs)

    assert b"web:hunter2:1:" == found[1].content


def test_templates_of_what_is_not_there_are_refused() -> None:
    configs = {
        "c": AssignedConfig(
            ID="c", Name="x", Data=b'{{secret "other"}}', Templating=Driver("golang")
        )
    }
    reference = ConfigReference(File=FileTarget(Name="x"), ConfigID="c", ConfigName="x")

    with pytest.raises(TemplateError, match="secret target other not found"):
        files_of(task(configs=(reference,)), NODE, {}, configs)


def test_secrets_are_shown_nowhere() -> None:
    """A log line or a traceback shows reprs."""
    (file,) = files_of(task((secret(),)), NODE, SECRETS, {})

    assert "hunter2" not in repr(file) + repr(SECRETS)
