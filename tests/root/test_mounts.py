"""Mounts of every type in real containers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.root.node import Node, wait_until


def _mount(node: Node, spec: str, script: str) -> str:
    return node.docker("run", "--rm", "--mount", spec, "busybox", "sh", "-c", script).stdout


def test_a_read_only_bind_is_so_to_its_depth(daemon: Node, tmp_path: Path) -> None:
    """Docker 25: what is mounted inside is read-only too, unless it is asked for otherwise."""
    inner = tmp_path / "inner"
    inner.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "m-inner", inner], check=True)
    script = "touch /x/inner/f && echo written || echo refused"
    spec = f"type=bind,src={tmp_path},dst=/x,readonly"

    try:
        deep = _mount(daemon, spec, script)
        shallow = _mount(daemon, f"{spec},bind-recursive=writable", script)
        alone = _mount(daemon, f"{spec},bind-recursive=disabled", "ls /x/inner | wc -l")
    finally:
        subprocess.run(["umount", inner], check=True)

    assert (deep, shallow, alone) == ("refused\n", "written\n", "0\n")


def test_a_subpath_of_a_volume(daemon: Node) -> None:
    """A directory or a file; what lies beside it is not seen."""
    _mount(
        daemon,
        "type=volume,src=m-sub,dst=/v",
        "mkdir -p /v/a/b; echo hi > /v/a/b/f; echo no > /v/n",
    )

    shown = _mount(daemon, "type=volume,src=m-sub,dst=/x,volume-subpath=a/b", "ls /x; cat /x/f")
    file = _mount(daemon, "type=volume,src=m-sub,dst=/y,volume-subpath=n", "cat /y")

    assert (shown, file) == ("f\nhi\n", "no\n")


def test_a_missing_subpath_is_refused(daemon: Node) -> None:
    """Docker makes none."""
    spec = "type=volume,src=m-sub2,dst=/x,volume-subpath=nope"
    done = daemon.docker("run", "--rm", "--mount", spec, "busybox", check=False)

    assert "cannot access path" in done.stderr
    assert "no such file or directory" in done.stderr


def test_a_subpath_swapped_for_a_link_never_shows_the_host(daemon: Node, tmp_path: Path) -> None:
    """Attack, CVE-2021-25741: another container of the volume exchanges it in a loop."""
    (tmp_path / "secret").write_text("secret")
    swap = (
        f"cd /v; mkdir -p real; ln -s {tmp_path} link; cp -a real sub; touch ready;"
        "while true; do mv sub old; cp -a link sub; mv sub old2; mv old sub; rm old2; done"
    )
    daemon.docker("run", "-d", "--name", "m-swap", "-v", "m-race:/v", "busybox", "sh", "-c", swap)
    spec = "type=volume,src=m-race,dst=/x,volume-subpath=sub"

    shown = [
        daemon.docker("run", "--rm", "--mount", spec, "busybox", "ls", "/x", check=False).stdout
        for _ in range(8)
    ]
    daemon.docker("rm", "-f", "m-swap")

    assert "secret" not in "".join(shown)


def test_a_mount_point_swapped_for_a_link_never_reaches_the_host(
    daemon: Node, tmp_path: Path
) -> None:
    """Attack, CVE-2023-27561's kin: a mount inside a volume whose place is exchanged in a loop."""
    outside = tmp_path / "outside"
    outside.mkdir()
    swap = (
        f"cd /v; mkdir -p p; ln -s {outside} link;"
        "while true; do mv p old; cp -a link p; mv p old2; mv old p; rm old2; done"
    )
    daemon.docker("run", "-d", "--name", "m-swap2", "-v", "m-race2:/v", "busybox", "sh", "-c", swap)

    for _ in range(8):
        daemon.docker(
            "run", "--rm", "-v", "m-race2:/v", "--tmpfs", "/v/p", "busybox",
            "sh", "-c", "touch /v/p/from-inside", check=False,
        )  # fmt: skip
        assert list(outside.iterdir()) == []
        assert str(outside) not in Path("/proc/self/mountinfo").read_text()
    daemon.docker("rm", "-f", "m-swap2")


def test_an_image_is_mounted_read_only(daemon: Node) -> None:
    """Whole and in part; it cannot be removed while a container has it."""
    daemon.docker("tag", "busybox", "m-image:1")
    whole = _mount(
        daemon, "type=image,src=m-image:1,dst=/i", "ls /i/bin/busybox; touch /i/x || true"
    )
    part = _mount(daemon, "type=image,src=m-image:1,dst=/i,image-subpath=bin", "ls /i/busybox")

    assert (whole, part) == ("/i/bin/busybox\n", "/i/busybox\n")
    views = str(daemon.root / "exec" / "mounts")
    wait_until(lambda: views not in Path("/proc/self/mountinfo").read_text(), "the views to go")


def test_missing_bind_sources(daemon: Node, tmp_path: Path) -> None:
    """--mount refuses them unless told to make them; -v makes them."""
    spec = f"type=bind,src={tmp_path}/no,dst=/x"

    done = daemon.docker("run", "--rm", "--mount", spec, "busybox", check=False)
    _mount(daemon, f"{spec},bind-create-src", "true") if _cli_can_create(daemon) else None
    daemon.docker("run", "--rm", "-v", f"{tmp_path}/made:/x", "busybox")

    assert f"bind source path does not exist: {tmp_path}/no" in done.stderr
    assert (tmp_path / "made").is_dir()


def _cli_can_create(node: Node) -> bool:
    return "bind-create-src" in node.docker("run", "--help").stdout


def test_a_tmpfs_has_its_size_and_mode(daemon: Node) -> None:
    """As asked for."""
    spec = "type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=0700"

    shown = _mount(daemon, spec, "stat -c %a /t; df -k /t | tail -1 | awk '{print $2}'")

    assert shown == "700\n1024\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-v", "va:relative"), "mount path must be absolute"),
        (("-v", "va:/"), "destination can't be '/'"),
        (("-v", "/tmp:/x:nocopy"), "field VolumeOptions must not be specified"),
        (("-v", "va:/y:shared"), "field BindOptions must not be specified"),
        (("-v", "/tmp:/x:ro,rw"), "invalid mode: ro,rw"),
        (("--mount", "type=image,src=nope,dst=/x"), "No such image: nope"),
    ],
)
def test_mounts_without_sense_are_refused(
    daemon: Node, arguments: tuple[str, ...], words: str
) -> None:
    """In Docker's words."""
    done = daemon.docker("create", *arguments, "busybox", check=False)

    assert words in done.stderr


def test_options_of_the_local_driver(daemon: Node) -> None:
    """A tmpfs by a volume; a quota is refused; a second creation changes nothing."""
    options = ["--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=size=1m"]
    daemon.docker("volume", "create", *options, "m-opt")

    shown = daemon.docker(
        "run", "--rm", "-v", "m-opt:/v", "busybox", "sh", "-c", "df -k /v | tail -1"
    )
    refused = daemon.docker("volume", "create", "--opt", "size=10m", "m-quota", check=False)
    again = daemon.docker("volume", "create", "--opt", "type=nfs", "--opt", "device=:/x", "m-opt")

    assert "1024" in shown.stdout
    assert "create m-quota: quota size requested but no quota support" in refused.stderr
    assert again.stdout == "m-opt\n"


def test_an_image_that_is_mounted_stays_usable(daemon: Node) -> None:
    """Docker's conflict; and even a forced removal leaves the layers to the container."""
    daemon.docker("run", "--name", "m-from", "busybox", "touch", "/mine")
    daemon.docker("commit", "m-from", "m-held:1")
    spec = "type=image,src=m-held:1,dst=/i"
    daemon.docker("create", "--name", "m-holder", "--mount", spec, "busybox", "ls", "/i/mine")

    refused = daemon.docker("rmi", "m-held:1", check=False)
    daemon.docker("rmi", "-f", "m-held:1")

    assert "conflict: unable to remove repository reference" in refused.stderr
    assert daemon.docker("start", "-a", "m-holder").stdout == "/i/mine\n"


def test_a_volume_over_proc_is_refused(daemon: Node) -> None:
    """Attack, CVE-2019-19921: nothing of the kernel's may be covered by what a container wrote."""
    done = daemon.docker("run", "--rm", "-v", "m-proc:/proc", "busybox", "echo", "ran", check=False)

    assert done.returncode != 0
    assert done.stdout == ""
