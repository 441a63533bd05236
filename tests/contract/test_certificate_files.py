"""A node's certificate on disk: replaced as one, whatever moment the writer is killed at."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from protos.identity.certificate_files import FOLDER, CertificateFiles
from protos.identity.certificates import Identity, Role
from protos.identity.channels import Credentials
from protos.identity.errors import BadCertificate, UnusableKey
from tests.authority import Authority
from tests.kill import killed_at_every_stage

NODE = Identity("node1", Role.WORKER, "cluster1")
SECRET = b"s" * 32


def credentials() -> Credentials:
    """Return the certificate of a cluster of its own."""
    root = Authority()
    return root.issue(NODE).credentials(root.certificate)


@pytest.fixture
def files(tmp_path: Path) -> CertificateFiles:
    """Lend files that hold nothing yet."""
    return CertificateFiles(tmp_path)


def test_what_was_put_is_loaded(files: CertificateFiles) -> None:
    assert not files.exist()
    mine = credentials()

    files.replace(mine)

    assert files.exist()
    assert mine == files.load()


def test_nothing_is_there_at_first(files: CertificateFiles) -> None:
    with pytest.raises(FileNotFoundError):
        files.load()


def test_key_is_for_its_owner_alone(files: CertificateFiles, tmp_path: Path) -> None:
    files.replace(credentials())

    folder = tmp_path / FOLDER

    assert 0o600 == stat.S_IMODE((folder / "node.key").stat().st_mode)
    assert 0o700 == stat.S_IMODE(folder.stat().st_mode)


def test_sealed_key_needs_its_passphrase(files: CertificateFiles, tmp_path: Path) -> None:
    mine = credentials()
    files.replace(mine, SECRET)

    assert files.needs_passphrase()
    assert mine == files.load(SECRET)
    for wrong in (None, b"w" * 32):
        with pytest.raises(UnusableKey):
            files.load(wrong)
    assert mine.key not in (tmp_path / FOLDER / "node.key").read_bytes()


@pytest.mark.parametrize("passphrases", [(None, SECRET), (SECRET, None), (SECRET, b"o" * 32)])
def test_seal_changes_the_passphrase_alone(
    files: CertificateFiles, passphrases: tuple[bytes | None, bytes | None]
) -> None:
    old, new = passphrases
    mine = credentials()
    files.replace(mine, old)

    files.seal(old, new)

    assert mine == files.load(new)


def test_version_tells_of_every_change(files: CertificateFiles) -> None:
    mine = credentials()

    files.replace(mine)
    first = files.version()
    files.replace(credentials())
    second = files.version()
    files.replace_roots(mine.roots)

    assert 3 == len({first, second, files.version()})


def test_key_of_another_certificate_is_refused(files: CertificateFiles, tmp_path: Path) -> None:
    files.replace(credentials())
    (tmp_path / FOLDER / "node.key").write_bytes(credentials().key)

    with pytest.raises(UnusableKey, match="is not the key of"):
        files.load()


@pytest.mark.parametrize(
    ("name", "error"),
    [("node.key", UnusableKey), ("node.crt", BadCertificate), ("root.crt", BadCertificate)],
)
def test_damaged_file_is_refused(
    files: CertificateFiles, tmp_path: Path, name: str, error: type[Exception]
) -> None:
    files.replace(credentials())
    (tmp_path / FOLDER / name).write_bytes(b"\0" * 100)

    with pytest.raises(error):
        files.load()


def test_roots_that_are_none_are_not_taken_over(files: CertificateFiles) -> None:
    mine = credentials()
    files.replace(mine)

    with pytest.raises(BadCertificate):
        files.replace_roots(b"garbage")
    assert mine == files.load()


@pytest.mark.parametrize("passphrase", [None, SECRET])
def test_kill_at_any_stage_leaves_the_old_ones_or_the_new(
    files: CertificateFiles, passphrase: bytes | None
) -> None:
    seen = set()
    current = credentials()
    files.replace(current, passphrase)
    following = credentials()

    for _ in killed_at_every_stage(lambda: files.replace(following, passphrase)):
        found = files.load(passphrase)
        assert found in (current, following)
        seen.add(found == following)
        files.replace(current, passphrase)

    assert {False, True} == seen
    assert following == files.load(passphrase)


def test_first_certificate_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    mine = credentials()
    for stage in killed_at_every_stage(lambda: CertificateFiles(tmp_path / "x").replace(mine)):
        files = CertificateFiles(tmp_path / "x")
        if files.exist():
            assert mine == files.load()
        files.remove()
        assert stage < 100
