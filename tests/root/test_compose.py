"""Debian's docker-compose 1.29, unmodified: a project comes up, is scaled, goes down clean."""

from __future__ import annotations

import os
import shutil
import subprocess
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.root.node import Node, wait_until

BINARY = shutil.which("docker-compose")
pytestmark = pytest.mark.skipif(BINARY is None, reason="needs docker-compose")
PROJECT = """
version: "2.4"
services:
  db:
    image: busybox
    init: true
    command: sh -c "echo stored >>/data/rows; sleep 0.2; touch /tmp/up; exec sleep 1000"
    volumes: ["rows:/data"]
    healthcheck:
      test: ["CMD", "test", "-e", "/tmp/up"]
      interval: 200ms
      timeout: 5s
      retries: 50
  web:
    image: busybox
    init: true
    command: sh -c "mkdir /w; echo $$GREETING >/w/index.html; echo up; exec httpd -f -p 80 -h /w"
    depends_on: {db: {condition: service_healthy}}
    environment: {GREETING: hello}
    ports: ["127.0.0.1::80"]
    networks: {default: {aliases: [front]}}
volumes: {rows: {}}
"""


@dataclass(frozen=True)
class Project:
    """A directory with a compose file, and the daemon that it is for."""

    node: Node
    directory: Path

    def __call__(self, *args: str) -> str:
        """Run docker-compose; return what it prints, errors included."""
        assert BINARY is not None
        done = subprocess.run(
            [BINARY, "--ansi", "never", *args],
            cwd=self.directory,
            env={**os.environ, "DOCKER_HOST": self.node.url, "COMPOSE_PROJECT_NAME": "shop"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=90,
            check=False,
            text=True,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture
def project(killable_daemon: Node, tmp_path: Path) -> Project:
    """Lend a project that is not up yet, on a daemon without any other container."""
    (tmp_path / "docker-compose.yml").write_text(PROJECT)
    return Project(killable_daemon, tmp_path)


def test_a_project_lives_its_whole_life(project: Project) -> None:
    """Up in order, reached from outside and by name, scaled, logged, and down without a trace."""
    before = _state(project.node)
    project("up", "-d")
    port = project("port", "web", "80").strip()
    wait_until(lambda: _get(f"http://{port}/") == b"hello\n", "the web server")
    asked = "wget -qO- http://front/ && ping -c1 db >/dev/null && echo reached"
    assert "hello\nreached\n" == project("exec", "-T", "web", "sh", "-c", asked)

    project("up", "-d", "--scale", "web=3")
    assert 3 == len(project("ps", "-q", "web").split())
    wait_until(lambda: project("logs", "web").count("| up") == 3, "three servers' logs")
    assert "healthy" in project("ps", "db")

    project("restart", "db")
    network = project.node.docker("network", "inspect", "shop_default", "-f", "{{.Id}}").stdout
    assert f"br-{network[:12]}" in _run("ip", "-o", "link")
    project("down", "-v")
    assert f"br-{network[:12]}" not in _run("ip", "-o", "link")
    assert before == _state(project.node)
    assert {} == {kind: left for kind, left in project.node.leftovers().items() if left}


def test_data_outlives_a_project_that_goes_down_without_v(project: Project) -> None:
    """As the database of everybody's first compose file does."""
    project("up", "-d", "db")
    project("down")
    project("up", "-d", "db")

    rows = project("exec", "-T", "db", "cat", "/data/rows")

    assert "stored\nstored\n" == rows
    project("down", "-v")


def test_a_changed_service_alone_is_made_anew(project: Project) -> None:
    """The other one keeps running; both are found by their labels."""
    project("up", "-d")
    database = project("ps", "-q", "db")
    web = project("ps", "-q", "web")
    file = project.directory / "docker-compose.yml"
    file.write_text(PROJECT.replace("hello", "good day"))

    project("up", "-d")

    assert database == project("ps", "-q", "db")
    assert web != project("ps", "-q", "web")
    project("down", "-v")


def _state(node: Node) -> dict[str, str]:
    """Return what a project could leave behind: objects, interfaces, rules, mounts, trees."""
    data = node.root / "data"
    trees = [
        str(path)
        for kind in ("roots", "containers", "volumes")
        for path in sorted((data / kind).glob("[!.]*"))
    ]
    return {
        "objects": node.docker("ps", "-aq").stdout + node.docker("volume", "ls", "-q").stdout,
        "networks": node.docker("network", "ls", "--format", "{{.Name}}").stdout,
        "links": _run("ip", "-o", "link", "show", "type", "bridge", "master", f"br-{node.name}"),
        "rules": _run("nft", "list", "table", "inet", f"skep-{node.name}"),
        "mounts": "\n".join(node.mounts()),
        "trees": "\n".join(trees),
    }


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, check=False, text=True).stdout


def _get(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            content: bytes = answer.read()
            return content
    except OSError:
        return b""
