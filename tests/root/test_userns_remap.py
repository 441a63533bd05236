"""User namespaces: root of a container is a subordinate user of the host, and its files are too."""

from __future__ import annotations

import io
import json
import os
import shutil
import struct
import tarfile
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from docker.errors import APIError

from tests.root.conftest import new_node, with_busybox
from tests.root.images import BUSYBOX, ImageFile, ImageSpec, busybox_layer, docker_archive
from tests.root.node import Node
from tests.root.subordinates import Subordinates, lent_subordinates

_SLEEP = ("busybox", "sleep", "1000")
_WWW = 33
# Permitted and effective: CAP_SETUID, in the form that holds in every namespace.
_CAPABILITY = struct.pack("<5I", 0x02000001, 1 << 7, 0, 0, 0)


@pytest.fixture(scope="module")
def ids() -> Iterator[Subordinates]:
    """Lend a user with subordinate ids."""
    with lent_subordinates() as lent:
        yield lent


@pytest.fixture(scope="module")
def remapping_daemon(ids: Subordinates) -> Iterator[Node]:
    """Lend a daemon that remaps, to the whole module."""
    with with_busybox(remapping_node(ids)) as node:
        yield node


@pytest.fixture
def node(remapping_daemon: Node) -> Iterator[Node]:
    """Lend the remapping daemon; what a test leaves is removed behind it."""
    yield remapping_daemon
    remapping_daemon.remove_containers()


def remapping_node(ids: Subordinates) -> Node:
    """Return a daemon, not started yet, that remaps to a user's ids."""
    node = new_node("--userns-remap", ids.user)
    node.root.chmod(0o711)
    return node


def pid_of(node: Node, ref: str) -> int:
    """Return the host's number of a container's first process."""
    return int(node.docker("inspect", "-f", "{{.State.Pid}}", ref).stdout)


def archive_of(node: Node, ref: str, path: str) -> tarfile.TarFile:
    """Return the tar of a path of a container."""
    chunks, _ = node.api().containers.get(ref).get_archive(path)
    return tarfile.open(fileobj=io.BytesIO(b"".join(chunks)))


def test_root_of_a_container_is_a_subordinate_of_the_host(node: Node, ids: Subordinates) -> None:
    node.docker("run", "-d", "--name", "box", *_SLEEP)

    assert ids.first == Path(f"/proc/{pid_of(node, 'box')}").stat().st_uid
    assert "0" == node.docker("exec", "box", "id", "-u").stdout.strip()
    assert "33" == node.docker("exec", "-u", "www", "box", "id", "-u").stdout.strip()
    table = node.docker("exec", "box", "cat", "/proc/self/gid_map").stdout.split()
    assert ["0", str(ids.first), "65536"] == table
    assert 0 == Path("/dev/null").stat().st_uid


def test_info_tells_of_the_namespace_and_its_data_root(node: Node, ids: Subordinates) -> None:
    info = json.loads(node.docker("info", "-f", "{{json .}}").stdout)

    assert "name=userns" in info["SecurityOptions"]
    assert str(node.root / "data" / f"{ids.first}.{ids.first}") == info["DockerRootDir"]


def test_a_container_sees_its_files_as_the_image_has_them(node: Node) -> None:
    shown = node.docker(
        "run", "--rm", "busybox", "stat", "-c", "%u:%g %n",
        "/", "/bin/busybox", "/etc/hosts", "/etc/resolv.conf", "/tmp", "/dev/shm",
    ).stdout.split("\n")  # fmt: skip

    assert {"0:0"} == {line.split()[0] for line in shown if line}


def test_what_a_container_writes_is_its_users_on_the_host(
    node: Node, ids: Subordinates, tmp_path: Path
) -> None:
    """Volumes, binds made on the way, tmpfs, the files of /etc."""
    made = node.root / "made" / "here"
    node.docker(
        "run", "--rm", "-v", "written:/v", "-v", f"{made}:/b", "--tmpfs", "/t:uid=33,size=1m",
        "busybox", "sh", "-ec",
        "touch /v/f /b/f; chown 33 /v/f; echo x >> /etc/hosts; test 33 = $(stat -c %u /t)",
    )  # fmt: skip
    volume = Path(node.docker("volume", "inspect", "-f", "{{.Mountpoint}}", "written").stdout[:-1])

    assert ids.first == volume.stat().st_uid
    assert ids.first + _WWW == (volume / "f").stat().st_uid
    owners = [each.stat().st_uid for each in (made, made.parent, made / "f")]
    shutil.rmtree(made.parent)
    assert [ids.first] * 3 == owners


def test_an_image_fills_a_volume_with_owners_mapped_once(node: Node) -> None:
    layer = [busybox_layer(), _layer_of(ImageFile("data/f", b"x", 0o640, _WWW, _WWW))]
    node.docker("load", stdin=docker_archive([ImageSpec(["filled:1"], layer)]))

    shown = node.docker("run", "--rm", "-v", "/data", "filled:1", "stat", "-c", "%u:%g", "/data/f")

    assert "33:33" == shown.stdout.strip()


@pytest.mark.parametrize("is_running", [True, False])
@pytest.mark.parametrize("size", [3, 2 << 20])
def test_copies_speak_of_the_containers_own_users(
    node: Node, size: int, *, is_running: bool
) -> None:
    """In both directions, through the short way and through the process for large files."""
    node.docker("create", "--name", "box", *_SLEEP)
    if is_running:
        node.docker("start", "box")
    upload = _layer_of(ImageFile("f", bytes(size), 0o600, _WWW, _WWW))
    assert node.api().containers.get("box").put_archive("/tmp", upload)

    member = archive_of(node, "box", "/tmp/f").getmembers()[0]

    assert (_WWW, _WWW, size) == (member.uid, member.gid, member.size)
    chunks: Iterator[bytes] = node.api().containers.get("box").export()  # type: ignore[assignment]  # the stubs say str
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tree:
        assert _WWW == tree.getmember("tmp/f").uid


def test_an_owner_beyond_the_range_is_refused(node: Node) -> None:
    """Such an image cannot be had, in the reference engine's words."""
    layer = _layer_of(ImageFile("f", b"x", 0o644, 70_000, 0))

    done = node.docker("load", stdin=docker_archive([ImageSpec(["far:1"], [layer])]), check=False)

    assert "Container ID 70000 cannot be mapped to a host ID" in done.stderr + done.stdout


def test_the_kernels_own_files_are_out_of_reach_of_copies(node: Node) -> None:
    node.docker("run", "-d", "--name", "box", *_SLEEP)

    done = node.docker("cp", "box:/proc/version", "-", check=False)

    assert "Could not find the file /proc/version" in done.stderr


def test_a_commit_has_the_containers_own_users(node: Node, ids: Subordinates) -> None:
    node.docker("run", "--name", "box", "busybox", "sh", "-c", "touch /a /b; chown 33:29 /b")
    node.docker("commit", "box", "made:1")

    shown = node.docker("run", "--rm", "made:1", "stat", "-c", "%u:%g", "/a", "/b").stdout.split()
    saved = b"".join(node.api().images.get("made:1").save())

    assert ["0:0", "33:29"] == shown
    assert b"%o" % ids.first not in saved
    assert ["A /a", "A /b"] == node.docker("diff", "box").stdout.splitlines()


def test_capabilities_of_files_hold_inside_and_travel_in_images(node: Node) -> None:
    """Those that hold everywhere would not in a user namespace that did not set them."""
    layer = _layer_of(ImageFile("bin/busybox-setuid", BUSYBOX.read_bytes()), _CAPABILITY)
    node.docker("load", stdin=docker_archive([ImageSpec(["able:1"], [busybox_layer(), layer])]))

    node.docker("create", "--name", "box", "able:1")
    command = ("/bin/busybox-setuid", "grep", "CapEff", "/proc/self/status")
    held = node.docker("run", "--rm", "-u", "www", "able:1", *command).stdout

    assert 1 << 7 == int(held.split()[1], 16)
    member = archive_of(node, "box", "/bin/busybox-setuid").getmembers()[0]
    carried = member.pax_headers["SCHILY.xattr.security.capability"]
    assert _CAPABILITY == carried.encode("utf-8", "surrogateescape")


def test_published_ports_and_joined_namespaces_work(node: Node) -> None:
    node.docker(
        "run", "-d", "--name", "web", "-p", "127.0.0.1::80", "busybox",
        "sh", "-c", "echo hello > index.html && httpd -f -p 80",
    )  # fmt: skip
    port = node.docker("port", "web", "80").stdout.rpartition(":")[2].strip()

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
        assert b"hello\n" == answer.read()
    joined = ("run", "--rm", "--network", "container:web", "busybox")
    assert "hello\n" == node.docker(*joined, "wget", "-qO-", "127.0.0.1").stdout
    seen = node.docker("run", "--rm", "--pid", "container:web", "busybox", "ps").stdout
    assert "httpd -f" in seen


def test_a_network_can_be_connected_and_named(node: Node) -> None:
    node.docker("network", "create", "mapped")
    node.docker("run", "-d", "--name", "box", "--network", "mapped", *_SLEEP)
    node.docker("run", "-d", "--name", "late", *_SLEEP)
    try:
        node.docker("network", "connect", "mapped", "late")
        assert "box" in node.docker("exec", "late", "nslookup", "box").stdout
    finally:
        node.remove_containers()
        node.docker("network", "rm", "mapped")


def test_root_of_a_container_is_master_of_its_own_network_alone(node: Node) -> None:
    allowed = ("run", "--rm", "--cap-add", "NET_ADMIN", "busybox", "sh", "-ec")

    node.docker(*allowed, "ip link set eth0 mtu 1400; ip link show eth0 | grep 'mtu 1400'")
    node.docker("run", "--rm", "--sysctl", "net.ipv4.ip_forward=0", "busybox", "true")
    done = node.docker("run", "--rm", "--cap-add", "MKNOD", "busybox", "mknod", "/d", "b", "7", "0",
                       check=False)  # fmt: skip

    assert "Operation not permitted" in done.stderr


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--privileged"], "privileged mode is incompatible with user namespaces.  You must run"),
        (["--network", "host"], "cannot share the host's network namespace when user namespaces"),
        (["--pid", "host"], "cannot share the host PID namespace when user namespaces are enabled"),
    ],
)
def test_what_a_user_namespace_forbids_is_refused_but_in_the_hosts(
    node: Node, flags: list[str], words: str
) -> None:
    done = node.docker("run", "--rm", *flags, "busybox", "true", check=False)

    assert words in done.stderr
    node.docker("run", "--rm", "--userns", "host", *flags, "busybox", "true")


def test_the_hosts_user_namespace_can_be_chosen(node: Node, ids: Subordinates) -> None:
    """Its root is the host's; the image's files stay those of the remapped root, as in Docker."""
    node.docker("run", "-d", "--name", "plain", "--userns", "host", *_SLEEP)
    node.docker("exec", "plain", "touch", "/mine")
    owners = node.docker(
        "exec", "plain", "stat", "-c", "%u", "/bin/busybox", "/mine"
    ).stdout.split()
    node.docker("commit", "plain", "plain:1")

    assert 0 == Path(f"/proc/{pid_of(node, 'plain')}").stat().st_uid
    assert [str(ids.first), "0"] == owners
    assert "host" == node.docker("inspect", "-f", "{{.HostConfig.UsernsMode}}", "plain").stdout[:-1]
    shown = node.docker("run", "--rm", "plain:1", "stat", "-c", "%u", "/mine").stdout.strip()
    assert "0" == shown
    done = node.docker("run", "--rm", "--pid", "container:plain", "busybox", "true", check=False)
    assert "is in the host's user namespace" in done.stderr


def test_containers_live_through_a_kill_of_the_daemon(ids: Subordinates) -> None:
    with with_busybox(remapping_node(ids)) as node:
        node.docker("run", "-d", "--name", "box", *_SLEEP)
        pid = pid_of(node, "box")
        node.kill()
        node.start()

        assert pid == pid_of(node, "box")
        assert "0" == node.docker("exec", "box", "id", "-u").stdout.strip()
        node.docker("restart", "-t", "0", "box")
        node.docker("rm", "-f", "box")
        assert [] == os.listdir(node.root / "exec" / "userns")
        assert not any(node.leftovers().values())


def test_the_mapping_stays_while_containers_run(ids: Subordinates) -> None:
    """Another data root would not know them, and would end them as strangers."""
    node = remapping_node(ids)
    with with_busybox(node):
        node.docker("run", "-d", "--name", "box", *_SLEEP)
        node.stop()
        node.flags = ()
        with pytest.raises(AssertionError, match="start the daemon as before"):
            node.start()
        node.flags = ("--userns-remap", ids.user)
        node.start()

        assert "true" == node.docker("inspect", "-f", "{{.State.Running}}", "box").stdout.strip()


def test_root_of_containers_can_change_nothing_but_their_files(
    node: Node, ids: Subordinates
) -> None:
    """Row 29: a remapped root on the host rewrites no file of ours (CVE-2021-21284)."""
    node.docker("run", "-d", "--name", "box", "-v", "kept:/v", *_SLEEP)
    data = node.root / "data"
    own = _own_trees(data / f"{ids.first}.{ids.first}")

    changed = _reached(ids.first, _walk(node.root), os.W_OK)

    assert changed
    assert [] == [each for each in changed if not any(each.is_relative_to(tree) for tree in own)]


def test_no_stranger_walks_the_data_root(node: Node, ids: Subordinates) -> None:
    """Row 28: a set-user-id file of a layer is out of the host's users' reach (CVE-2021-41091)."""
    node.docker("run", "-d", "--name", "box", "-v", "kept:/v", *_SLEEP)
    data = node.root / "data"

    reached = _reached(65534, _walk(data), os.F_OK)

    assert [data] == reached


def _layer_of(file: ImageFile, capability: bytes = b"") -> bytes:
    """Return a tar of one file, with capabilities if any are given."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        entry = tarfile.TarInfo(file.path)
        entry.mode, entry.uid, entry.gid = file.mode, file.uid, file.gid
        assert isinstance(file.content, bytes)
        entry.size = len(file.content)
        if capability:
            text = capability.decode("utf-8", "surrogateescape")
            entry.pax_headers = {"SCHILY.xattr.security.capability": text}
        tar.addfile(entry, io.BytesIO(file.content))
    return buffer.getvalue()


def _walk(top: Path) -> Iterator[Path]:
    """Yield a directory and all that root finds below it."""
    yield top
    for directory, names, files in os.walk(top):
        for name in (*names, *files):
            yield Path(directory, name)


def _own_trees(root: Path) -> list[Path]:
    """Return what containers may change: their trees, volumes and three files of /etc."""
    volumes = [each / "_data" for each in (root / "volumes").iterdir()]
    roots = [each / part for each in (root / "roots").iterdir() for part in ("upper", "merged")]
    files = ("hosts", "hostname", "resolv.conf")
    etc = [each / name for each in (root / "containers").iterdir() for name in files]
    return [*volumes, *roots, *etc]


def _reached(uid: int, paths: Iterable[Path], rights: int) -> list[Path]:
    """Return what a process of a user (and group) of the host has these rights to; links aside."""
    told = [path for path in paths if not path.is_symlink()]
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        with open(writer, "wb") as report:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            report.write(bytes(os.access(path, rights) for path in told))
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as report:
        answers = report.read()
    assert os.waitpid(pid, 0)[1] == 0
    return [path for path, is_reached in zip(told, answers, strict=True) if is_reached]


def test_a_copy_has_no_more_rights_than_the_containers_root(node: Node) -> None:
    """What the container shows as its own may be the host's: a link to a mounted directory."""
    kept = node.root / "kept"
    kept.mkdir()
    (kept / "file").write_text("the host's")
    node.docker("run", "-d", "--name", "box", "-v", f"{kept}:/kept", *_SLEEP)
    node.docker("exec", "box", "ln", "-s", "/kept", "/trap")
    upload = _layer_of(ImageFile("file", b"from outside", 0o644))

    with pytest.raises(APIError, match="file: Permission denied"):
        node.api().containers.get("box").put_archive("/trap", upload)

    assert "the host's" == (kept / "file").read_text()
    assert (0, 0) == ((kept / "file").stat().st_uid, kept.stat().st_uid)
