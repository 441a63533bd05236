"""The tables of published ports as text."""

from __future__ import annotations

from engine.core.mesh import Mesh

WEB = ("tcp", 8080)


def test_a_target_more_is_two_elements() -> None:
    """Whatever the number of ports and targets."""
    mesh = Mesh("t", is_host=True)
    mesh.whole({WEB: {"172.18.0.3 . 80": 1}, ("udp", 53): {"172.18.0.2 . 53": 2}})

    text = mesh.change({WEB: {"172.18.0.3 . 80": 1, "172.18.0.2 . 8080": 1}})

    assert text.splitlines() == [
        "delete element inet t ports4 { tcp . 8080 }",
        "add element inet t ports4 { tcp . 8080 : goto of2v4 }",
        "add element inet t slots4 { tcp . 8080 . 1 : 172.18.0.2 . 8080 }",
    ]


def test_a_port_that_is_published_no_more_leaves_nothing() -> None:
    """Nor does one without a target answer."""
    mesh = Mesh("t", is_host=False)
    mesh.whole({WEB: {"10.0.0.3 . 80": 1}})

    assert "delete element inet t ports4 { tcp . 8080 }" in mesh.change({WEB: {}})
    mesh.change({}, gone=[WEB])
    assert mesh.ports == set()


def test_a_table_with_too_few_chains_is_made_anew_with_more() -> None:
    """They cannot be added later, so there are twice as many each time, and slots stay."""
    mesh = Mesh("t", is_host=True)
    mesh.whole({WEB: {f"172.18.0.{number} . 80": 1 for number in range(3, 11)}})

    text = mesh.change({WEB: {f"172.18.0.{number} . 80": 1 for number in range(3, 12)}})

    assert text.startswith("add table inet t\ndelete table inet t\n")
    assert "chain of16v4" in text
    assert "chain of17v4" not in text
    assert "goto of9v4" in text
    assert "tcp . 8080 . 8 : 172.18.0.11 . 80" in text
    assert "delete" not in mesh.change({WEB: {"172.18.0.3 . 80": 17}}).split("\n", 2)[2]


def test_each_family_has_the_targets_of_its_own() -> None:
    """Nothing translates from one to the other."""
    mesh = Mesh("t", is_host=True)
    mesh.whole({WEB: {"172.18.0.3 . 80": 1}})

    text = mesh.change({WEB: {"172.18.0.3 . 80": 1, "fd00::3 . 80": 1}})

    assert text.splitlines() == [
        "add element inet t ports6 { tcp . 8080 : goto of1v6 }",
        "add element inet t slots6 { tcp . 8080 . 0 : fd00::3 . 80 }",
    ]


def test_clients_addresses_are_hidden_in_the_sandbox_alone() -> None:
    """A task of the node itself sees who asks."""
    assert "masquerade" in Mesh("t", is_host=False).whole({})
    assert "masquerade" not in Mesh("t", is_host=True).whole({})
