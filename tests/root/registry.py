"""Debian's docker-registry on a free loopback port, filled by skopeo; and what can go wrong on it.

Nothing here knows the daemon: tests of the engine alone use it too.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import shutil
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.root.images import ImageSpec, image_config
from tests.root.node import wait_until

BINARY = shutil.which("docker-registry")
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"


def free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def digest_of(content: bytes) -> str:
    """Return sha256:<hex>."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(frozen=True)
class Pushed:
    """What a registry holds of an image: digests of manifest, configuration and layers."""

    manifest: str
    size: int
    config: str
    layers: Sequence[str]


@dataclass(frozen=True)
class RegistryServer:
    """A registry that runs; `host` is 127.0.0.1:port."""

    host: str
    root: Path
    authorization: str = ""

    def push(
        self,
        name: str,
        tag: str,
        layers: Sequence[bytes],
        *,
        compress: bool = True,
        architecture: str = "amd64",
    ) -> Pushed:
        """Push an image of tar layers by the registry's own API, without any client of ours."""
        spec = ImageSpec([], layers, {})
        config = json.loads(image_config(spec))
        config["architecture"] = architecture
        raw = json.dumps(config).encode()
        blobs = [gzip.compress(each, 1, mtime=0) if compress else each for each in layers]
        kind = "application/vnd.docker.image.rootfs.diff.tar" + (".gzip" if compress else "")
        manifest = {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": {
                "mediaType": "application/vnd.docker.container.image.v1+json",
                "size": len(raw),
                "digest": self.push_blob(name, raw),
            },
            "layers": [
                {"mediaType": kind, "size": len(each), "digest": self.push_blob(name, each)}
                for each in blobs
            ],
        }
        document = json.dumps(manifest).encode()
        self.push_manifest(name, tag, document, DOCKER_MANIFEST)
        layers_digests = [digest_of(each) for each in blobs]
        return Pushed(digest_of(document), len(document), digest_of(raw), layers_digests)

    def push_index(self, name: str, tag: str, images: dict[str, Pushed]) -> str:
        """Push a manifest list of images by architecture; return its digest."""
        document = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": DOCKER_LIST,
                "manifests": [
                    {
                        "mediaType": DOCKER_MANIFEST,
                        "digest": image.manifest,
                        "size": image.size,
                        "platform": {"os": "linux", "architecture": architecture},
                    }
                    for architecture, image in images.items()
                ],
            }
        ).encode()
        self.push_manifest(name, tag, document, DOCKER_LIST)
        return digest_of(document)

    def push_blob(self, name: str, content: bytes, algorithm: str = "sha256") -> str:
        """Push one blob; return its digest."""
        digest = f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"
        location = self._call("POST", f"/v2/{name}/blobs/uploads/", b"", {})["Location"]
        target = location.removeprefix(f"http://{self.host}")
        target += ("&" if "?" in target else "?") + f"digest={digest}"
        self._call("PUT", target, content, {"Content-Type": "application/octet-stream"})
        return digest

    def push_manifest(self, name: str, tag: str, document: bytes, media_type: str) -> None:
        """Push a manifest of any kind under a tag."""
        self._call("PUT", f"/v2/{name}/manifests/{tag}", document, {"Content-Type": media_type})

    def blob_file(self, digest: str) -> Path:
        """Return the file that the registry keeps a blob in."""
        digits = digest.removeprefix("sha256:")
        base = self.root / "docker" / "registry" / "v2" / "blobs" / "sha256"
        return base / digits[:2] / digits / "data"

    def _call(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> dict[str, str]:
        extra = {"Authorization": self.authorization} if self.authorization else {}
        request = urllib.request.Request(
            f"http://{self.host}{path}", data=body, method=method, headers={**headers, **extra}
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return dict(answer.headers)


@contextmanager
def run_registry(auth: str = "", authorization: str = "") -> Iterator[RegistryServer]:
    """Run a registry while the block runs; `auth` is the YAML of its auth section."""
    assert BINARY is not None
    root = Path(tempfile.mkdtemp(prefix="skep-registry-"))
    host = f"127.0.0.1:{free_port()}"
    config = root / "config.yml"
    config.write_text(
        "version: 0.1\nlog: {level: error}\n"
        f"storage: {{filesystem: {{rootdirectory: {root}}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: '{host}', secret: x}}\n{auth}"
    )
    with (root / "log").open("wb") as log:
        process = subprocess.Popen([BINARY, "serve", str(config)], stdout=log, stderr=log)
    try:
        wait_until(lambda: _answers(host), f"the registry: {(root / 'log').read_text()}")
        yield RegistryServer(host, root, authorization)
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(root, ignore_errors=True)


def _answers(host: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{host}/v2/", timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def htpasswd_auth(directory: Path, user: str, password: str) -> str:
    """Return the auth section that wants a name and a password."""
    line = subprocess.run(
        ["htpasswd", "-Bbn", user, password], check=True, capture_output=True, text=True
    ).stdout
    path = directory / "htpasswd"
    path.write_text(line)
    return f"auth: {{htpasswd: {{realm: 'the \"realm\"', path: {path}}}}}\n"


@dataclass
class Meddler:
    """A TCP proxy before a registry.

    `cut_after` ends an answer after so many bytes, as often as `cuts` says; `change` may alter
    each piece that the registry sends.
    """

    target: str
    cut_after: int = 0
    cuts: int = 0
    change: Callable[[bytes], bytes] = bytes
    host: str = ""
    requests: bytes = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hand one connection through."""
        address, _, port = self.target.partition(":")
        upstream, out = await asyncio.open_connection(address, int(port))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._forth(reader, out))
                group.create_task(self._back(upstream, writer))
        except* OSError:
            pass
        finally:
            out.close()
            writer.close()

    async def _forth(self, reader: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            self.requests += data
            out.write(data)
            await out.drain()
        out.close()

    async def _back(self, upstream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent = 0
        while data := await upstream.read(65536):
            sent += len(data)
            if self.cuts and sent > self.cut_after:
                self.cuts -= 1
                writer.transport.abort()
                raise ConnectionResetError
            writer.write(self.change(data))
            await writer.drain()
        writer.close()


@asynccontextmanager
async def meddle(target: str) -> AsyncIterator[Meddler]:
    """Run a proxy before `target` while the block runs."""
    meddler = Meddler(target)
    server = await asyncio.start_server(meddler.serve, "127.0.0.1", 0)
    meddler.host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield meddler
    finally:
        server.close()
