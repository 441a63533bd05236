"""Names of objects: services and networks are names in DNS, secrets and configs are file names."""

from __future__ import annotations

import json
import re

from api.cluster_errors import InvalidSpec

DNS_NAME_LIMIT = 63

_DNS_NAME = re.compile(r"[a-zA-Z0-9](?:[-_a-zA-Z0-9]*[a-zA-Z0-9])?")
_FILE_NAME = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9-_.]{0,62}[a-zA-Z0-9])?")


def check_dns_name(name: str) -> None:
    """Refuse a name that cannot be a part of a name in DNS. Errors: InvalidSpec."""
    if not name:
        raise InvalidSpec("meta: name must be provided")
    if not _DNS_NAME.fullmatch(name):
        raise InvalidSpec("name must be valid as a DNS name component")
    if len(name) > DNS_NAME_LIMIT:
        raise InvalidSpec(f"name must be {DNS_NAME_LIMIT} characters or fewer")


def check_file_name(name: str) -> None:
    """Refuse a name that a secret or a config cannot have. Errors: InvalidSpec."""
    if not name:
        raise InvalidSpec("name must be provided")
    if not _FILE_NAME.fullmatch(name):
        raise InvalidSpec(
            "invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end "
            "character must be [a-zA-Z0-9]"
        )


def quoted(text: str) -> str:
    """Return a text between quotes, with what does not print escaped."""
    return json.dumps(text, ensure_ascii=False)
