"""Configs: contents that users may read again."""

from __future__ import annotations

from api.types.configs import Config as Shown
from api.types.configs import ConfigSpec
from api.types.objects import ObjectVersion
from manager.cluster.contents import Kind
from manager.core.objects.config import Config
from manager.core.objects.times import to_api_time
from manager.core.store.tables import CONFIGS
from manager.core.validate.secrets import check_config_spec


def _to_api(config: Config) -> Shown:
    return Shown(
        ID=config.id,
        Version=ObjectVersion(Index=config.meta.version_index),
        CreatedAt=to_api_time(config.meta.created_ns),
        UpdatedAt=to_api_time(config.meta.updated_ns),
        Spec=config.spec,
    )


CONFIG = Kind(
    table=CONFIGS,
    spec=ConfigSpec,
    make=lambda object_id, spec: Config(id=object_id, spec=spec),
    check=check_config_spec,
    to_api=_to_api,
    is_hidden=lambda _config: False,
)
