"""User namespaces with the network namespaces that belong to them, kept alive by bind mounts.

A process with many threads may neither make a user namespace nor enter one. So a process that
lives for milliseconds does it: unshare(1) makes the namespaces and becomes a cat(1), which says
that it is there and ends with its input, that is, with the daemon at the latest.
"""

from __future__ import annotations

import errno
import os
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.adapters.netns import pin_namespace, unpin_namespace
from engine.ports.network import UserNamespace

_TIMEOUT_S = 10.0


def make_namespaces(network: Path, user: Path, owner: UserNamespace) -> None:
    """Mount a new network namespace at `network` that belongs to a user namespace.

    That is the one at the owner's path, or a new one, which is mounted at `user` then.
    Errors:  OSError; nothing is left then.
    """
    command = ["unshare", "--net", "cat"]
    if owner.path:
        command = ["nsenter", f"--user={owner.path}", *command]
    else:
        command.insert(1, "--user")
    with _holding(command) as pid:
        if owner.path:
            pin_namespace(f"/proc/{pid}/ns/net", network)
            return
        _write(f"/proc/{pid}/uid_map", owner.ids.users.table())
        _write(f"/proc/{pid}/gid_map", owner.ids.groups.table())
        pin_namespace(f"/proc/{pid}/ns/user", user)
        try:
            pin_namespace(f"/proc/{pid}/ns/net", network)
        except OSError:
            unpin_namespace(user)
            raise


@contextmanager
def _holding(command: list[str]) -> Iterator[int]:
    """Run a command that ends in `cat` and has said that it is there; lend its process id."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        try:
            process.stdin.write(b"\n")
            process.stdin.flush()
            if not _answers(process):
                process.kill()
                raise OSError(errno.EPERM, _words(process))
            yield process.pid
        finally:
            process.stdin.close()


def _answers(process: subprocess.Popen[bytes]) -> bool:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], _TIMEOUT_S)
    return bool(ready) and bool(os.read(process.stdout.fileno(), 1))


def _words(process: subprocess.Popen[bytes]) -> str:
    assert process.stderr is not None
    said = process.stderr.read(1000).decode(errors="replace").strip()
    return said or "the process that makes the user namespace does not answer"


def _write(path: str, text: str) -> None:
    # The kernel takes a map as one write, once.
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
