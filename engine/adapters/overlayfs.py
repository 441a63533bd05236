"""Layers and container roots on overlayfs.

<data root>/layers/<chain hex>/diff   a layer's tree; `link` beside it holds its short name
<data root>/layers/l/<short name>     symbolic link to the tree, so that many fit in one mount
<data root>/roots/<container>/        upper, work, merged, and `layers`: short names, top first;
                                      `views`: those of layers that it mounts besides
<data root>/trash/                    what is being deleted

With a user namespace's maps, all owners in these trees are numbers of the host, and its root may
walk to the roots of containers, but read and change nothing above them.
"""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import stat
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import structlog

from api.errors import Internal, InvalidArgument, NotFound
from engine.adapters.mounts import detach, mount, own_working_directory
from engine.adapters.spread import spread_children
from engine.adapters.trash import Trash
from engine.adapters.unpack_process import UnpackProcesses
from engine.core.chain import chain_id
from engine.core.errors import NoSpaceLeft
from engine.core.id_maps import IdMaps
from engine.ports.storage import Layer

log = structlog.get_logger(__name__)

Args = TypeVarTuple("Args")
Result = TypeVar("Result")

_OPTIONS = {"index": "off", "metacopy": "off", "redirect_dir": "off"}
_PARAMETERS = Path("/sys/module/overlay/parameters")
_LANES = 4
_MS_RDONLY = 0x1


class OverlaySnapshotter:
    """Fulfils `Snapshotter`. Mounts are made by threads whose working directory is `layers`."""

    def __init__(self, data_root: Path, ids: IdMaps | None = None) -> None:
        self._owner = ids.root if ids else (0, 0)
        self._layers = data_root / "layers"
        self._links = self._layers / "l"
        self._roots = data_root / "roots"
        for directory in (self._layers, self._links, self._roots):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            spread_children(directory)
        self._let_pass(self._roots)
        self._trash = Trash(data_root / "trash")
        self._processes = UnpackProcesses(ids)
        self._lane = ThreadPoolExecutor(_LANES, "overlay", self._enter)
        self._options = "".join(
            f",{name}={value}" for name, value in _OPTIONS.items() if (_PARAMETERS / name).exists()
        )
        self._known = self._read_layers()
        self._trees = self._read_roots("layers")
        self._views = self._read_roots("views")

    def has_layer(self, chain_id: str) -> bool:
        """Tell whether a layer is unpacked."""
        return chain_id in self._known

    def layers(self) -> set[str]:
        """Return the chain ids of all unpacked layers."""
        return set(self._known)

    async def unpack(
        self,
        parent: str | None,
        blob: Path,
        *,
        diff_id: str | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Layer:
        """Unpack a blob in a process of its own; the layer appears whole or not at all."""
        staging = self._layers / f"new-{secrets.token_hex(8)}"
        try:
            await self._run(_make_staging, staging, self._owner)
            found = await self._processes.unpack(
                blob, staging / "diff", over_lower=parent is not None, progress=progress
            )
            _check_diff_id(diff_id, found.diff_id)
            chain = chain_id(parent, found.diff_id)
            self._known[chain] = await self._run(self._commit, staging, chain)
        except BaseException:
            await asyncio.shield(self._run(self._trash.take, staging))
            raise
        return Layer(found.diff_id, chain, found.size)

    async def remove_layer(self, chain_id: str) -> bool:
        """Delete a layer that no container's tree stands on; True if it was there and went."""
        link = self._known.get(chain_id)
        if link is None or any(
            link in links for held in (self._trees, self._views) for links in held.values()
        ):
            return False
        del self._known[chain_id]
        await self._run(self._drop_layer, chain_id, link)
        return True

    async def prepare(self, container_id: str, chain_ids: Sequence[str]) -> None:
        """Make an empty writable tree over the layers, base first."""
        links = [self._link(chain) for chain in reversed(chain_ids)]
        self._trees[container_id] = links
        try:
            await self._run(self._make_tree, container_id, links)
        except BaseException:
            await asyncio.shield(self.remove(container_id))
            raise

    async def mount(self, container_id: str) -> Path:
        """Mount a container's tree; return its root. Idempotent."""
        await self._run(self._mount, container_id)
        return self.root(container_id)

    async def hold(self, container_id: str, chain_ids: Sequence[str]) -> None:
        """Keep layers that a prepared container will look into, until its tree is removed."""
        links = [self._link(chain) for chain in chain_ids]
        self._views[container_id] = links
        await self._run(self._write_views, container_id, links)

    async def mount_view(self, chain_ids: Sequence[str], target: Path) -> None:
        """Mount layers, base first, read-only on an empty directory. Errors: NotFound."""
        await self._run(self._mount_view, [self._link(each) for each in chain_ids[::-1]], target)

    async def unmount(self, container_id: str) -> None:
        """Undo `mount`; fine if not mounted."""
        await self._run(detach, self.root(container_id))

    async def remove(self, container_id: str) -> None:
        """Unmount and delete a container's writable tree; fine if gone."""
        await self._run(self._drop_tree, container_id)
        self._trees.pop(container_id, None)
        self._views.pop(container_id, None)

    def root(self, container_id: str) -> Path:
        """Return where `mount` puts the tree."""
        return self._roots / container_id / "merged"

    def driver_data(self, container_id: str, chain_ids: Sequence[str]) -> dict[str, str]:
        """Return LowerDir, MergedDir, UpperDir, WorkDir as inspect shows them."""
        lower = ":".join(str(self.layer_path(chain)) for chain in reversed(chain_ids))
        tree = self._roots / container_id
        return {
            "LowerDir": lower,
            "MergedDir": str(tree / "merged"),
            "UpperDir": str(tree / "upper"),
            "WorkDir": str(tree / "work"),
        }

    def tree_paths(self, container_id: str, chain_ids: Sequence[str]) -> tuple[Path, list[Path]]:
        """Return the writable tree's own directory, and the layers' below it, top first."""
        upper = self._roots / container_id / "upper"
        return upper, [self.layer_path(chain) for chain in reversed(chain_ids)]

    def layer_path(self, chain_id: str) -> Path:
        """Return where a layer's tree is."""
        return self._layers / chain_id.removeprefix("sha256:") / "diff"

    async def usage(self, container_id: str) -> int:
        """Return the bytes of the files in the writable tree."""
        return await self._run(_usage, self._roots / container_id / "upper")

    def known(self) -> set[str]:
        """Return the containers that have a writable tree on disk."""
        return set(self._trees)

    async def sweep(self, keep: set[str]) -> None:
        """Delete half-made trees and layers but `keep` and those under containers."""
        await self._run(self._sweep_staging)
        for chain in self.layers() - keep:
            await self.remove_layer(chain)

    def close(self) -> None:
        """Stop the threads; mounts stay."""
        self._trash.close()
        self._lane.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[*Args], Result], *args: *Args) -> Result:
        """Do blocking work in a thread of ours. Errors: Internal with the kernel's words."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._lane, work, *args)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise NoSpaceLeft(str(error.filename)) from error
            raise Internal(f"overlay storage: {error}") from error

    def _enter(self) -> None:
        own_working_directory()
        os.chdir(self._layers)

    def _read_layers(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for directory in self._layers.iterdir():
            if len(directory.name) == 64 and (directory / "link").is_file():
                found[f"sha256:{directory.name}"] = (directory / "link").read_text()
        return found

    def _read_roots(self, kind: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for directory in self._roots.iterdir():
            names = directory / kind
            found[directory.name] = names.read_text().split() if names.is_file() else []
        return found

    def _commit(self, staging: Path, chain: str) -> str:
        final = self._layers / chain.removeprefix("sha256:")
        while True:
            link = secrets.token_hex(4)
            try:
                (self._links / link).symlink_to(f"../{final.name}/diff")
                break
            except FileExistsError:
                continue
        (staging / "link").write_text(link)
        self._trash.take(final)
        staging.rename(final)
        return link

    def _drop_layer(self, chain: str, link: str) -> None:
        self._trash.take(self._layers / chain.removeprefix("sha256:"))
        (self._links / link).unlink(missing_ok=True)

    def _make_tree(self, container_id: str, links: Sequence[str]) -> None:
        tree = self._roots / container_id
        tree.mkdir(mode=0o700)
        self._let_pass(tree)
        upper = tree / "upper"
        upper.mkdir(mode=0o755)
        os.chown(upper, *self._owner)
        self._make_mark(upper / ".dockerenv")
        (tree / "work").mkdir(mode=0o700)
        (tree / "merged").mkdir(mode=0o700)
        if links:
            base = (self._links / links[-1]).stat()
            os.chown(upper, base.st_uid, base.st_gid)
            upper.chmod(stat.S_IMODE(base.st_mode))
        (tree / "layers").write_text("\n".join(links))

    def _make_mark(self, path: Path) -> None:
        """Make the empty file by which programs tell that they run in a container."""
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o755)
        try:
            os.fchmod(made, 0o755)
            os.fchown(made, *self._owner)
        finally:
            os.close(made)

    def _let_pass(self, directory: Path) -> None:
        """Let the namespace's root walk through, as the runtime does that prepares its mounts."""
        if self._owner != (0, 0):
            os.chown(directory, 0, self._owner[1])
            directory.chmod(0o710)

    def _mount(self, container_id: str) -> None:
        tree = self._roots / container_id
        merged = tree / "merged"
        if merged.stat().st_dev != tree.stat().st_dev:
            return
        links = self._trees.get(container_id)
        if links is None:
            raise NotFound(f"container {container_id} has no writable tree")
        lower = ":".join(f"l/{link}" for link in links) or self._empty()
        base = f"../roots/{container_id}"
        data = f"lowerdir={lower},upperdir={base}/upper,workdir={base}/work{self._options}"
        mount("overlay", merged, "overlay", 0, data)

    def _link(self, chain_id: str) -> str:
        if chain_id not in self._known:
            raise NotFound(f"layer {chain_id} does not exist")
        return self._known[chain_id]

    def _write_views(self, container_id: str, links: Sequence[str]) -> None:
        (self._roots / container_id / "views").write_text("\n".join(links))

    def _mount_view(self, links: Sequence[str], target: Path) -> None:
        # Without a writable directory the kernel wants two trees at least.
        lower = ":".join([*(f"l/{link}" for link in links), self._empty()])
        if links:
            mount("overlay", target, "overlay", _MS_RDONLY, f"lowerdir={lower}{self._options}")

    def _empty(self) -> str:
        empty = self._layers / "empty"
        if not empty.is_dir():
            empty.mkdir(mode=0o755)
            os.chown(empty, *self._owner)
        return "empty"

    def _drop_tree(self, container_id: str) -> None:
        detach(self.root(container_id))
        self._trash.take(self._roots / container_id)

    def _sweep_staging(self) -> None:
        self._trash.sweep()
        for path in self._layers.iterdir():
            if path.name.startswith("new-"):
                self._trash.take(path)
        for link in self._links.iterdir():
            if not link.exists():
                link.unlink()


def _make_staging(staging: Path, owner: tuple[int, int]) -> None:
    staging.mkdir(mode=0o700)
    diff = staging / "diff"
    diff.mkdir()
    diff.chmod(0o755)
    os.chown(diff, *owner)


def _check_diff_id(expected: str | None, found: str) -> None:
    if expected not in {None, found}:
        raise InvalidArgument(
            f"wrong diff id calculated on extraction: expected {expected}, got {found}"
        )


def _usage(upper: Path) -> int:
    seen: set[int] = set()
    total = 0
    for directory, _, files in os.walk(upper):
        for name in files:
            try:
                found = os.lstat(os.path.join(directory, name))
            except FileNotFoundError:
                continue
            if found.st_ino not in seen:
                seen.add(found.st_ino)
                total += found.st_size
    return total
