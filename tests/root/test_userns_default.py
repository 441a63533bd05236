"""The values of userns-remap, looked up in the user database: of a machine within the machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_ASK = """
import sys
from agent.remapping import remapped
from api.errors import SkepError
from engine.settings import Settings
try:
    found = remapped(Settings(userns_remap=sys.argv[1]))
    print("=", found.id_maps and found.id_maps.text(), found.data_root.name)
except SkepError as error:
    print("=", error.message)
"""
_WITHIN = """
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" /etc &&
rm -f /etc/subuid /etc/subgid && printf %s "$2" > /etc/subuid && printf %s "$2" > /etc/subgid &&
shift 2 && exec "$@"
"""


def ask(directory: Path, subordinates: str, *specs: str) -> list[str]:
    """Return what each spec comes to on a machine whose /etc is a copy, kept from spec to spec."""
    for name in ("upper", "work"):
        (directory / name).mkdir(exist_ok=True)
    script = "\n".join(f'"{sys.executable}" -c "$ASK" {spec} 2>/dev/null' for spec in specs)
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", _WITHIN, "sh",
         str(directory), subordinates, "sh", "-c", script],
        capture_output=True, text=True, check=True, timeout=60,
        env={"ASK": _ASK, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )  # fmt: skip
    lines = done.stdout.splitlines()
    return [line.removeprefix("= ") for line in lines if line.startswith("= ")]


def test_default_makes_a_user_with_ids_that_nobody_has(tmp_path: Path) -> None:
    """It stays the same at the next start; the machine's own user database is left alone."""
    first, second = ask(tmp_path, "ann:100000:65536\nbob:200000:70000\n", "default", "default")

    assert "0:270000:65536;0:270000:65536; 270000.270000" == first
    assert first == second
    assert "dockremap:270000:65536" in (tmp_path / "upper" / "subuid").read_text()
    assert "dockremap" in (tmp_path / "upper" / "passwd").read_text()
    assert "dockremap" not in Path("/etc/subuid").read_text()


def test_users_and_groups_are_taken_by_name_and_number(tmp_path: Path) -> None:
    lines = "daemon:400000:1000\ndaemon:500000:1000\n"

    found = ask(tmp_path, lines, "daemon", "daemon:root", "1", "1:0", "1:daemon")

    ranges = "0:400000:1000,1000:500000:1000"
    assert [f"{ranges};{ranges}; 400000.400000"] * 5 == found


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("root", "None skep"),
        ("bin", 'no subuid ranges found for user "bin" in /etc/subuid: add a line'),
        ("nobody-such", "there is no user nobody-such"),
        ("4294967", "there is no user 4294967"),
        ("daemon:nobody-such", "there is no group nobody-such"),
    ],
)
def test_what_cannot_be_had_is_said(tmp_path: Path, spec: str, words: str) -> None:
    (found,) = ask(tmp_path, "daemon:400000:1000\n", spec)

    assert words in found
