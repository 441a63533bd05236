"""Volumes of the `local` driver on disk."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from secrets import token_hex

import structlog

from api.errors import Internal
from engine.adapters.openat2 import open_in_root
from engine.adapters.tree_copy import copy_tree
from engine.adapters.tree_copy_process import copy_in_process, is_big
from engine.adapters.tree_delete import delete_tree
from engine.adapters.volume_mount import is_mounted, mount_plan, unmount_all
from engine.core.volume import MountPlan, plan_mount

log = structlog.get_logger(__name__)

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_RESOLVE_TIMEOUT_S = 10.0
_NETWORK_TYPES = frozenset({"nfs", "nfs4", "cifs"})


class LocalVolumeDisk:
    """Fulfils `VolumeDisk` below one directory, `<data root>/volumes`.

    Rights as Docker's: 0701 for the whole and for each volume, so that no other user walks in
    from the host and runs a set-user-id file of a container; content is 0755 or as the image has
    it. Names that begin with a dot are ours, for volume names never do. Content belongs to
    `owner`, the host's numbers of the containers' root user, until an image or a container says
    otherwise.
    """

    def __init__(self, root: Path, owner: tuple[int, int] = (0, 0)) -> None:
        self._owner = owner
        self._root = root
        self._trash = root / ".trash"
        self._staging = root / ".staging"
        self._deletions: set[asyncio.Task[None]] = set()

    def mountpoint(self, name: str) -> Path:
        """Return where a volume's content is, or would be."""
        return self._root / name / "_data"

    async def create(self, name: str) -> None:
        """Make the directories; fine if there. Errors: Internal."""
        with _translated(f"create {name}"):
            await asyncio.to_thread(self._create, name)

    async def remove(self, name: str) -> None:
        """Move a volume to the trash at once, delete it behind; fine if gone. Errors: Internal."""
        with _translated(f"remove {name}"):
            discarded = await asyncio.to_thread(self._discard, self._root / name)
        if discarded is not None:
            deletion = asyncio.create_task(asyncio.to_thread(_delete, discarded))
            self._deletions.add(deletion)
            deletion.add_done_callback(self._deletions.discard)

    async def mount(self, name: str, options: Mapping[str, str]) -> None:
        """Mount what the options ask for; fine if mounted. Errors: Internal."""
        plan = plan_mount(options)
        if plan is None:
            return
        plan = await _with_address(plan)
        target = self.mountpoint(name)
        try:
            await asyncio.to_thread(_mount_once, plan, target)
        except OSError as error:
            msg = (
                f"error while mounting volume '{target}': "
                f"failed to mount local volume: mount {plan.device}:{target}"
                f"{f', flags: {plan.flags:#x}' if plan.flags else ''}"
                f"{f', data: {plan.data}' if plan.data else ''}: {_reason(error)}"
            )
            raise Internal(msg) from error

    async def unmount(self, name: str) -> None:
        """Undo `mount`; fine if not mounted. Errors: Internal."""
        with _translated(f"unmount {name}"):
            await asyncio.to_thread(unmount_all, self.mountpoint(name))

    async def copy_up(
        self, name: str, subpath: str, root: Path, destination: str, *, alone: bool
    ) -> None:
        """Fill an empty volume with what `destination` holds inside `root`. Errors: Internal."""
        with _translated(f"copy {destination} to volume {name}"):
            await asyncio.to_thread(self._copy_up, name, subpath, root, destination, alone)

    async def usage(self, name: str) -> int:
        """Return the bytes of a volume's files, files of many names counted once."""
        return await asyncio.to_thread(_usage, self.mountpoint(name))

    async def sweep(self) -> None:
        """Delete what removals and copies of an earlier daemon left half done."""

        def leftovers() -> None:
            for directory in (self._trash, self._staging):
                if directory.is_dir():
                    for each in directory.iterdir():
                        _delete(each)

        await asyncio.to_thread(leftovers)

    async def close(self) -> None:
        """Wait until deletions in the background are done."""
        while self._deletions:
            await asyncio.wait(set(self._deletions))

    def _create(self, name: str) -> None:
        self._root.mkdir(mode=0o711, parents=True, exist_ok=True)
        self._root.chmod(0o701)
        home = self._root / name
        home.mkdir(mode=0o701, exist_ok=True)
        home.chmod(0o701)
        content = home / "_data"
        if not content.is_dir():
            content.mkdir(mode=0o755)
            content.chmod(0o755)  # whatever the daemon's umask is
            os.chown(content, *self._owner)

    def _discard(self, path: Path) -> Path | None:
        self._trash.mkdir(mode=0o700, exist_ok=True)
        discarded = self._trash / token_hex(8)
        try:
            path.rename(discarded)
        except FileNotFoundError:
            return None
        return discarded

    def _copy_up(self, name: str, subpath: str, root: Path, destination: str, alone: bool) -> None:
        with contextlib.ExitStack() as stack:
            content = stack.enter_context(_opened(self.mountpoint(name), None))
            top = stack.enter_context(_opened(root, None))
            try:
                if subpath:
                    content = stack.enter_context(_opened(Path(subpath), content))
                source = stack.enter_context(_opened(Path(destination), top))
            except (FileNotFoundError, NotADirectoryError):
                return
            if os.listdir(content):
                return
            if alone and os.listdir(source):
                self._copy_staged(source, self.mountpoint(name))
            else:
                _copy(source, content)

    def _copy_staged(self, source: int, target: Path) -> None:
        """Copy beside, then put the copy in the place of the empty directory."""
        staged = self._staging / token_hex(8)
        staged.mkdir(mode=0o700, parents=True)
        try:
            with _opened(staged, None) as opened:
                _copy(source, opened)
            staged.rename(target)
        except BaseException:
            _delete(staged)
            raise


def _copy(source: int, target: int) -> None:
    if is_big(source):
        copy_in_process(source, target)
    else:
        copy_tree(source, target)


@contextlib.contextmanager
def _opened(path: Path, inside: int | None) -> Iterator[int]:
    """Hold a directory open; with `inside`, a path that cannot lead out of that directory."""
    if inside is None:
        opened = os.open(path, _DIRECTORY)
    else:
        opened = open_in_root(inside, str(path), _DIRECTORY)
    try:
        yield opened
    finally:
        os.close(opened)


def _mount_once(plan: MountPlan, target: Path) -> None:
    if not is_mounted(target):
        mount_plan(plan, target)


async def _with_address(plan: MountPlan) -> MountPlan:
    """Put the number for the host name in `addr=`: the kernel resolves no names."""
    if plan.fstype not in _NETWORK_TYPES:
        return plan
    words = plan.data.split(",")
    for index, word in enumerate(words):
        key, _, host = word.partition("=")
        if key == "addr" and host:
            words[index] = f"addr={await _resolve(host)}"
    return MountPlan(plan.fstype, plan.device, plan.flags, ",".join(words))


async def _resolve(host: str) -> str:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_RESOLVE_TIMEOUT_S):
            found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError) as error:
        raise Internal(f"error resolving passed in network volume address: {host}") from error
    return str(found[0][4][0])


def _delete(path: Path) -> None:
    """Delete a tree; what resists is told and left in the trash for the next start."""
    failure = delete_tree(path)
    if failure is not None:
        log.warning("volume.not_deleted", path=str(path), reason=str(failure))


def _usage(path: Path) -> int:
    total = 0
    seen: set[tuple[int, int]] = set()
    for _top, _directories, files, opened in os.fwalk(path, follow_symlinks=False):
        for name in files:
            with contextlib.suppress(FileNotFoundError):
                found = os.stat(name, dir_fd=opened, follow_symlinks=False)
                if found.st_nlink > 1:
                    if (found.st_dev, found.st_ino) in seen:
                        continue
                    seen.add((found.st_dev, found.st_ino))
                total += found.st_size
    return total


@contextlib.contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Internal(f"{doing}: {_reason(error)}") from error


def _reason(error: OSError) -> str:
    reason = os.strerror(error.errno) if error.errno else str(error)
    where = f" {error.filename}" if error.filename and error.errno != errno.ENODEV else ""
    return f"{reason.lower()}{where}"
