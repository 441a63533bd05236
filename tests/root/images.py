"""Image archives made on the spot from busybox-static, since nothing is pulled from outside."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BUSYBOX = Path("/bin/busybox")
APPLETS = """
    sh ash true false echo cat ls sleep id env pwd yes head tail wc dd ps kill grep sed awk
    touch mkdir rm mv cp ln chmod chown stat df mount umount hostname ip ifconfig route ping
    nslookup nc wget httpd test expr printf date stty tty vi top free uname seq tr cut sort
    md5sum sha256sum find xargs tar gzip du readlink od hexdump sync timeout usleep mknod
    nproc cmp diff basename dirname tee whoami mktemp truncate unshare telnet
"""
PASSWD = b"root:x:0:0:root:/root:/bin/sh\nwww:x:33:33:www:/:/bin/sh\n"


@dataclass(frozen=True)
class ImageFile:
    """A file to put in a layer; a str `content` is a symbolic link's target."""

    path: str
    content: bytes | str
    mode: int = 0o755
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True)
class ImageSpec:
    """An image to be made: tags, layers base first, and the portable configuration."""

    tags: Sequence[str]
    layers: Sequence[bytes]
    config: Mapping[str, Any] = field(default_factory=dict)


def busybox_layer() -> bytes:
    """Return a tar with busybox, its applets' links, passwd, group and the usual directories."""
    files = [ImageFile("bin/busybox", BUSYBOX.read_bytes())]
    files += [ImageFile(f"bin/{name}", "busybox") for name in APPLETS.split()]
    files += [
        ImageFile("etc/passwd", PASSWD, 0o644),
        ImageFile("etc/group", b"root:x:0:\nwww:x:33:\naudio:x:29:www\n", 0o644),
    ]
    return make_layer(files, directories=("bin", "dev", "etc", "proc", "root", "sys", "tmp", "var"))


def make_layer(files: Sequence[ImageFile], directories: Sequence[str] = ()) -> bytes:
    """Return an uncompressed tar of the files, the same bytes for the same input."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in directories:
            entry = tarfile.TarInfo(name)
            entry.type = tarfile.DIRTYPE
            entry.mode = 0o1777 if name == "tmp" else 0o755
            tar.addfile(entry)
        for item in files:
            entry = tarfile.TarInfo(item.path)
            entry.mode, entry.uid, entry.gid = item.mode, item.uid, item.gid
            if isinstance(item.content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, item.content
                tar.addfile(entry)
            else:
                entry.size = len(item.content)
                tar.addfile(entry, io.BytesIO(item.content))
    return buffer.getvalue()


def docker_archive(images: Sequence[ImageSpec]) -> bytes:
    """Return what `docker save` would write for such images: the archive that `load` takes."""
    members: dict[str, bytes] = {}
    manifest = []
    for image in images:
        config = image_config(image)
        config_name = f"{hashlib.sha256(config).hexdigest()}.json"
        members[config_name] = config
        names = []
        for layer in image.layers:
            name = f"{hashlib.sha256(layer).hexdigest()}/layer.tar"
            members[name] = layer
            names.append(name)
        manifest.append({"Config": config_name, "RepoTags": list(image.tags), "Layers": names})
    members["manifest.json"] = json.dumps(manifest).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def image_config(image: ImageSpec) -> bytes:
    """Return the configuration blob of an image (OCI image spec, config.md)."""
    diff_ids = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in image.layers]
    return json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": "2026-01-01T00:00:00Z",
            "config": {"Cmd": ["sh"], "Env": ["PATH=/bin"], **image.config},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": [{"created": "2026-01-01T00:00:00Z", "created_by": "layer"}] * len(diff_ids),
        }
    ).encode()


def busybox_archive(tag: str = "busybox:latest") -> bytes:
    """Return a docker archive of the busybox image."""
    return docker_archive([ImageSpec([tag], [busybox_layer()])])
