"""daemon.json and flags: what is taken, what is refused and in which words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent.cli.main import main
from agent.config import InvalidConfiguration, make_config, read_config, reloaded
from api.http.listeners import TcpAddress, UnixAddress
from engine.settings import AddressPool, RuntimeBinary, Settings


def _file(directory: Path, content: Any) -> Path:
    file = directory / "daemon.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def test_nothing_said_gives_the_defaults(tmp_path: Path) -> None:
    config = read_config(tmp_path / "absent.json", {})

    assert Settings() == config.settings
    assert (UnixAddress(Path("/run/skep.sock")),) == config.addresses


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    file = _file(tmp_path, {"mtu": 1400, "debug": True})

    settings = read_config(file, {"mtu": 9000}).settings

    assert (9000, True) == (settings.mtu, settings.debug)


def test_keys_of_the_swarm_are_understood() -> None:
    config = make_config(
        {"swarm-default-advertise-addr": "eth1", "node-generic-resources": ["gpu=UUID1", "ssd=2"]}
    )

    assert "eth1" == config.default_advertise
    assert ["gpu", "ssd"] == [
        (each.NamedResourceSpec or each.DiscreteResourceSpec).Kind  # type: ignore[union-attr] # one is set
        for each in config.settings.generic_resources
    ]
    with pytest.raises(InvalidConfiguration, match="could not parse GenericResource"):
        make_config({"node-generic-resources": ["gpu"]})


def test_dockers_keys_are_understood() -> None:
    config = make_config(
        {
            "hosts": ["unix:///run/a.sock", "tcp://127.0.0.1:2375", "tcp://[::1]"],
            "runtimes": {"kata": {"path": "/opt/kata", "runtimeArgs": ["--x"]}},
            "default-runtime": "kata",
            "default-address-pools": [{"base": "10.0.0.0/8", "size": 24}],
            "default-shm-size": "128M",
            "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1, "Hard": 2}},
            "log-opts": {"max-size": "10m"},
            "insecure-registries": ["10.0.0.0/8"],
            "live-restore": False,
            "shutdown-timeout": -1,
            "ip": "127.0.0.1",
        }
    )

    settings = config.settings
    assert TcpAddress("127.0.0.1", 2375) == config.addresses[1]
    assert TcpAddress("::1", None) == config.addresses[2]
    assert RuntimeBinary("/opt/kata", ("--x",)) == settings.runtimes["kata"]
    assert {"runc", "crun", "kata"} == set(settings.runtimes)
    assert (AddressPool("10.0.0.0/8", 24),) == settings.address_pools
    assert 128 << 20 == settings.default_shm_size
    assert ("10.0.0.0/8",) == settings.insecure_registries
    assert (False, -1, "127.0.0.1") == (
        settings.live_restore,
        settings.shutdown_timeout_s,
        settings.default_host_ip,
    )


def test_unknown_keys_are_all_named(tmp_path: Path) -> None:
    file = _file(tmp_path, {"colour": 1, "mtu": 1500, "size": 2})

    with pytest.raises(InvalidConfiguration, match=r"colour, size$"):
        read_config(file, {})


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"mtu": "big"}, r"\$\.mtu"),
        ({"mtu": 10}, "mtu"),
        ({"labels": "a=b"}, r"\$\.labels"),
        ({"labels": ["=b"]}, "labels"),
        ({"default-runtime": "none"}, "default-runtime"),
        ({"runtimes": {"x": {"pat": "/x"}}}, r"\$\.runtimes"),
        ({"bip": "10.0.0.1"}, "bip"),
        ({"bip": "x/8"}, "bip"),
        ({"dns": ["dns.example"]}, "dns"),
        ({"ip": "::g"}, "ip"),
        ({"default-address-pools": [{"base": "10.0.0.0/16", "size": 8}]}, "default-address-pools"),
        ({"default-address-pools": [{"base": "10.0.0.1/8", "size": 24}]}, "10.0.0.1/8"),
        ({"bridge": "a/b"}, "bridge"),
        ({"bridge": "x" * 16}, "bridge"),
        ({"firewall-table": "x; flush ruleset"}, "firewall-table"),
        ({"data-root": "relative"}, "data-root"),
        ({"default-shm-size": "many"}, "default-shm-size"),
        ({"max-concurrent-downloads": 0}, "max-concurrent-downloads"),
        ({"hosts": ["http://x"]}, "http://x"),
        ({"hosts": ["tcp://x:99999"]}, "99999"),
        ({"hosts": ["unix://relative"]}, "absolute"),
        ({"log-level": "loud"}, "log-level"),
        ({"default-ipc-mode": "x"}, "default-ipc-mode"),
        ({"log-driver": "syslog"}, "log-driver, log-opts: logger: no log driver named 'syslog'"),
        ({"log-opts": {"max-size": "big"}}, "log-driver, log-opts: .*invalid size: 'big'"),
    ],
)
def test_wrong_value_is_refused_naming_the_key(given: dict[str, Any], part: str) -> None:
    with pytest.raises(InvalidConfiguration, match=part):
        make_config(given)


@pytest.mark.parametrize("content", ["{", "[]", '"x"', "{} {}", "[" * 100_000])
def test_file_that_is_no_object_is_refused_by_name(tmp_path: Path, content: str) -> None:
    with pytest.raises(InvalidConfiguration, match=r"daemon\.json"):
        read_config(_file(tmp_path, content), {})


def test_reload_takes_over_only_what_may_change() -> None:
    fresh = make_config({"debug": True, "mtu": 1400, "labels": ["a=b"]}).settings

    after = reloaded(Settings(), fresh)

    assert (True, 1500, ("a=b",)) == (after.debug, after.mtu, after.labels)


def test_validate_says_ok(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = _file(tmp_path, {"debug": True})

    code = main(["daemon", "--config-file", str(file), "--validate", "-H", "tcp://127.0.0.1:1"])

    assert 0 == code
    assert "configuration OK\n" == capsys.readouterr().out


def test_validate_names_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = _file(tmp_path, {"colour": 1})

    code = main(["daemon", "--config-file", str(file), "--validate"])

    assert 1 == code
    assert "colour" in capsys.readouterr().err
