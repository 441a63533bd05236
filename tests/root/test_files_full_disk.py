"""Copies into a container and commits on a data root that runs full."""

from __future__ import annotations

import io
import os
import tarfile

from tests.root.node import Node, wait_until
from tests.root.test_full_disk import WORDS, assert_usable, free, small

__all__ = ["small"]


def tar_of(size: int) -> bytes:
    """Return a tar of one file that does not compress."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo("big")
        entry.size = size
        tar.addfile(entry, io.BytesIO(os.urandom(size)))
    return buffer.getvalue()


def test_a_copy_that_does_not_fit_is_refused(small: Node) -> None:
    """The client hears it, though it had much more to send; the container gives the space back."""
    before = free(small)
    ref = small.docker("create", "busybox", "true").stdout.strip()

    said = small.docker("cp", "-", f"{ref}:/", stdin=tar_of(40 << 20), check=False)

    assert said.returncode != 0
    assert WORDS in said.stderr
    small.docker("rm", ref)
    assert_usable(small, before)


def test_a_commit_that_does_not_fit_leaves_nothing(small: Node) -> None:
    """No image, no blob, no layer; the container stays as it was."""
    ref = small.docker("create", "busybox", "true").stdout.strip()
    small.docker("cp", "-", f"{ref}:/", stdin=tar_of(14 << 20))
    before = free(small)

    said = small.docker("commit", ref, "too:big", check=False)

    assert WORDS in said.stderr
    assert "too" not in small.docker("images").stdout
    wait_until(lambda: free(small) >= before - 8, "the space to come back")
    small.docker("rm", ref)
