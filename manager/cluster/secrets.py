"""Secrets: contents that leave the managers for tasks only."""

from __future__ import annotations

from msgspec.structs import replace

from api.types.objects import ObjectVersion
from api.types.secrets import Secret as Shown
from api.types.secrets import SecretSpec
from manager.cluster.contents import Kind
from manager.core.objects.secret import Secret
from manager.core.objects.times import to_api_time
from manager.core.store.tables import SECRETS
from manager.core.validate.secrets import check_secret_spec


def _to_api(secret: Secret) -> Shown:
    return Shown(
        ID=secret.id,
        Version=ObjectVersion(Index=secret.meta.version_index),
        CreatedAt=to_api_time(secret.meta.created_ns),
        UpdatedAt=to_api_time(secret.meta.updated_ns),
        Spec=replace(secret.spec, Data=b""),
    )


SECRET = Kind(
    table=SECRETS,
    spec=SecretSpec,
    make=lambda object_id, spec: Secret(id=object_id, spec=spec),
    check=check_secret_spec,
    to_api=_to_api,
    is_hidden=lambda secret: secret.is_internal,
)
