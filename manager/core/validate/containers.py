"""Containers of a service: image, placeholders, mounts, health, privileges."""

from __future__ import annotations

from msgspec import UNSET

from api.cluster_errors import InvalidSpec
from api.container_templates import TemplateContext, expand_container
from api.references import InvalidReference, parse_normalized
from api.templates import TemplateError
from api.types.container_spec import ContainerSpec, Privileges
from api.types.containers import HealthConfig
from manager.core.validate.mounts import check_mounts
from manager.core.validate.names import quoted

MIN_PROBE_NANOS = 10**6

_SAMPLE = TemplateContext(
    service_id="serviceid",
    service_name="servicename",
    node_id="nodeid",
    node_hostname="nodeHostname",
    node_os="os",
    node_architecture="architecture",
    task_id="taskid",
    task_name="taskname",
    task_slot="1",
)


def check_container(spec: ContainerSpec) -> None:
    """Refuse a container that no node could run. Errors: InvalidSpec."""
    try:
        filled = expand_container(spec, _SAMPLE)
    except TemplateError as error:
        raise InvalidSpec(error.message) from error
    check_image(filled.Image)
    for each in filled.Env:
        if not each or each.startswith("=") or "\0" in each:
            raise InvalidSpec(f"ContainerSpec: invalid environment variable: {quoted(each)}")
    check_mounts(filled.Mounts)
    if spec.Healthcheck is not None:
        _check_health(spec.Healthcheck)
    if spec.StopGracePeriod is not None and spec.StopGracePeriod < 0:
        raise InvalidSpec("ContainerSpec: StopGracePeriod cannot be negative")
    if spec.Isolation not in ("", "default"):
        raise InvalidSpec(f"ContainerSpec: isolation {quoted(spec.Isolation)} is for Windows only")
    if not -1000 <= spec.OomScoreAdj <= 1000:
        raise InvalidSpec(
            f"ContainerSpec: invalid OomScoreAdj {spec.OomScoreAdj}: Must be from -1000 to 1000"
        )
    if spec.Privileges is not None:
        _check_privileges(spec.Privileges)


def check_image(image: str) -> None:
    """Refuse what is no image name. Errors: InvalidSpec."""
    if not image:
        raise InvalidSpec("ContainerSpec: image reference must be provided")
    try:
        parse_normalized(image)
    except InvalidReference as error:
        raise InvalidSpec(
            f"ContainerSpec: {quoted(image)} is not a valid repository/tag"
        ) from error


def _check_health(health: HealthConfig) -> None:
    for name in ("Interval", "Timeout", "StartPeriod", "StartInterval"):
        nanos = getattr(health, name)
        if nanos is not UNSET and nanos != 0 and nanos < MIN_PROBE_NANOS:
            raise InvalidSpec(f"ContainerSpec: {name} in HealthConfig cannot be less than 1ms")
    if health.Retries is not UNSET and health.Retries < 0:
        raise InvalidSpec("ContainerSpec: Retries in HealthConfig cannot be negative")


def _check_privileges(privileges: Privileges) -> None:
    if privileges.CredentialSpec is not None:
        raise InvalidSpec("ContainerSpec: credential specs are for containers on Windows only")
    seccomp = privileges.Seccomp
    if seccomp is not None:
        if seccomp.Mode not in ("", "default", "unconfined", "custom"):
            raise InvalidSpec(f"ContainerSpec: invalid seccomp mode: {quoted(seccomp.Mode)}")
        if bool(seccomp.Profile) is not (seccomp.Mode == "custom"):
            raise InvalidSpec("ContainerSpec: a seccomp profile and the mode custom go together")
    apparmor = privileges.AppArmor
    if apparmor is not None and apparmor.Mode not in ("", "default", "disabled"):
        raise InvalidSpec(f"ContainerSpec: invalid AppArmor mode: {quoted(apparmor.Mode)}")
