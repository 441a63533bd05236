"""`skep cluster`: how the managers are, and their state in a file."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from agent.cli.host_flag import add_host_flag, socket_of
from agent.cli.unix_http import ask
from api.errors import InvalidArgument, SkepError, Unavailable

KEY_HEADER = "Skep-Backup-Key"
_CHUNK_BYTES = 1 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verbs."""
    common = argparse.ArgumentParser(add_help=False)
    add_host_flag(common, "the daemon's or a manager's")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    parents = [common]
    status = verbs.add_parser(
        "status", parents=parents, help="the managers: who leads, how far each is"
    )
    status.add_argument("--json", action="store_true", help="all of it, for programs")
    backup = verbs.add_parser(
        "backup", parents=parents, help="write the cluster's whole state to a file"
    )
    backup.add_argument("file", type=Path, metavar="FILE")
    restore = verbs.add_parser(
        "restore", parents=parents, help="begin a cluster with the state of a backup"
    )
    restore.add_argument("file", type=Path, metavar="FILE")
    for verb, what in ((backup, "write the backup's key"), (restore, "read the backup's key")):
        verb.add_argument("--key-file", type=Path, metavar="FILE", help=f"where to {what}")
    label = verbs.add_parser(
        "label", parents=parents, help="set labels of the cluster, such as skep.rebalance=auto"
    )
    label.add_argument("labels", nargs="+", metavar="KEY=VALUE")
    for flag in ("--advertise-addr", "--listen-addr", "--data-path-addr"):
        restore.add_argument(flag, default="", metavar="ADDRESS", help="as of docker swarm init")


def run(parsed: argparse.Namespace) -> int:
    """Do what the verb says."""
    try:
        _VERBS[parsed.verb](parsed, socket_of(parsed.host))
    except SkepError as error:
        sys.stderr.write(f"skep cluster {parsed.verb}: {error.message}\n")
        return 1
    return 0


def _status(parsed: argparse.Namespace, socket: Path) -> None:
    with ask(socket, "GET", "/cluster/status") as answer:
        content = answer.read()
    if parsed.json:
        sys.stdout.write(content.decode())
        return
    found = msgspec.json.decode(content)
    quorum = "has a quorum" if found["HasQuorum"] else "HAS NO QUORUM"
    sys.stdout.write(f"Cluster {found['ClusterID']}: {quorum}, term {found['Term']}\n")
    for line in _table([_HEADINGS, *map(_row, found["Members"])]):
        sys.stdout.write(f"{line}\n")


_HEADINGS = ("NODE", "HOSTNAME", "ADDRESS", "STATE", "COMMIT", "APPLIED", "LAG", "VERSION")


def _row(member: dict[str, Any]) -> Sequence[str]:
    state = "leader" if member["IsLeader"] else "voter" if member["IsVoter"] else "learner"
    if not member["IsReachable"]:
        state = f"{state}, unreachable"
    figures = ("CommitIndex", "AppliedIndex", "Lag", "Version")
    shown = [str(member[name]) if member["IsReachable"] else "-" for name in figures]
    return (member["NodeID"], member["Hostname"], member["Address"], state, *shown)


def _table(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "   ".join(cells).rstrip()


def _backup(parsed: argparse.Namespace, socket: Path) -> None:
    """Write the file under another name first: what bears the name is whole."""
    temporary = parsed.file.with_name(f".{parsed.file.name}.part")
    try:
        with ask(socket, "GET", "/cluster/backup") as answer:
            key = answer.headers[KEY_HEADER]
            with open(temporary, "wb", opener=_private) as file:
                while chunk := answer.read(_CHUNK_BYTES):
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
        if parsed.key_file is not None:
            with open(parsed.key_file, "w", encoding="ascii", opener=_private) as file:
                file.write(f"{key}\n")
        temporary.rename(parsed.file)
    except OSError as error:
        raise Unavailable(
            f"cannot write {error.filename or parsed.file}: {error.strerror or error}"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    sys.stdout.write(f"Wrote {parsed.file}. It holds every secret of the cluster, sealed.\n")
    if parsed.key_file is not None:
        sys.stdout.write(f"Its key is in {parsed.key_file}: keep it elsewhere.\n")
    else:
        sys.stdout.write(f"Its key is kept nowhere; without it the file is worthless:\n\n{key}\n")


def _restore(parsed: argparse.Namespace, socket: Path) -> None:
    order = {
        "Path": str(parsed.file.absolute()),
        "Key": _read_key(parsed.key_file),
        "AdvertiseAddr": parsed.advertise_addr,
        "ListenAddr": parsed.listen_addr,
        "DataPathAddr": parsed.data_path_addr,
    }
    with ask(socket, "POST", "/cluster/restore", order) as answer:
        node_id = msgspec.json.decode(answer.read())
    sys.stdout.write(
        f"The cluster is restored with this node ({node_id}) as its only manager.\n"
        "The other managers have to leave (docker swarm leave --force), and to join again; so have "
        "workers, unless they know this manager's address.\n"
    )


def _label(parsed: argparse.Namespace, socket: Path) -> None:
    """Lay labels over those of the cluster; none can be taken away, as with Docker's API."""
    if odd := [each for each in parsed.labels if not each.partition("=")[0] or "=" not in each]:
        raise InvalidArgument(f"{odd[0]} is no KEY=VALUE")
    with ask(socket, "GET", "/swarm") as answer:
        swarm = msgspec.json.decode(answer.read())
    spec = swarm["Spec"]
    fresh = dict(each.split("=", 1) for each in parsed.labels)
    labels = {**(spec.get("Labels") or {}), **fresh}
    target = f"/swarm/update?version={swarm['Version']['Index']}"
    with ask(socket, "POST", target, {**spec, "Labels": labels}):
        pass


_VERBS = {"status": _status, "backup": _backup, "restore": _restore, "label": _label}


def _read_key(file: Path | None) -> str:
    if file is None:
        return getpass.getpass("Key of the backup: ").strip()
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError) as error:
        raise InvalidArgument(f"cannot read the key in {file}: {error}") from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
