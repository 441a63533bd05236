"""Digests of content: `algorithm:hex`, by the algorithms that images are named with.

Everything that the engine names by itself is canonical: sha256. What came from others keeps the
name that it came with.
Source:  OCI image spec, descriptor.md, "Digests".
"""

from __future__ import annotations

import hashlib

from api.references import is_digest

CANONICAL = "sha256"


def digest_of(content: bytes, algorithm: str = CANONICAL) -> str:
    """Return the digest of some content."""
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def is_canonical(text: str) -> bool:
    """Tell whether the text is `sha256:` and 64 hex digits."""
    return text.startswith(f"{CANONICAL}:") and is_digest(text)


def algorithm_of(digest: str | None) -> str:
    """Return the algorithm of a digest; without one, the canonical."""
    return digest.partition(":")[0] if digest else CANONICAL


def hex_of(digest: str) -> str:
    """Return the digits of a digest."""
    return digest.partition(":")[2]


def blob_member(digest: str) -> str:
    """Return where an OCI image layout keeps a blob."""
    return f"blobs/{algorithm_of(digest)}/{hex_of(digest)}"


def member_algorithm(name: str) -> str:
    """Return the algorithm that a member of an image layout is named by, if it is a blob's name."""
    algorithm, _, digits = name.removeprefix("blobs/").partition("/")
    is_blob = name.startswith("blobs/") and is_digest(f"{algorithm}:{digits}")
    return algorithm if is_blob else CANONICAL
