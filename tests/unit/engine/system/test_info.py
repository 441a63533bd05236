"""What `docker info` and `docker version` print must be true."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from engine.events.bus import EventBus
from engine.settings import AddressPool, LiveSettings, Settings
from engine.system.env import Counts, SystemEnv
from engine.system.info import info
from engine.system.version import version
from tests.fakes.clock import FakeClock
from tests.fakes.host import FakeHost, machine_without


def environment(settings: Settings | None = None, host: FakeHost | None = None) -> SystemEnv:
    """Return a system with three containers and two images."""
    clock = FakeClock()
    return SystemEnv(
        settings=LiveSettings(settings or Settings()),
        events=EventBus(clock),
        clock=clock,
        host=host or FakeHost(),
        version="0.1.0",
        counts=lambda: Counts(running=1, paused=0, stopped=2, images=2),
    )


async def test_counts_are_of_this_moment() -> None:
    env = environment()
    listener = env.events.listen()

    found = await info(env)

    assert (3, 1, 0, 2) == (
        found.Containers,
        found.ContainersRunning,
        found.ContainersPaused,
        found.ContainersStopped,
    )
    assert (2, 1) == (found.Images, found.NEventsListener)
    listener.close()


async def test_settings_are_shown() -> None:
    settings = Settings(
        data_root=Path("/srv/skep"),
        labels=("rack=7",),
        live_restore=False,
        address_pools=(AddressPool("10.1.0.0/16", 24),),
    )

    found = await info(environment(settings))

    assert ("/srv/skep", ["rack=7"], False) == (
        found.DockerRootDir,
        found.Labels,
        found.LiveRestoreEnabled,
    )
    assert found.DefaultAddressPools
    assert ("10.1.0.0/16", 24) == (
        found.DefaultAddressPools[0].Base,
        found.DefaultAddressPools[0].Size,
    )
    assert "runc" == found.DefaultRuntime
    assert "2023-11-14T22:13:20.000000000Z" == found.SystemTime


async def test_registries_are_parted_into_networks_and_names() -> None:
    settings = Settings(
        insecure_registries=("10.0.0.0/8", "registry.lan:5000"),
        registry_mirrors=("https://mirror.lan",),
    )

    found = (await info(environment(settings))).RegistryConfig

    assert ["::1/128", "127.0.0.0/8", "10.0.0.0/8"] == found.InsecureRegistryCIDRs
    assert not found.IndexConfigs["registry.lan:5000"].Secure
    assert ["https://mirror.lan"] == found.IndexConfigs["docker.io"].Mirrors


async def test_lacking_limits_are_warned_of() -> None:
    host = FakeHost(machine_without("swap", "pids"), is_forwarding=False)

    found = await info(environment(host=host))

    assert [
        "WARNING: No swap limit support",
        "WARNING: No pids limit support",
        "WARNING: IPv4 forwarding is disabled",
    ] == found.Warnings
    assert not found.SwapLimit
    assert not found.IPv4Forwarding


async def test_machine_with_everything_has_no_warnings() -> None:
    assert [] == (await info(environment())).Warnings


async def test_security_options_follow_the_settings() -> None:
    settings = Settings(no_new_privileges=True, seccomp_profile="/etc/skep/seccomp.json")

    found = await info(environment(settings))

    assert [
        "name=seccomp,profile=/etc/skep/seccomp.json",
        "name=cgroupns",
        "name=no-new-privileges",
    ] == found.SecurityOptions


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://proxy:3128", "http://proxy:3128"),
        ("http://me:secret@proxy:3128", "http://xxxxx:xxxxx@proxy:3128"),
        ("http://me:se@cret@proxy:3128/x", "http://xxxxx:xxxxx@proxy:3128/x"),
    ],
)
async def test_proxy_credentials_are_masked(
    monkeypatch: pytest.MonkeyPatch, address: str, shown: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", address)

    assert shown == (await info(environment())).HttpProxy


async def test_info_is_encoded_with_the_names_of_the_api() -> None:
    encoded = msgspec.to_builtins(await info(environment()))

    assert "inactive" == encoded["Swarm"]["LocalNodeState"]
    assert {"runc": {"path": "runc"}, "crun": {"path": "crun"}} == encoded["Runtimes"]
    assert {"NCPU", "MemTotal", "CPUShares", "CpuCfsQuota", "IPv4Forwarding"} <= set(encoded)


async def test_version_tells_what_it_stands_on() -> None:
    found = await version(environment())

    assert ("0.1.0", "1.56", "1.24", "linux", "amd64", "6.1.0-test", "1234567") == (
        found.Version,
        found.ApiVersion,
        found.MinAPIVersion,
        found.Os,
        found.Arch,
        found.KernelVersion,
        found.GitCommit,
    )
    assert [("Engine", "0.1.0"), ("runc", "1.1.5"), ("conmon", "2.1.6")] == [
        (each.Name, each.Version) for each in found.Components
    ]


async def test_drivers_that_there_are_are_named() -> None:
    """A swarm gives a task that wants one of them only to nodes that name it."""
    found = (await info(environment())).Plugins

    assert ["json-file", "local"] == found.Log
    assert ["bridge", "host", "ipvlan", "macvlan", "null", "overlay"] == found.Network
