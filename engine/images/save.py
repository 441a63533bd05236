"""Save images as an archive that `load` and others take: an OCI layout with Docker's manifest.json.

The same images give the same bytes: members are sorted, times are zero.
"""

from __future__ import annotations

import tarfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from api.errors import NoSuchImage
from api.references import Reference, parse_normalized
from engine.core.digest import algorithm_of, blob_member, hex_of, is_canonical
from engine.core.manifest import OCI_INDEX, Platform
from engine.images.env import ImagesEnv
from engine.images.inspect import check_platform
from engine.images.manifests import manifest_of
from engine.images.record import ImageRecord
from engine.images.tell import tell

_BLOCK = 512


@dataclass(slots=True)
class _Choice:
    """An image to save and the names that it was asked for by."""

    image: ImageRecord
    names: list[Reference] = field(default_factory=list)


def save(
    env: ImagesEnv, refs: Sequence[str], platforms: Sequence[Platform] = ()
) -> AsyncIterator[bytes]:
    """Return the archive's bytes; what is asked for is found before this returns.

    A name without tag means all tags of its repository. Blobs are kept while they are sent.
    Errors:  NoSuchImage, InvalidArgument, NotFound (an image for none of the platforms).
    """
    choices = list(_choose(env, refs).values())
    for choice in choices:
        name = choice.names[0].familiar if choice.names else choice.image.id
        check_platform(choice.image, name, *platforms)
    return _write(env, choices)


def _choose(env: ImagesEnv, refs: Sequence[str]) -> dict[str, _Choice]:
    chosen: dict[str, _Choice] = {}

    def add(image: ImageRecord, name: Reference | None) -> None:
        choice = chosen.setdefault(image.id, _Choice(image))
        if name is not None and name.tag and name not in choice.names:
            choice.names.append(name)

    for ref in refs:
        tags = _repository(env, ref)
        if tags:
            for name, image_id in tags:
                image = env.store.find(image_id)
                assert image is not None
                add(image, name)
            continue
        image = env.store.resolve(ref)
        by_id = image.id.removeprefix("sha256:").startswith(ref.removeprefix("sha256:"))
        add(image, None if by_id else parse_normalized(ref))
    if not chosen:
        raise NoSuchImage("")
    return chosen


def _repository(env: ImagesEnv, ref: str) -> list[tuple[Reference, str]]:
    """Return the tags of a repository, where a reference names no tag of it."""
    bare = ref.removeprefix("sha256:")
    if is_canonical(f"sha256:{bare}") or ref.startswith("sha256:"):
        return []
    wanted = parse_normalized(ref)
    if wanted.tag or wanted.digest:
        return []
    names = [(parse_normalized(name), of) for name, of in sorted(env.store.by_reference().items())]
    return [(name, of) for name, of in names if name.name == wanted.name and name.tag]


async def _write(env: ImagesEnv, choices: Sequence[_Choice]) -> AsyncIterator[bytes]:
    held = {digest for choice in choices for digest in choice.image.blobs}
    with env.store.holding(held):
        files: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
        descriptors: list[dict[str, Any]] = []
        manifests: list[str] = []
        for choice in choices:
            found, document = manifest_of(env, choice.image)
            files[blob_member(found.digest)] = document
            manifests.append(found.digest)
            descriptors += _named(msgspec.to_builtins(found), choice.names)
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": descriptors}
        files["index.json"] = _json(index)
        files["manifest.json"] = _json([_docker_item(choice) for choice in choices])
        repositories = _repositories(choices)
        if repositories:
            files["repositories"] = _json(repositories)
        blobs = {
            blob_member(digest): digest
            for choice in choices
            for digest in choice.image.blobs
            if digest != choice.image.manifest_digest
        }
        yield _directory("blobs/")
        for algorithm in sorted({algorithm_of(each) for each in [*blobs.values(), *manifests]}):
            yield _directory(f"blobs/{algorithm}/")
        for name in sorted({*files, *blobs}):
            if name in files:
                yield _member(name, files[name])
                continue
            size = env.blobs.size(blobs[name])
            yield _header(name, size)
            async for chunk in env.blobs.chunks(blobs[name]):
                yield chunk
            yield bytes(-size % _BLOCK)
        yield bytes(2 * _BLOCK)
    for choice in choices:
        tell(env, "save", choice.image)


def _named(descriptor: dict[str, Any], names: Sequence[Reference]) -> list[dict[str, Any]]:
    """Return one descriptor for each name, or the bare one."""
    return [
        {
            **descriptor,
            "annotations": {
                "io.containerd.image.name": str(name),
                "org.opencontainers.image.ref.name": name.tag,
            },
        }
        for name in names
    ] or [descriptor]


def _docker_item(choice: _Choice) -> dict[str, Any]:
    return {
        "Config": blob_member(choice.image.id),
        "RepoTags": [name.familiar for name in choice.names] or None,
        "Layers": [blob_member(digest) for digest in choice.image.layer_digests],
    }


def _repositories(choices: Sequence[_Choice]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for choice in choices:
        for name in choice.names:
            if choice.image.layer_digests:
                top = hex_of(choice.image.layer_digests[-1])
                found.setdefault(name.familiar_name, {})[name.tag] = top
    return found


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)


def _member(name: str, content: bytes) -> bytes:
    return _header(name, len(content)) + content + bytes(-len(content) % _BLOCK)


def _header(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry.tobuf(tarfile.PAX_FORMAT)


def _directory(name: str) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.type = tarfile.DIRTYPE
    entry.mode = 0o755
    return entry.tobuf(tarfile.PAX_FORMAT)
