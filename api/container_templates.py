"""Placeholders in a service's containers: which parts may hold them, and what they stand for.

Managers fill them with samples to see that they can be filled, agents with the task's own.
Source: docker service create, `--hostname`, `--env` and `--mount` may hold placeholders.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct, UnsetType, field
from msgspec.structs import replace

from api.templates import expand
from api.types.container_spec import ContainerSpec
from api.types.containers import Mount, VolumeDriverConfig, VolumeOptions

Expand = Callable[[str], str]


class TemplateContext(Struct, frozen=True, kw_only=True):
    """What placeholders stand for; a task of a global service has its node's id as slot."""

    service_id: str
    service_name: str
    service_labels: dict[str, str] = field(default_factory=dict)
    node_id: str
    node_hostname: str
    node_os: str
    node_architecture: str
    task_id: str
    task_name: str
    task_slot: str

    def fields(self) -> dict[str, Any]:
        """Return the context by the names that placeholders use."""
        return {
            "Service": {
                "ID": self.service_id,
                "Name": self.service_name,
                "Labels": self.service_labels,
            },
            "Node": {
                "ID": self.node_id,
                "Hostname": self.node_hostname,
                "Platform": {"OS": self.node_os, "Architecture": self.node_architecture},
            },
            "Task": {"ID": self.task_id, "Name": self.task_name, "Slot": self.task_slot},
        }


def expand_container(spec: ContainerSpec, context: TemplateContext) -> ContainerSpec:
    """Return a spec whose hostname, environment and mounts hold no placeholders any more.

    Errors:  TemplateError.
    """
    fields = context.fields()

    def fill(text: str) -> str:
        return expand(text, fields) if "{{" in text else text

    return replace(
        spec,
        Hostname=fill(spec.Hostname),
        Env=[fill(each) for each in spec.Env],
        Mounts=[_mount(each, fill) for each in spec.Mounts],
    )


def _mount(mount: Mount, fill: Expand) -> Mount:
    source = mount.Source if isinstance(mount.Source, UnsetType) else fill(mount.Source)
    options = mount.VolumeOptions
    if isinstance(options, VolumeOptions):
        options = _options(options, fill)
    return replace(mount, Source=source, Target=fill(mount.Target), VolumeOptions=options)


def _options(options: VolumeOptions, fill: Expand) -> VolumeOptions:
    driver = options.DriverConfig
    if isinstance(driver, VolumeDriverConfig):
        driver = replace(driver, Options=_values(driver.Options, fill))
    return replace(options, Labels=_values(options.Labels, fill), DriverConfig=driver)


def _values(
    options: dict[str, str] | UnsetType | None, fill: Expand
) -> dict[str, str] | UnsetType | None:
    return {key: fill(value) for key, value in options.items()} if options else options
