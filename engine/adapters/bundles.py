"""Bundles on disk, below the exec root: tmpfs, so that they end with the machine's run."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from api.errors import Internal
from engine.core.errors import RuntimeFailed
from engine.settings import LiveSettings


class BundleDirectories:
    """Fulfils `Bundles`."""

    def __init__(self, settings: LiveSettings) -> None:
        self._root = settings.current.exec_root / "containers"

    def directory(self, container_id: str) -> Path:
        """Return where a container's bundle is, or would be."""
        return self._root / container_id

    async def write(self, container_id: str, spec: Mapping[str, Any]) -> Path:
        """Make a bundle with this OCI configuration, in place of an older one; return it."""
        directory = self.directory(container_id)
        await asyncio.to_thread(_write_bundle, directory, spec)
        return directory

    async def write_exec(self, container_id: str, exec_id: str, process: Mapping[str, Any]) -> Path:
        """Make an exec's directory with this OCI process object; return it."""
        directory = self.directory(container_id) / "exec" / exec_id
        await asyncio.to_thread(_write, directory, "process.json", process)
        return directory

    async def remove_exec(self, container_id: str, exec_id: str) -> None:
        """Delete an exec's directory; fine if gone."""
        directory = self.directory(container_id) / "exec" / exec_id
        await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)

    async def remove(self, container_id: str) -> None:
        """Delete a bundle with all that is in it; fine if gone."""
        directory = self.directory(container_id)
        await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)

    async def known(self) -> set[str]:
        """Return the containers that have a bundle."""
        return await asyncio.to_thread(_names, self._root)


def _write_bundle(directory: Path, spec: Mapping[str, Any]) -> None:
    _refuse_links(str(spec["root"]["path"]))
    _write(directory, "config.json", spec)


def _refuse_links(rootfs: str) -> None:
    """Refuse a tree whose system directories are links or files.

    Runtimes older than the fix of CVE-2026-41579 make device links behind a linked /dev: on the
    host. Nobody but the container writes to its tree, and it does not run yet.
    """
    for name in ("dev", "proc", "sys"):
        try:
            found = os.lstat(f"{rootfs}/{name}")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise Internal(f"cannot look at {rootfs}: {error.strerror}") from error
        if not stat.S_ISDIR(found.st_mode):
            raise RuntimeFailed(f"the container's /{name} is not a directory: refused")


def _write(directory: Path, name: str, content: Mapping[str, Any]) -> None:
    try:
        if directory.exists():
            shutil.rmtree(directory)
        directory.mkdir(mode=0o700, parents=True)
        (directory / name).write_bytes(msgspec.json.encode(content))
    except OSError as error:
        raise Internal(f"cannot write {directory / name}: {error.strerror}") from error


def _names(root: Path) -> set[str]:
    try:
        return {each.name for each in root.iterdir()}
    except FileNotFoundError:
        return set()
