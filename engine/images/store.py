"""Images, their references and their layers in memory, written through to the records."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from api.errors import AmbiguousPrefix, NoSuchImage
from api.references import Reference, parse_normalized
from engine.images.record import CompressedForm, ImageRecord, LayerRecord
from engine.ports.records import Change, Records

_HEX = re.compile(r"[0-9a-f]{1,64}")


class ImageStore:
    """What this machine has. Reads answer from memory; writes return once they are durable.

    References are kept in full: `docker.io/library/busybox:latest`,
    `docker.io/library/busybox@sha256:...`; each names one image.
    In `derived` readers keep what they made of all this; it is forgotten at every change.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        self._images: dict[str, ImageRecord] = {}
        self._references: dict[str, str] = {}
        self._of_image: dict[str, set[str]] = {}
        self._layers: dict[str, LayerRecord] = {}
        self._compressed: dict[str, CompressedForm] = {}
        self._held: Counter[str] = Counter()
        self._chain_locks: dict[str, asyncio.Lock] = {}
        self.derived: dict[Hashable, Any] = {}

    async def load(self) -> None:
        """Read everything from the records."""
        images = await self._records.load("image")
        layers = await self._records.load("layer")
        references = await self._records.load("reference")
        self._images = {k: msgspec.json.decode(v, type=ImageRecord) for k, v in images.items()}
        self._layers = {k: msgspec.json.decode(v, type=LayerRecord) for k, v in layers.items()}
        compressed = await self._records.load("blob")
        self._compressed = {
            k: msgspec.json.decode(v, type=CompressedForm) for k, v in compressed.items()
        }
        self._references = {}
        self._of_image = {}
        for name, document in references.items():
            image_id = document.decode()
            if image_id in self._images:
                self._point(name, image_id)
        self.derived.clear()

    def resolve(self, ref: str) -> ImageRecord:
        """Return the image of a reference, id or unique id prefix.

        A name that is also the beginning of an id is taken as the name, as Docker does; a full id
        is taken as the id.
        Errors:  NoSuchImage, AmbiguousPrefix, InvalidArgument (no reference can look so).
        """
        image_id = self.resolve_id(ref)
        return self._images[image_id]

    def resolve_id(self, ref: str) -> str:
        """Return the id that `resolve` would find. Errors: as `resolve`."""
        bare = ref.removeprefix("sha256:")
        full = f"sha256:{bare}"
        if len(bare) == 64 and _HEX.fullmatch(bare):
            if full in self._images:
                return full
            raise NoSuchImage(ref)
        if not ref.startswith("sha256:"):
            found = self._named(parse_normalized(ref))
            if found is not None:
                return found
        if not _HEX.fullmatch(bare):
            raise NoSuchImage(_with_tag(ref))
        matches = [image_id for image_id in self._images if image_id.startswith(full)]
        if not matches:
            raise NoSuchImage(_with_tag(ref))
        if len(matches) > 1:
            raise AmbiguousPrefix(ref)
        return matches[0]

    def _named(self, reference: Reference) -> str | None:
        if reference.digest:
            by_digest = self._references.get(f"{reference.name}@{reference.digest}")
            if by_digest is None and reference.digest in self._images:
                names = {parse_normalized(r).name for r in self.references(reference.digest)}
                return reference.digest if reference.name in names else None
            return by_digest
        return self._references.get(str(reference.with_default_tag()))

    def find(self, image_id: str) -> ImageRecord | None:
        """Return an image by its full id."""
        return self._images.get(image_id)

    def all(self) -> list[ImageRecord]:
        """Return every image, in no order."""
        return list(self._images.values())

    def references(self, image_id: str) -> list[str]:
        """Return the full references of an image, sorted: tags and digests."""
        return sorted(self._of_image.get(image_id, ()))

    def target(self, reference: str) -> str | None:
        """Return the image id that a full reference names."""
        return self._references.get(reference)

    def layer(self, chain_id: str) -> LayerRecord | None:
        """Return what is known of an unpacked layer."""
        return self._layers.get(chain_id)

    def note(self, layer: LayerRecord) -> None:
        """Remember a layer just unpacked; it becomes durable with an image that stands on it."""
        self._layers[layer.chain_id] = layer

    def forget_layer(self, chain_id: str) -> None:
        """Forget a layer that was noted and is removed; fine if unknown."""
        self._layers.pop(chain_id, None)

    def compressed(self, digest: str) -> CompressedForm | None:
        """Return what a blob that is stored plain became when it was pushed."""
        return self._compressed.get(digest)

    async def note_compressed(self, digest: str, form: CompressedForm) -> None:
        """Remember what a plain blob is when compressed, for as long as an image stands on it."""
        await self._records.apply([Change("blob", digest, msgspec.json.encode(form))])
        self._compressed[digest] = form

    def layer_records(self) -> list[LayerRecord]:
        """Return every unpacked layer."""
        return list(self._layers.values())

    async def put(
        self, image: ImageRecord, layers: Iterable[LayerRecord], references: Sequence[str]
    ) -> dict[str, str]:
        """Write an image with its layers and references at once.

        Returns the references that named another image before, with its id.
        """
        layers = list(layers)
        changes = [Change("layer", each.chain_id, msgspec.json.encode(each)) for each in layers]
        changes.append(Change("image", image.id, msgspec.json.encode(image)))
        changes += [Change("reference", name, image.id.encode()) for name in references]
        await self._records.apply(changes)
        moved = {
            name: before
            for name in references
            if (before := self._references.get(name)) not in {None, image.id}
        }
        self._layers.update({each.chain_id: each for each in layers})
        self._images[image.id] = image
        for name in references:
            self._point(name, image.id)
        self.derived.clear()
        return {name: before for name, before in moved.items() if before is not None}

    async def tag(self, reference: str, image: ImageRecord) -> None:
        """Let a full reference name an image; `image` is written with it (its tagging time)."""
        await self.put(image, [], [reference])

    async def untag(self, references: Sequence[str]) -> None:
        """Forget references; fine if unknown."""
        await self._records.apply([Change("reference", name, None) for name in references])
        for name in references:
            self._unpoint(name)
        self.derived.clear()

    async def drop(self, image_id: str, chain_ids: Sequence[str]) -> None:
        """Forget an image, its references and the layers given; fine if unknown."""
        names = self.references(image_id)
        others = {
            digest
            for image in self._images.values()
            if image.id != image_id
            for digest in image.layer_digests
        }
        unused = self._compressed.keys() - others
        await self._records.apply(
            [
                *(Change("reference", name, None) for name in names),
                Change("image", image_id, None),
                *(Change("layer", chain_id, None) for chain_id in chain_ids),
                *(Change("blob", digest, None) for digest in unused),
            ]
        )
        for digest in unused:
            self._compressed.pop(digest, None)
        for name in names:
            self._unpoint(name)
        self._images.pop(image_id, None)
        for chain_id in chain_ids:
            self._layers.pop(chain_id, None)
        self.derived.clear()

    @contextmanager
    def holding(self, keys: Iterable[str]) -> Iterator[None]:
        """Keep blobs (digests), layers (chain ids) and images (ids) from being removed inside."""
        held = list(keys)
        self._held.update(held)
        try:
            yield
        finally:
            self._held.subtract(held)
            for key in held:
                if self._held[key] <= 0:
                    del self._held[key]

    def is_held(self, key: str) -> bool:
        """Tell whether somebody works with a blob, layer or image right now."""
        return self._held[key] > 0

    @contextmanager
    def chain_lock(self, chain_id: str) -> Iterator[asyncio.Lock]:
        """Lend the lock of one layer, so that concurrent requests unpack it once."""
        lock = self._chain_locks.setdefault(chain_id, asyncio.Lock())
        with self.holding([f"lock {chain_id}"]):
            yield lock
        if not self.is_held(f"lock {chain_id}"):
            self._chain_locks.pop(chain_id, None)

    def digests_in_use(self) -> set[str]:
        """Return the blobs that images stand on."""
        used: set[str] = set()
        for image in self._images.values():
            used.update(image.blobs)
        return used

    def chains_in_use(self) -> set[str]:
        """Return the layers that images stand on."""
        return {chain_id for image in self._images.values() for chain_id in image.chain_ids}

    def by_reference(self) -> Mapping[str, str]:
        """Return every full reference with its image id; not to be changed."""
        return self._references

    def _point(self, name: str, image_id: str) -> None:
        self._unpoint(name)
        self._references[name] = image_id
        self._of_image.setdefault(image_id, set()).add(name)

    def _unpoint(self, name: str) -> None:
        before = self._references.pop(name, None)
        if before is not None:
            names = self._of_image[before]
            names.discard(name)
            if not names:
                del self._of_image[before]


def _with_tag(ref: str) -> str:
    """Return the reference as Docker's answer shows it: with `:latest` if it has no tag."""
    if ref.startswith("sha256:"):
        return ref
    return parse_normalized(ref).with_default_tag().familiar
