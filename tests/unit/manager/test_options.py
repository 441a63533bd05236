"""The manager's command line and its orders."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.errors import InvalidArgument
from manager.options import InitOrders, parse, read_orders

_COMMON = ("--state-dir", "/s", "--socket", "/m.sock", "--listen", "0.0.0.0:2377")


def test_address_to_advertise_is_the_listening_one_by_default() -> None:
    options = parse(_COMMON)

    assert "0.0.0.0:2377" == options.advertise
    assert (Path("/s"), False, "") == (options.state_dir, options.init, options.join)


def test_init_and_join_exclude_one_another(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse([*_COMMON, "--init", "--join", "a:2377"])

    assert "not allowed" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "host", "host:0", "host:70000", "a:b:1", "h ost:1"])
def test_address_without_a_port_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse([*_COMMON, "--join", text])

    assert "is not HOST:PORT" in capsys.readouterr().err


def test_address_of_version_six_stands_in_brackets() -> None:
    assert "[fd00::1]:2377" == parse([*_COMMON, "--advertise", "[fd00::1]:2377"]).advertise


def test_orders_are_the_init_request_and_the_node() -> None:
    orders = read_orders(
        b'{"Request": {"AutoLockManagers": true}, "Description": {"Hostname": "h"}}'
    )

    assert (True, "h") == (orders.Request.AutoLockManagers, orders.Description.Hostname)


def test_no_orders_are_the_defaults() -> None:
    assert InitOrders() == read_orders(b"\n")


def test_orders_of_a_wrong_kind_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="invalid orders for an init"):
        read_orders(b'{"Request": 7}')
