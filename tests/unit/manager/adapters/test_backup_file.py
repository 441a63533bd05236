"""Backups: whole and by their key, or refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from manager.adapters.backup_file import (
    BadBackup,
    key_text,
    new_key,
    parse_key,
    read_about,
    seal,
    unseal,
)
from manager.ports.backups import BackupAbout

ABOUT = BackupAbout(ClusterID="c", Index=7, CreatedAt="2026-01-01T00:00:00Z")
PIECES = [b"one", b"two", b"three"]


def _written(path: Path, key: bytes, pieces: list[bytes]) -> Path:
    path.write_bytes(b"".join(seal(ABOUT, pieces, key)))
    return path


def test_backup_gives_back_its_pieces(tmp_path: Path) -> None:
    key = new_key()
    path = _written(tmp_path / "b", key, PIECES)

    assert PIECES == list(unseal(path, parse_key(key_text(key))))
    assert ("c", 7) == (read_about(path).ClusterID, read_about(path).Index)


def test_backup_shows_nothing_of_the_state(tmp_path: Path) -> None:
    path = _written(tmp_path / "b", new_key(), [b"the CA's private key"])

    assert b"private" not in path.read_bytes()


def test_other_key_opens_nothing(tmp_path: Path) -> None:
    path = _written(tmp_path / "b", new_key(), PIECES)

    with pytest.raises(BadBackup, match="not its key"):
        list(unseal(path, new_key()))


def _cut_piece(raw: bytes) -> bytes:
    return raw[: -len(PIECES[2]) - 16 - 4]


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw[:-1],
        _cut_piece,
        lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]),
        lambda raw: raw.replace(b'"Index":7', b'"Index":8'),
        lambda raw: raw[: raw.index(b"\n") + 1],
        lambda raw: raw + raw[raw.index(b"\n") + 1 :],
    ],
    ids=["cut", "last piece gone", "bit", "first line", "only first line", "doubled"],
)
def test_damaged_backup_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    """A state with its end missing would look like one in which things were deleted."""
    key = new_key()
    path = _written(tmp_path / "b", key, PIECES)
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(BadBackup):
        list(unseal(path, key))


@pytest.mark.parametrize("raw", [b"", b"\0" * 100, b"skep-backup 1 {}\n", b"x" * 9000])
def test_file_of_another_kind_is_no_backup(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "b"
    path.write_bytes(raw)

    with pytest.raises(BadBackup):
        read_about(path)


@pytest.mark.parametrize(
    "text", ["", "SKEPBACKUP-1-", "SKEPBACKUP-1-x", "x" * 56, "SKEPBACKUP-1-ä"]
)
def test_malformed_key_is_refused(text: str) -> None:
    with pytest.raises(BadBackup, match="a backup's key begins with"):
        parse_key(text)


def test_empty_state_has_a_backup(tmp_path: Path) -> None:
    key = new_key()

    assert [b""] == list(unseal(_written(tmp_path / "b", key, []), key))
