"""Join tokens and unlock keys, as users copy them from one terminal to another.

    SWMTKN-1-<50 characters>-<25 characters>   digest of the root certificate, and a secret
    SWMKEY-1-<43 characters>                   the key that opens a locked manager

The digest pins the cluster: a node believes no manager whose root has another one.
Source: the forms are Docker's, so that its command line and people's scripts take them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from dataclasses import dataclass, field

from api.swarm_errors import InvalidUnlockKey, MalformedJoinToken

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_DIGEST_LENGTH = 50  # 256 bits
_SECRET_LENGTH = 25  # 128 bits
_SECRET_BYTES = 16
_KEY_BYTES = 32
_TOKEN = re.compile(r"SWMTKN-1-([0-9a-z]{50})-([0-9a-z]{25})")
_KEY_PREFIX = "SWMKEY-1-"


@dataclass(frozen=True, slots=True)
class JoinToken:
    """A parsed token: the root's SHA-256 and the secret's text. Its repr tells no secret."""

    root_digest: bytes
    secret: str = field(repr=False)

    def text(self) -> str:
        """Return the form that users copy."""
        digest = _to_base36(int.from_bytes(self.root_digest), _DIGEST_LENGTH)
        return f"SWMTKN-1-{digest}-{self.secret}"


def new_join_token(root_der: bytes) -> JoinToken:
    """Return a token with a fresh secret for the cluster that has this root certificate."""
    secret = int.from_bytes(secrets.token_bytes(_SECRET_BYTES))
    return JoinToken(root_digest(root_der), _to_base36(secret, _SECRET_LENGTH))


def root_digest(root_der: bytes) -> bytes:
    """Return what a token says of a root certificate: SHA-256 of its DER form."""
    return hashlib.sha256(root_der).digest()


def parse_join_token(text: str) -> JoinToken:
    """Return the token that the text is; MalformedJoinToken otherwise."""
    found = _TOKEN.fullmatch(text.strip())
    if found is None:
        raise MalformedJoinToken
    digest = int(found[1], 36)
    if digest.bit_length() > 256:
        raise MalformedJoinToken
    return JoinToken(digest.to_bytes(32), found[2])


def new_unlock_key() -> bytes:
    """Return a fresh key-encryption key."""
    return secrets.token_bytes(_KEY_BYTES)


def unlock_key_text(key: bytes) -> str:
    """Return the form of an unlock key that users copy."""
    return _KEY_PREFIX + base64.b64encode(key).decode().rstrip("=")


def parse_unlock_key(text: str) -> bytes:
    """Return the key that the text is; InvalidUnlockKey otherwise."""
    text = text.strip()
    body = text.removeprefix(_KEY_PREFIX)
    if body == text:
        raise InvalidUnlockKey
    try:
        key = base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidUnlockKey from None
    if len(key) != _KEY_BYTES or unlock_key_text(key) != text:
        raise InvalidUnlockKey
    return key


def _to_base36(number: int, length: int) -> str:
    digits = []
    while number:
        number, digit = divmod(number, 36)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits)).rjust(length, "0")
