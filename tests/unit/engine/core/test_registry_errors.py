"""A registry's refusals become Docker's words and statuses."""

from __future__ import annotations

import json

import pytest

from api.references import parse_normalized
from engine.core.registry_errors import registry_error

REFERENCE = parse_normalized("busybox:1")


@pytest.mark.parametrize(
    ("code", "message", "status", "expected"),
    [
        ("MANIFEST_UNKNOWN", "manifest unknown", 404,
         "manifest for busybox:1 not found: manifest unknown: manifest unknown"),
        ("NAME_UNKNOWN", "repository name not known to registry", 404,
         "repository busybox not found: name unknown: repository name not known to registry"),
        ("DENIED", "requested access to the resource is denied", 404,
         "pull access denied for busybox, repository does not exist or may require "
         "'docker login': denied: requested access to the resource is denied"),
        ("UNAUTHORIZED", "authentication required", 500, "unauthorized: authentication required"),
        ("TOOMANYREQUESTS", None, 500, "toomanyrequests: toomanyrequests"),
    ],
)  # fmt: skip
def test_codes_are_translated(code: str, message: str | None, status: int, expected: str) -> None:
    """Clients match on these texts."""
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()

    error = registry_error(REFERENCE, 401, "http://r/v2/x", body)

    assert (status, expected) == (error.http, error.message)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"errors":[]}', b'{"errors":[1]}'])
def test_a_body_without_codes_is_read_by_status(body: bytes) -> None:
    """Proxies answer in HTML."""
    assert 404 == registry_error(REFERENCE, 404, "u", body).http
    assert "HTTP status 502" in registry_error(REFERENCE, 502, "u", body).message


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"errors":' + b"[" * 200_000])
def test_a_deep_body_is_harmless(body: bytes) -> None:
    """Attack 7."""
    assert registry_error(REFERENCE, 500, "u", body).http == 500
