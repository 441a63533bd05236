"""A host of a cluster whose daemon is Debian's dockerd, in a network namespace as ours are."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from bench.servers import Reference
from tests.cluster.host import Host


@dataclass
class DockerHost(Host):
    """One dockerd, with a containerd, a bridge and rules of its own."""

    @property
    def daemon(self) -> list[str]:
        """The daemon's command line, as it is in the host."""
        dockerd = shutil.which("dockerd", path=Reference.path())
        assert dockerd is not None
        return [
            # containerd leaves its stacks in TMPDIR when it is slow to start.
            "env", f"PATH={Reference.path()}", f"TMPDIR={self.root}", dockerd,
            "--config-file", str(self.root / "daemon.json"),
            "-H", self.url,
            "--data-root", str(self.root / "data"),
            "--exec-root", str(self.root / "exec"),
            "--pidfile", str(self.root / "docker.pid"),
            *self.flags,
        ]  # fmt: skip

    def start(self) -> None:
        """Start the daemon and return when it answers a ping."""
        self.root.mkdir(parents=True, exist_ok=True)
        (self.root / "daemon.json").write_text("{}")
        super().start()
