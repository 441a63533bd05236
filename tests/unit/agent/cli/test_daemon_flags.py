"""Flags stand for keys of daemon.json."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from agent.cli.daemon_flags import add_flags, flags_as_keys
from agent.options import KEYS


def _parse(*words: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    return flags_as_keys(parser.parse_args(words))


def test_no_flag_says_nothing() -> None:
    assert {} == _parse()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["-H", "unix:///a", "--host", "unix:///b"], {"hosts": ["unix:///a", "unix:///b"]}),
        (["-D"], {"debug": True}),
        (["--live-restore=false"], {"live-restore": False}),
        (["--mtu", "1400"], {"mtu": 1400}),
        (["--tlsverify"], {"tlsverify": True}),
        (
            ["--log-opt", "max-size=1m", "--log-opt", "a=b=c"],
            {"log-opts": {"max-size": "1m", "a": "b=c"}},
        ),
        (["--add-runtime", "x=/opt/x"], {"runtimes": {"x": {"path": "/opt/x"}}}),
        (
            ["--default-address-pool", "base=10.0.0.0/8,size=24"],
            {"default-address-pools": [{"base": "10.0.0.0/8", "size": 24}]},
        ),
        (
            ["--default-ulimit", "nofile=1:2"],
            {"default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1, "Hard": 2}}},
        ),
        (["--default-shm-size", "64M"], {"default-shm-size": "64M"}),
    ],
)
def test_flags_have_the_shapes_of_the_file(words: list[str], expected: dict[str, Any]) -> None:
    assert expected == _parse(*words)


@pytest.mark.parametrize(
    "words",
    [
        ["--log-opt", "x"],
        ["--default-ulimit", "nofile=x"],
        ["--default-address-pool", "base=10.0.0.0/8"],
    ],
)
def test_misshapen_flag_is_refused_by_name(words: list[str]) -> None:
    with pytest.raises(ValueError, match=f"^{words[0]}: "):
        _parse(*words)


def test_every_key_has_a_flag() -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser)

    assert set(KEYS) <= set(vars(parser)["_option_string_actions"]) | {
        action.dest for action in vars(parser)["_actions"]
    }
