"""Hostile archives over the API: refused with a reason, or kept inside; nothing is left behind.

Rows 6 and 7 of docs/security.md; the same for single layers is in test_images_unpack.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.root.health import UnixConnection, unharmed
from tests.root.images import (
    ImageFile,
    ImageSpec,
    busybox_archive,
    busybox_layer,
    docker_archive,
    make_layer,
)
from tests.root.node import Node, wait_until


def _tar(*entries: tuple[str, bytes | str]) -> bytes:
    """Return a tar of files, and of links where the content is a string."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in entries:
            entry = tarfile.TarInfo(name)
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                tar.addfile(entry)
            else:
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _manifest(config: str, *layers: str) -> bytes:
    return json.dumps([{"Config": config, "RepoTags": ["evil:1"], "Layers": layers}]).encode()


_BOMB_CONFIG = json.dumps(
    {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "0" * 64]},
    }
).encode()
REFUSED: dict[str, Callable[[], bytes]] = {
    "no tar": lambda: b"\x00\x01" * 4096,
    "empty": lambda: b"",
    "empty tar": _tar,
    "cut": lambda: busybox_archive()[:600_000],
    "names outside": lambda: _tar(("manifest.json", _manifest("../../etc/passwd", "/etc/shadow"))),
    "link to the host": lambda: _tar(
        ("c.json", "/etc/passwd"),
        ("l.tar", "/etc/shadow"),
        ("manifest.json", _manifest("c.json", "l.tar")),
    ),
    "manifest is a list of nothing": lambda: _tar(("manifest.json", b"[null]")),
    "manifest is deep": lambda: _tar(("manifest.json", b"[" * 10**6)),
    "manifest is huge": lambda: _tar(("manifest.json", b" " * (64 << 20) + b"[]")),
    "layer is a bomb": lambda: _tar(
        ("c.json", _BOMB_CONFIG),
        ("l.tar", gzip.compress(b"\0" * (256 << 20))),
        ("manifest.json", _manifest("c.json", "l.tar")),
    ),
    "layer writes outside": lambda: docker_archive(
        [ImageSpec(["evil:1"], [make_layer([ImageFile("../../../escaped", b"x")])])]
    ),
    "nested gzip": lambda: gzip.compress(gzip.compress(gzip.compress(busybox_archive()))),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_archive_is_refused(daemon: Node, name: str) -> None:
    content = REFUSED[name]()
    with unharmed(daemon), _nothing_new(daemon):
        status, answer = _post(daemon, "/images/load", content)

        assert status >= 400 or "errorDetail" in answer, (status, answer[:300])
        assert "" == daemon.docker("images", "-q", "evil").stdout


@pytest.mark.parametrize(
    "content",
    [b"\x00\x01" * 4096, make_layer([ImageFile("../../escaped", b"x")]), busybox_layer()[:700_000]],
    ids=["no tar", "outside", "cut"],
)
def test_hostile_import_is_refused(daemon: Node, content: bytes) -> None:
    with unharmed(daemon), _nothing_new(daemon):
        status, answer = _post(daemon, "/images/create?fromSrc=-&repo=evil&tag=1", content)

        assert status >= 400 or "errorDetail" in answer, (status, answer[:300])


def test_links_of_an_image_stay_inside_of_it(daemon: Node, tmp_path: Path) -> None:
    """Written through by the image's own later entries and by a container: the host stays whole."""
    outside = tmp_path / "outside"
    outside.mkdir()
    layer = make_layer(
        [ImageFile("door", str(outside)), ImageFile("door/planted", b"x")],
    )
    archive = docker_archive([ImageSpec(["evil:1"], [busybox_layer(), layer])])
    _post(daemon, "/images/load", archive)

    daemon.docker("run", "--rm", "evil:1", "sh", "-c", "echo x > /door/planted", check=False)
    daemon.docker("rmi", "-f", "evil:1", check=False)

    assert [] == list(outside.iterdir())


def _post(node: Node, target: str, content: bytes) -> tuple[int, str]:
    connection = UnixConnection(node, 60)
    connection.request("POST", target, content, {"Content-Type": "application/x-tar"})
    answer = connection.getresponse()
    received = answer.read().decode()
    connection.close()
    return answer.status, received


class _nothing_new:  # noqa: N801 - reads like a verb where it is used
    """Checks that the data root holds no more files afterwards than before."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._before = _files(node)

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Compare, unless the test has failed anyway."""
        if kind is None:
            wait_until(
                lambda: _files(self._node) <= self._before,
                f"{_files(self._node) - self._before} to be gone",
            )


def _files(node: Node) -> set[Path]:
    return set(_walk(node.root / "data"))


def _walk(root: Path) -> Iterator[Path]:
    # What is being deleted meanwhile is passed over.
    for directory, names, files in os.walk(root):
        for path in (Path(directory, name) for name in (*names, *files)):
            if "engine.db" not in path.name and "containers" not in path.parts:
                yield path
