"""`skep cluster`, against a manager that a test makes up."""

from __future__ import annotations

import json
import socketserver
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from agent.cli.main import main

STATUS = {
    "ClusterID": "c1",
    "HasQuorum": True,
    "Term": 7,
    "Members": [
        {
            "NodeID": "n1", "Hostname": "one", "Address": "10.0.0.1:2377", "IsLeader": True,
            "IsVoter": True, "IsReachable": True, "CommitIndex": 9, "AppliedIndex": 9, "Lag": 0,
            "Version": "0.1.0",
        },
        {
            "NodeID": "n2", "Hostname": "two", "Address": "10.0.0.2:2377", "IsLeader": False,
            "IsVoter": True, "IsReachable": False, "CommitIndex": 0, "AppliedIndex": 0, "Lag": 0,
            "Version": "",
        },
    ],
}  # fmt: skip


@dataclass
class Manager:
    """Answers by method and path; keeps what it was sent."""

    path: Path
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    sent: list[bytes] = field(default_factory=list)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """Lend a manager that listens."""
    made = Manager(tmp_path / "m.sock")

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            made.sent.append(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
            status, content = made.answers[f"{self.command} {self.path}"]
            self.send_response(status)
            self.send_header("Skep-Backup-Key", "SKEPBACKUP-1-abc")
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _serve  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def address_string(self) -> str:
            """Return a name: a unix socket's peer has none."""
            return "client"

    with socketserver.ThreadingUnixStreamServer(str(made.path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


def run(manager: Manager, verb: str, *arguments: str) -> int:
    return main(["cluster", verb, "-H", f"unix://{manager.path}", *arguments])


def test_status_is_a_table_of_managers(
    manager: Manager, capsys: pytest.CaptureFixture[str]
) -> None:
    manager.answers["GET /cluster/status"] = (200, json.dumps(STATUS).encode())

    assert 0 == run(manager, "status")

    lines = capsys.readouterr().out.splitlines()
    assert "Cluster c1: has a quorum, term 7" == lines[0]
    assert ["n1", "one", "10.0.0.1:2377", "leader", "9", "9", "0", "0.1.0"] == lines[2].split()
    assert "voter, unreachable" in lines[3]


def test_an_error_is_shown_as_it_came(manager: Manager, capsys: pytest.CaptureFixture[str]) -> None:
    manager.answers["GET /cluster/status"] = (503, b'{"message":"Swarm is encrypted"}')

    assert 1 == run(manager, "status")

    assert "skep cluster status: Swarm is encrypted\n" == capsys.readouterr().err


def test_a_backup_is_a_private_file_and_a_key(
    manager: Manager, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manager.answers["GET /cluster/backup"] = (200, b"sealed")
    file, key = tmp_path / "b", tmp_path / "k"

    assert 0 == run(manager, "backup", str(file), "--key-file", str(key))
    assert 0 == run(manager, "backup", str(file))

    assert (b"sealed", "SKEPBACKUP-1-abc\n") == (file.read_bytes(), key.read_text())
    assert {0o600} == {stat.S_IMODE(each.stat().st_mode) for each in (file, key)}
    assert "SKEPBACKUP-1-abc" in capsys.readouterr().out


def test_a_backup_that_fails_leaves_the_one_of_before(manager: Manager, tmp_path: Path) -> None:
    manager.answers["GET /cluster/backup"] = (500, b'{"message":"no leader"}')
    (tmp_path / "b").write_bytes(b"old")

    assert 1 == run(manager, "backup", str(tmp_path / "b"))

    assert b"old" == (tmp_path / "b").read_bytes()
    assert ["b", "m.sock"] == sorted(each.name for each in tmp_path.iterdir())


def test_restore_sends_the_files_path_and_its_key(manager: Manager, tmp_path: Path) -> None:
    manager.answers["POST /cluster/restore"] = (200, b'"n1"')
    (tmp_path / "k").write_text("SKEPBACKUP-1-abc\n")

    assert 0 == run(manager, "restore", str(tmp_path / "b"), "--key-file", str(tmp_path / "k"))

    sent = json.loads(manager.sent[-1])
    assert (str(tmp_path / "b"), "SKEPBACKUP-1-abc") == (sent["Path"], sent["Key"])


def test_nobody_there_is_an_error_that_names_the_socket(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 1 == run(Manager(tmp_path / "absent.sock"), "status")

    assert "absent.sock: No such file or directory" in capsys.readouterr().err


def test_labels_are_laid_over_those_of_the_cluster(
    manager: Manager, capsys: pytest.CaptureFixture[str]
) -> None:
    swarm = {"Version": {"Index": 7}, "Spec": {"Name": "default", "Labels": {"a": "b"}}}
    manager.answers["GET /swarm"] = (200, json.dumps(swarm).encode())
    manager.answers["POST /swarm/update?version=7"] = (200, b"")

    assert 0 == run(manager, "label", "skep.rebalance=auto")

    sent = json.loads(manager.sent[-1])
    assert {"Name": "default", "Labels": {"a": "b", "skep.rebalance": "auto"}} == sent
    assert 1 == run(manager, "label", "skep.rebalance")
    assert "skep.rebalance is no KEY=VALUE" in capsys.readouterr().err
