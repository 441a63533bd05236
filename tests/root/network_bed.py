"""A networks environment on the real kernel, with names of its own, and what it leaves behind."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from api.types.networks import EndpointSettings, PortBinding
from engine.adapters.clock import SystemClock
from engine.adapters.dns_server import DnsServers
from engine.adapters.esp import KernelEsp
from engine.adapters.health_ports import HealthServers
from engine.adapters.host_ports import BoundPorts
from engine.adapters.links import KernelLinks
from engine.adapters.nftables import Nftables
from engine.adapters.overlays import KernelOverlays
from engine.adapters.sandbox_nft import SandboxNft
from engine.adapters.tracked_flows import KernelFlows
from engine.events.bus import EventBus
from engine.networks.env import NetworksEnv, OverlayPart
from engine.networks.overlay_state import OverlayState
from engine.networks.restore import restore
from engine.networks.sandbox import SandboxRequest
from engine.networks.shut_down import shut_down
from engine.networks.store import NetworkStore
from engine.settings import LiveSettings, Settings
from tests import lane
from tests.fakes.records import FakeRecords


@dataclass
class Bed:
    """The environment, with records that outlive `restart`."""

    root: Path
    settings: Settings
    records: FakeRecords
    env: NetworksEnv

    def namespace(self, container_id: str) -> str:
        """Return the path of a container's namespace."""
        return self.env.links.namespace_path(container_id)

    def leftovers(self) -> dict[str, object]:
        """Return what containers have in the kernel."""
        ports = run("ip", "-o", "link", "show", "master", self.settings.bridge).stdout
        netns = self.root / "netns"
        return {
            "ports": ports.splitlines(),
            "namespaces": sorted(each.name for each in netns.iterdir()) if netns.is_dir() else [],
            "published": self.published(),
        }

    def published(self) -> list[object]:
        """Return the elements of the publication maps."""
        listed = run("nft", "-j", "list", "table", "inet", self.settings.firewall_table)
        assert listed.returncode == 0, listed.stderr
        items = json.loads(listed.stdout)["nftables"]
        maps = [item["map"] for item in items if "map" in item]
        return [element for each in maps for element in each.get("elem", [])]

    async def restart(self, running: list[str]) -> None:
        """Let the daemon be killed and started again, with these containers running."""
        self._drop_sockets()
        self.env = new_env(self.settings, self.records, self.root)
        await restore(self.env, running)

    def _drop_sockets(self) -> None:
        assert isinstance(self.env.reservations, BoundPorts)
        self.env.reservations.close()
        assert isinstance(self.env.name_servers, DnsServers)
        self.env.name_servers.close_all()

    async def destroy(self) -> None:
        """Take everything away; the next bed has links of the same names."""
        self._drop_sockets()
        for key in await self.env.links.namespaces():
            box = self.env.store.sandbox(key)
            links = [each.link for each in box.endpoints if each.link] if box is not None else []
            await self.env.links.close_namespace(key, links)
        for box in self.env.store.all_sandboxes():
            self.env.store.let_go(box.container_id)
        await shut_down(self.env)
        for network in self.env.store.all():
            if network.bridge:
                await self.env.links.remove_bridge(network.bridge)
        shutil.rmtree(self.root)


async def new_bed(**changes: object) -> Bed:
    """Return a bed with a bridge and a table of its own, set up."""
    name = secrets.token_hex(3)
    root = Path(tempfile.mkdtemp(prefix=f"d-net-{name}-"))
    settings = Settings(
        bridge=f"d-{name}",
        firewall_table=f"d-net-{name}",
        exec_root=root,
        address_pools=(lane.POOL,),
        **changes,  # type: ignore[arg-type]  # the caller names fields of Settings
    )
    records = FakeRecords()
    env = new_env(settings, records, root)
    await restore(env, [])
    return Bed(root, settings, records, env)


def new_env(settings: Settings, records: FakeRecords, root: Path) -> NetworksEnv:
    """Return an environment on the real kernel."""
    return NetworksEnv(
        LiveSettings(settings),
        NetworkStore(records),
        KernelLinks(root / "netns"),
        Nftables(settings.firewall_table),
        BoundPorts(),
        EventBus(SystemClock()),
        DnsServers(),
        OverlayPart(
            KernelOverlays(root / "overlay"),
            SandboxNft(),
            KernelFlows(),
            KernelEsp(f"{settings.firewall_table}-esp"),
            OverlayState(),
            HealthServers(),
        ),
    )


def request(
    container_id: str, ports: dict[str, list[PortBinding] | None] | None = None, **endpoints: str
) -> SandboxRequest:
    """Return a request on the default bridge, or on the networks named by keyword."""
    return SandboxRequest(
        container_id=container_id,
        container_name=container_id,
        hostname=container_id,
        endpoints={name: EndpointSettings() for name in endpoints or ("bridge",)},
        port_bindings=ports or {},
    )


def run(*command: str, stdin: str = "", timeout_s: float = 10) -> subprocess.CompletedProcess[str]:
    """Run a program and return what it said."""
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False
    )
