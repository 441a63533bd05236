"""How a service refers to secrets and configs: whole references, no file twice."""

from __future__ import annotations

from api.cluster_errors import InvalidSpec
from api.types.container_spec import ContainerSpec
from api.types.secrets import FileTarget


def check_references(container: ContainerSpec) -> None:
    """Refuse broken references to secrets and configs. Errors: InvalidSpec."""
    secrets = _Targets("secret")
    for secret in container.Secrets:
        secrets.add(secret.SecretID, secret.SecretName, secret.File, is_other=False)
    configs = _Targets("config")
    for config in container.Configs:
        other = config.Runtime is not None
        configs.add(config.ConfigID, config.ConfigName, config.File, is_other=other)


class _Targets:
    """Files that are taken, by the name of what takes them."""

    def __init__(self, noun: str) -> None:
        self._noun = noun
        self._takers: dict[str, str] = {}

    def add(self, ref_id: str, name: str, file: FileTarget | None, *, is_other: bool) -> None:
        """Note one reference; `is_other` where its target need not be a file."""
        noun = self._noun
        if not ref_id or not name:
            raise InvalidSpec(f"malformed {noun} reference")
        if file is None:
            if not is_other:
                raise InvalidSpec(f"malformed {noun} reference, no target provided")
            return
        if not file.Name:
            raise InvalidSpec(f"malformed file {noun} reference, invalid target file name provided")
        if file.Name in self._takers:
            raise InvalidSpec(
                f"{noun} references '{self._takers[file.Name]}' and '{name}' have a conflicting "
                f"target: '{file.Name}'"
            )
        self._takers[file.Name] = name
