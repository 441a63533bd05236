"""Which service a user means."""

from __future__ import annotations

from api.cluster_errors import NoSuchService
from manager.cluster.refs import resolve
from manager.core.objects.service import Service
from manager.core.store.query import Rows
from manager.core.store.tables import SERVICES


def resolve_service(rows: Rows[Service], ref: str) -> Service:
    """Return the service with this id, name or id prefix; a removed one is none any more.

    Errors:  NoSuchService, AmbiguousRef.
    """
    service = resolve(SERVICES, rows, ref)
    if service.is_removed:
        raise NoSuchService(ref)
    return service
