"""What users of docker-py do, unmodified, on real containers."""

from __future__ import annotations

import socket as sockets
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from docker.client import DockerClient
from docker.errors import APIError, ContainerError, ImageNotFound, NotFound
from docker.types import LogConfig, Mount, Ulimit

from api.frames import FrameDecoder, Stream
from tests.root.images import busybox_archive
from tests.root.node import Node


@pytest.fixture
def client(daemon: Node) -> Iterator[DockerClient]:
    """Lend docker-py on the shared daemon."""
    client = daemon.api()
    yield client
    client.close()


def test_ping_version_info(client: DockerClient) -> None:
    assert client.ping() is True
    assert "linux" == client.version()["Os"]
    assert "runc" in client.info()["Runtimes"]


def test_run_returns_the_output(client: DockerClient) -> None:
    output = client.containers.run("busybox", ["echo", "hello"], remove=True)

    assert b"hello\n" == output
    assert [] == client.containers.list(all=True)


def test_run_that_fails_raises_with_its_words(client: DockerClient) -> None:
    with pytest.raises(ContainerError) as caught:
        client.containers.run("busybox", ["sh", "-c", "echo why >&2; exit 3"], remove=True)

    assert 3 == caught.value.exit_status
    assert "why" in str(caught.value)


def test_life_of_a_detached_container(client: DockerClient) -> None:
    box = client.containers.run("busybox", ["sleep", "600"], detach=True, name="py-life")

    box.reload()
    assert "running" == box.status
    assert "sleep 600" in box.top()["Processes"][0][-1]
    box.pause()
    box.reload()
    assert "paused" == box.status
    box.unpause()
    box.rename("py-life-2")
    assert client.containers.get("py-life-2").id == box.id
    box.restart(timeout=0)
    box.stop(timeout=0)
    assert 137 == box.wait()["StatusCode"]
    box.remove()
    with pytest.raises(NotFound):
        client.containers.get(str(box.id))


def test_logs_at_once_and_as_they_come(client: DockerClient) -> None:
    box = client.containers.run(
        "busybox", ["sh", "-c", "for n in 1 2 3; do echo $n; done; echo bad >&2"], detach=True
    )

    assert [b"1\n", b"2\n", b"3\n"] == list(box.logs(stream=True, follow=True, stderr=False))
    assert b"bad\n" == box.logs(stdout=False, stderr=True)
    assert b"1\n" == box.logs(stderr=False, tail=4).partition(b"2")[0]


def test_exec_in_every_form(client: DockerClient) -> None:
    box = client.containers.run("busybox", ["sleep", "600"], detach=True)
    both = ["sh", "-c", "echo out; echo err >&2; exit 4"]

    result: Any = box.exec_run(both, demux=True)
    assert (4, (b"out\n", b"err\n")) == (result.exit_code, result.output)
    assert b"a=b\n" == box.exec_run(["sh", "-c", "env | grep a="], environment={"a": "b"}).output
    assert b"uid=33(www)" in box.exec_run("id", user="www").output
    assert b"/tmp\r\n" == box.exec_run("pwd", tty=True, workdir="/tmp").output
    pieces: Any = box.exec_run(["seq", "2"], stream=True).output
    assert b"1\n2\n" == b"".join(pieces)
    # the client asks at once: None while the command runs
    assert box.exec_run(["true"], detach=True).exit_code in {None, 0}


def test_exec_over_a_socket(client: DockerClient) -> None:
    box = client.containers.run("busybox", ["sleep", "600"], detach=True)

    held: Any = box.exec_run(["cat"], stdin=True, socket=True).output
    raw: sockets.socket = held._sock
    raw.sendall(b"typed")
    raw.shutdown(sockets.SHUT_WR)

    assert [(Stream.STDOUT, b"typed")] == _frames(raw)
    held.close()


def test_attach_over_a_socket(client: DockerClient) -> None:
    box = client.containers.create("busybox", ["cat"], stdin_open=True)
    held: Any = box.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
    box.start()
    raw: sockets.socket = held._sock

    raw.sendall(b"line\n")
    header = raw.recv(8)

    assert (1, 5) == (header[0], header[7])
    assert b"line\n" == raw.recv(5)
    held.close()


def _frames(raw: sockets.socket) -> list[tuple[Stream, bytes]]:
    decoder, frames = FrameDecoder(), []
    while received := raw.recv(65536):
        frames += list(decoder.feed(received))
    return [(Stream(stream), bytes(payload)) for stream, payload in frames]


def test_images(client: DockerClient) -> None:
    (image,) = client.images.load(busybox_archive("py-image:1"))

    assert image.tag("py-image", "2")
    image.reload()
    assert {"py-image:1", "py-image:2"} <= set(image.tags)
    assert image.id in [found.id for found in client.images.list(name="py-image")]
    assert len(b"".join(image.save())) > 1 << 20
    assert image.history()
    client.images.remove("py-image:2")
    client.images.remove("py-image:1")
    with pytest.raises(ImageNotFound):
        client.images.get("py-image:1")


def test_image_that_is_nowhere(client: DockerClient) -> None:
    with pytest.raises(ImageNotFound, match="No such image"):
        client.containers.create("nowhere:none", "true")


def test_networks(client: DockerClient) -> None:
    network = client.networks.create("py-net", labels={"a": "b"})
    try:
        box = client.containers.run("busybox", ["sleep", "600"], detach=True, network="py-net")
        network.reload()
        assert [box.id] == [attached.id for attached in network.containers]
        assert ["py-net"] == [
            found.name for found in client.networks.list(filters={"label": "a=b"})
        ]
        with pytest.raises(APIError) as caught:
            network.remove()
        assert 403 == caught.value.status_code
        box.remove(force=True)
    finally:
        network.remove()


def test_volumes(client: DockerClient) -> None:
    volume = client.volumes.create("py-volume", labels={"a": "b"})
    try:
        client.containers.run(
            "busybox", ["sh", "-c", "echo kept > /v/f"], remove=True,
            volumes={"py-volume": {"bind": "/v", "mode": "rw"}},
        )  # fmt: skip
        mount = Mount("/v", "py-volume", read_only=True)
        output = client.containers.run("busybox", ["cat", "/v/f"], remove=True, mounts=[mount])

        assert b"kept\n" == output
        assert ["py-volume"] == [
            found.name for found in client.volumes.list(filters={"label": "a"})
        ]
    finally:
        volume.remove()


def test_events_of_a_run(client: DockerClient) -> None:
    stream = client.events(decode=True, filters={"type": "container"})
    seen: list[str] = []

    def read() -> None:
        for event in stream:
            seen.append(event["Action"])
            if event["Action"] == "destroy":
                return

    reader = threading.Thread(target=read)
    reader.start()
    client.containers.run("busybox", ["true"], remove=True)
    reader.join(20)
    stream.close()

    assert ["create", "start", "die", "destroy"] == [
        action for action in seen if action in ("create", "start", "die", "destroy")
    ]


def test_many_options_at_once(client: DockerClient) -> None:
    box = client.containers.create(
        "busybox", ["true"], name="py-options", hostname="box", user="www", working_dir="/tmp",
        environment={"A": "1"}, labels={"a": "b"}, mem_limit="64m", memswap_limit="128m",
        cpu_shares=512, cpu_period=100000, cpu_quota=50000, cpuset_cpus="0", pids_limit=50,
        cap_add=["NET_ADMIN"], cap_drop=["MKNOD"], security_opt=["no-new-privileges"],
        dns=["10.0.0.1"], dns_search=["example.com"], extra_hosts={"other": "10.0.0.2"},
        ports={"80/tcp": None}, tmpfs={"/run": "size=1m"}, read_only=True,
        restart_policy={"Name": "on-failure", "MaximumRetryCount": 3}, shm_size="16m",
        sysctls={"net.ipv4.ip_forward": "1"}, ulimits=[Ulimit(name="nofile", soft=100, hard=200)],
        log_config=LogConfig(type=LogConfig.types.JSON, config={"max-size": "1m"}),
        init=True, ipc_mode="private", oom_score_adj=100, stop_signal="SIGINT", group_add=["29"],
        devices=["/dev/null:/dev/mine:rw"], healthcheck={"test": ["NONE"]},
    )  # fmt: skip

    host = client.api.inspect_container(str(box.id))["HostConfig"]
    assert 64 << 20 == host["Memory"]
    assert ["NET_ADMIN"] == [name.removeprefix("CAP_") for name in host["CapAdd"]]
    assert {"Name": "on-failure", "MaximumRetryCount": 3} == host["RestartPolicy"]
    assert [{"Name": "nofile", "Soft": 100, "Hard": 200}] == host["Ulimits"]
    box.start()
    assert 0 == box.wait()["StatusCode"]


def test_errors_have_their_class_and_words(client: DockerClient) -> None:
    with pytest.raises(NotFound, match="No such container: nobody"):
        client.containers.get("nobody")
    client.containers.create("busybox", name="py-taken")
    with pytest.raises(APIError, match="is already in use by container") as caught:
        client.containers.create("busybox", name="py-taken")

    assert 409 == caught.value.status_code
