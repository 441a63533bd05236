"""The runtime's configuration: the reference's defaults, and what is refused."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from msgspec.structs import replace

from api.errors import InvalidArgument
from api.types.containers import ContainerConfig, HostConfig
from engine.core import capabilities
from engine.core.host_facts import Device, Facts
from engine.core.oci_mounts import SpecMount
from engine.core.oci_spec import (
    Namespaces,
    SpecInput,
    build_exec_process,
    build_spec,
    cgroups_path,
    check_cwd,
    merge_env,
)
from engine.core.users import User

FACTS = Facts(
    cgroup_version=2,
    controllers=frozenset({"cpu", "memory", "pids"}),
    capabilities=frozenset(capabilities.ALL),
    cpus=2,
    memory_bytes=1 << 30,
    kernel=(6, 1),
    architecture="x86_64",
)


def given_input(
    host: HostConfig | None = None, config: ContainerConfig | None = None, **more: Any
) -> SpecInput:
    """Return an input with these parts and nothing special else."""
    parts: dict[str, Any] = {
        "container_id": "c1",
        "config": config or ContainerConfig(),
        "host_config": host or HostConfig(),
        "path": "sh",
        "args": ["-c", "true"],
        "rootfs": "/root",
        "user": User(0, 0, (0,)),
        "hostname": "box",
        "facts": FACTS,
        "namespaces": Namespaces(),
        "cgroups_path": "/skep/c1",
    }
    return SpecInput(**{**parts, **more})


def mounts_of(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return mounts by destination."""
    return {mount["destination"]: mount for mount in spec["mounts"]}


def test_process_gets_fourteen_capabilities_and_none_to_inherit() -> None:
    """CVE-2022-24769: an inheritable set lets unprivileged users gain file capabilities."""
    sets = build_spec(given_input())["process"]["capabilities"]

    assert set(sets) == {"bounding", "effective", "permitted"}
    assert sorted(capabilities.DEFAULT) == sets["bounding"] == sets["effective"]


def test_user_other_than_root_has_only_a_bounding_set() -> None:
    spec = build_spec(given_input(user=User(5, 6, (6,))))

    assert list(spec["process"]["capabilities"]) == ["bounding"]
    assert spec["process"]["user"] == {"uid": 5, "gid": 6, "additionalGids": [6]}


def test_drop_all_leaves_what_is_added() -> None:
    host = HostConfig(CapDrop=["ALL"], CapAdd=["net_admin"])

    assert build_spec(given_input(host))["process"]["capabilities"]["bounding"] == ["CAP_NET_ADMIN"]


def test_unknown_capability_is_named() -> None:
    with pytest.raises(InvalidArgument, match='invalid CapAdd: unknown capability: "CAP_X"'):
        build_spec(given_input(HostConfig(CapAdd=["x"])))


def test_privileged_has_no_masks_no_filter_and_all_devices() -> None:
    disk = Device("/dev/sda", "b", 8, 0)
    spec = build_spec(given_input(HostConfig(Privileged=True), host_devices=[disk]))

    assert spec["linux"]["maskedPaths"] == spec["linux"]["readonlyPaths"] == []
    assert "seccomp" not in spec["linux"]
    assert [each["path"] for each in spec["linux"]["devices"]] == ["/dev/sda"]
    assert spec["linux"]["resources"]["devices"] == [{"allow": True, "access": "rwm"}]
    assert "ro" not in mounts_of(spec)["/sys"]["options"]


def test_devices_are_denied_before_any_is_allowed() -> None:
    rules = build_spec(given_input())["linux"]["resources"]["devices"]

    assert rules[0] == {"allow": False, "access": "rwm"}
    assert all(rule["allow"] for rule in rules[1:])


def test_default_filter_refuses_dangerous_calls() -> None:
    filtered = build_spec(given_input())["linux"]["seccomp"]
    named = {name for rule in filtered["syscalls"] for name in rule["names"]}

    assert filtered["defaultAction"] == "SCMP_ACT_ERRNO"
    assert named.isdisjoint({"io_uring_setup", "bpf", "mount", "keyctl", "userfaultfd", "reboot"})


@pytest.mark.parametrize("has_x32", [True, False])
def test_filter_speaks_of_x32_where_the_kernel_runs_it(*, has_x32: bool) -> None:
    """The runtime compiles the filter once per ABI, for every create and exec."""
    spec = build_spec(given_input(facts=dataclasses.replace(FACTS, has_x32=has_x32)))

    architectures = spec["linux"]["seccomp"]["architectures"]

    assert ("SCMP_ARCH_X32" in architectures) is has_x32
    assert {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"} <= set(architectures)


@pytest.mark.parametrize("family", range(48))
def test_filter_allows_every_address_family_but_two(family: int) -> None:
    """CVE-2026-31431: AF_ALG (38); AF_VSOCK (40) reaches the machine that hosts us."""
    rules = build_spec(given_input())["linux"]["seccomp"]["syscalls"]
    terms = [rule["args"][0] for rule in rules if rule["names"] == ["socket"]]

    allowed = any(family & term["value"] == term["valueTwo"] for term in terms)

    assert allowed is (family not in {38, 40})


def test_own_mount_takes_the_place_of_a_system_mount() -> None:
    mount = SpecMount(destination="/dev/shm", source="/host")
    spec = build_spec(given_input(mounts=[mount], files={"/etc/hosts": "/h"}))

    assert [m["source"] for m in spec["mounts"] if m["destination"] == "/dev/shm"] == ["/host"]
    assert mounts_of(spec)["/etc/hosts"]["source"] == "/h"


def test_tmpfs_is_neither_executable_nor_setuid_unless_asked() -> None:
    mount = SpecMount(destination="/t", options=["exec", "size=1m"])

    options = mounts_of(build_spec(given_input(mounts=[mount])))["/t"]["options"]

    assert options == ["nosuid", "nodev", "exec", "size=1m"]


@pytest.mark.parametrize("path", ["/proc/self/fd/7", "/proc/1/cwd/x", "/a/../proc/self/fd/3", "x"])
def test_working_directory_behind_a_descriptor_is_refused(path: str) -> None:
    """CVE-2024-21626."""
    with pytest.raises(InvalidArgument, match="the working directory"):
        check_cwd(path)


def test_init_runs_the_command() -> None:
    spec = build_spec(given_input(init_path="/usr/bin/tini"))

    assert spec["process"]["args"] == ["/sbin/docker-init", "--", "sh", "-c", "true"]
    assert mounts_of(spec)["/sbin/docker-init"]["source"] == "/usr/bin/tini"


@pytest.mark.parametrize("name", ["vm.swappiness", "kernel.core_pattern", "fs.file-max"])
def test_sysctl_of_the_host_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument, match="is not in a separate kernel namespace"):
        build_spec(given_input(HostConfig(Sysctls={name: "1"})))


def test_network_sysctl_needs_an_own_network() -> None:
    given = given_input(
        HostConfig(Sysctls={"net.core.somaxconn": "9"}), namespaces=Namespaces(network="host")
    )
    with pytest.raises(InvalidArgument, match="not allowed in host network namespace"):
        build_spec(given)


def test_host_namespaces_are_left_out_and_others_joined() -> None:
    spec = build_spec(given_input(namespaces=Namespaces(pid="host", network="/run/netns/a")))

    spaces = spec["linux"]["namespaces"]
    assert {"type": "network", "path": "/run/netns/a"} in spaces
    assert "pid" not in {space["type"] for space in spaces}


def test_variables_of_the_configuration_replace_ours_in_place() -> None:
    assert merge_env(["A=1", "B=2"], ["A=3", "C=4", "B"]) == ["A=3", "C=4"]


def test_exec_has_the_containers_rights_and_its_own_directory() -> None:
    container = given_input(HostConfig(CapDrop=["ALL"]))

    process = build_exec_process(
        container=container, command=["ls"], user=User(), cwd="/w", tty=True
    )

    assert process["capabilities"]["bounding"] == []
    assert (process["cwd"], process["terminal"]) == ("/w", True)
    assert "TERM=xterm" in process["env"]


def test_privileged_exec_has_all_capabilities() -> None:
    process = build_exec_process(
        container=given_input(), command=["ls"], user=User(), privileged=True
    )

    assert set(process["capabilities"]["bounding"]) == set(capabilities.ALL)


@pytest.mark.parametrize(
    ("option", "words"),
    [("nonsense", "invalid --security-opt 1"), ("a=b", "invalid --security-opt 2")],
)
def test_unknown_security_option_is_refused(option: str, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        build_spec(given_input(HostConfig(SecurityOpt=[option])))


def test_seccomp_profile_of_the_user_takes_effect() -> None:
    profile = (
        'seccomp={"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],'
        '"action":"SCMP_ACT_ERRNO"},{"name":"chroot","action":"SCMP_ACT_ERRNO",'
        '"excludes":{"caps":["CAP_CHOWN"]}}]}'
    )
    spec = build_spec(given_input(replace(HostConfig(), SecurityOpt=[profile])))

    assert spec["linux"]["seccomp"]["syscalls"] == [
        {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}
    ]


def test_malformed_seccomp_profile_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="Decoding seccomp profile failed"):
        build_spec(given_input(HostConfig(SecurityOpt=["seccomp=/no/json"])))


def test_cgroup_is_ours_unless_asked_and_never_above_the_root() -> None:
    assert cgroups_path("", "c1", systemd=False) == "/skep/c1"
    assert cgroups_path("../../x", "c1", systemd=False) == "/x/c1"
    with pytest.raises(InvalidArgument, match="valid slice"):
        cgroups_path("x", "c1", systemd=True)


@pytest.mark.parametrize(("has_apparmor", "profile"), [(True, "mine"), (False, None)])
def test_apparmor_profile_is_set_where_the_kernel_has_it(
    has_apparmor: bool, profile: str | None
) -> None:
    """As the reference: a kernel without it ignores profiles."""
    host = HostConfig(SecurityOpt=["apparmor=mine"])

    spec = build_spec(
        given_input(host, facts=dataclasses.replace(FACTS, has_apparmor=has_apparmor))
    )

    assert spec["process"].get("apparmorProfile") == profile
