"""Images whose blobs are named by sha512: kept, run, saved and sent by those names."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest

from tests.root.images import ImageSpec, busybox_layer, image_config
from tests.root.node import Node
from tests.root.registry import BINARY, RegistryServer, run_registry

OCI = "application/vnd.oci.image"
LABELS = {"Labels": {"named": "long"}}


def sha512(content: bytes) -> str:
    """Return sha512:<hex>."""
    return f"sha512:{hashlib.sha512(content).hexdigest()}"


def descriptor(kind: str, content: bytes, **more: Any) -> dict[str, Any]:
    """Return what a blob is called by others."""
    return {"mediaType": f"{OCI}.{kind}", "digest": sha512(content), "size": len(content), **more}


def manifest(config: bytes, layer: bytes, kind: str = "layer.v1.tar+gzip") -> bytes:
    """Return the manifest of one layer."""
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": descriptor("config.v1+json", config),
            "layers": [descriptor(kind, layer)],
        }
    ).encode()


def layout(name: str, *, damage: bool = False, compress: bool = True) -> bytes:
    """Return an OCI layout of a busybox image, of sha512 names alone."""
    plain = busybox_layer()
    layer = gzip.compress(plain, 1, mtime=0) if compress else plain
    config = image_config(ImageSpec([], [plain], LABELS))
    kind = "layer.v1.tar+gzip" if compress else "layer.v1.tar"
    document = manifest(config, layer, kind)
    named = {"annotations": {"io.containerd.image.name": f"docker.io/library/{name}"}}
    top = descriptor("manifest.v1+json", document, **named)
    index = json.dumps({"schemaVersion": 2, "manifests": [top]}).encode()
    members = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": index}
    for blob in (layer, config, document):
        content = blob + b"x" if damage and blob is layer else blob
        members["blobs/" + sha512(blob).replace(":", "/")] = content
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, content in members.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def registry() -> Iterator[RegistryServer]:
    """Lend a registry without authentication."""
    if BINARY is None:
        pytest.skip("needs docker-registry")
    with run_registry() as server:
        yield server


@pytest.mark.parametrize("compress", [True, False])
def test_a_layout_of_sha512_names_is_loaded_run_and_saved(daemon: Node, *, compress: bool) -> None:
    """The image's own id stays sha256; what names a blob keeps its name."""
    blobs = daemon.root / "data" / "images" / "blobs" / "sha512"
    daemon.docker("load", stdin=layout("long:1", compress=compress))

    image_id = daemon.docker("image", "inspect", "-f", "{{.Id}}", "long:1").stdout.strip()
    assert image_id.startswith("sha256:")
    assert "hello\n" == daemon.docker("run", "--rm", "long:1", "echo", "hello").stdout
    assert 3 == len(list(blobs.iterdir()))
    saved = b"".join(daemon.api().images.get("long:1").save(named=True))
    daemon.docker("rmi", "long:1")
    assert [] == list(blobs.iterdir())
    daemon.docker("load", stdin=saved)
    assert image_id == daemon.docker("image", "inspect", "-f", "{{.Id}}", "long:1").stdout.strip()
    # The archive's manifest.json goes before its index: of its names the layer's is kept.
    assert 1 == len(list(blobs.iterdir()))
    daemon.docker("rmi", "long:1")


def test_a_damaged_blob_of_a_layout_is_refused(daemon: Node) -> None:
    done = daemon.docker("load", stdin=layout("bad:1", damage=True), check=False)

    assert "does not have the digest or size it claims" in done.stderr
    assert [] == list((daemon.root / "data" / "images" / "blobs" / "sha512").iterdir())


def test_blobs_are_pulled_and_pushed_by_their_names(daemon: Node, registry: RegistryServer) -> None:
    plain = busybox_layer()
    layer, config = gzip.compress(plain, 1, mtime=0), image_config(ImageSpec([], [plain], LABELS))
    for blob in (layer, config):
        assert sha512(blob) == registry.push_blob("long", blob, "sha512")
    registry.push_manifest("long", "1", manifest(config, layer), f"{OCI}.manifest.v1+json")
    source, target = f"{registry.host}/long:1", f"{registry.host}/copy:1"

    daemon.docker("pull", source)
    daemon.docker("tag", source, target)
    daemon.docker("push", target)
    daemon.docker("rmi", source, target)

    assert "hello\n" == daemon.docker("run", "--rm", target, "echo", "hello").stdout
    daemon.docker("rmi", target)
