"""Managers that are gone when their test is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.managers.joining import join
from tests.managers.process import ManagerProcess, wait_until

MakeManager = Callable[[], ManagerProcess]


@pytest.fixture
def make_manager(tmp_path: Path) -> Iterator[MakeManager]:
    """Lend a maker of managers, each with a directory of its own."""
    made: list[ManagerProcess] = []

    def make() -> ManagerProcess:
        made.append(ManagerProcess(tmp_path / f"m{len(made) + 1}"))
        return made[-1]

    yield make
    for manager in made:
        manager.kill()


@pytest.fixture
def manager(make_manager: MakeManager) -> ManagerProcess:
    """Lend a manager that is not started yet."""
    return make_manager()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManagerProcess]:
    """Lend a manager of its own to the tests of a file; nothing there may harm it."""
    manager = ManagerProcess(tmp_path_factory.mktemp("cluster") / "m1")
    try:
        manager.init()
        yield manager
    finally:
        manager.kill()


@pytest.fixture
def three(make_manager: MakeManager) -> list[ManagerProcess]:
    """Lend a cluster of three managers; the first one made it."""
    first, *others = (make_manager() for _ in range(3))
    first.init()
    for each in others:
        join(each, first)
    managers = [first, *others]
    wait_until(lambda: all(is_settled(each, 3) for each in managers))
    return managers


def is_settled(manager: ManagerProcess, size: int) -> bool:
    """Tell whether a manager sees so many voters, all reachable, and a leader."""
    answer = manager.request("GET", "/nodes")
    if answer.status != 200:
        return False
    shown = [node["ManagerStatus"] for node in answer.json() if "ManagerStatus" in node]
    voters = manager.get("/cluster/status")["Members"]
    return (
        len(shown) == size == sum(each["IsVoter"] for each in voters)
        and all(each["Reachability"] == "reachable" for each in shown)
        and any(each.get("Leader") for each in shown)
    )
