"""Specs of secrets and configs."""

from __future__ import annotations

from api.cluster_errors import InvalidSpec
from api.types.configs import ConfigSpec
from api.types.objects import Driver
from api.types.secrets import SecretSpec
from manager.core.validate.names import check_file_name
from manager.core.validate.storable import check_storable

SECRET_LIMIT_BYTES = 500 * 1024
CONFIG_LIMIT_BYTES = 1000 * 1024


def check_secret_spec(spec: SecretSpec) -> None:
    """Refuse a secret that cannot be. Errors: InvalidSpec."""
    check_file_name(spec.Name)
    _check_templating(spec.Templating)
    if spec.Driver is None:
        _check_size("secret", spec.Data, SECRET_LIMIT_BYTES)
    elif not spec.Driver.Name:
        raise InvalidSpec("secret driver must have a name")
    elif spec.Data:
        raise InvalidSpec("secret data must be empty where a driver provides it")
    check_storable(spec)


def check_config_spec(spec: ConfigSpec) -> None:
    """Refuse a config that cannot be. Errors: InvalidSpec."""
    check_file_name(spec.Name)
    _check_templating(spec.Templating)
    _check_size("config", spec.Data, CONFIG_LIMIT_BYTES)
    check_storable(spec)


def _check_size(noun: str, data: bytes, limit_bytes: int) -> None:
    if not 0 < len(data) < limit_bytes:
        raise InvalidSpec(f"{noun} data must be larger than 0 and less than {limit_bytes} bytes")


def _check_templating(driver: Driver | None) -> None:
    if driver is not None and driver.Name not in ("", "golang"):
        raise InvalidSpec("unrecognized template type")
