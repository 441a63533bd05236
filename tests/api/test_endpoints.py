"""Every operation of the API has its row in tests/data/endpoints.csv, and every route is one."""

from __future__ import annotations

import csv
import importlib
import pkgutil
import re
from pathlib import Path

import agent.routes
import engine.routes
import manager.routes

ROWS = Path(__file__).parents[1] / "data" / "endpoints.csv"


def read_rows() -> list[dict[str, str]]:
    """Return the table: method, path, operation, and `built` or `later`."""
    with ROWS.open() as file:
        return list(csv.DictReader(file))


def shape(path: str) -> str:
    """Return a path with its parameters' names left out."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def routes() -> set[tuple[str, str]]:
    """Return method and shape of every route of Docker's API: the engine's, the managers'."""
    found = set()
    for package in (agent.routes, engine.routes, manager.routes):
        for module in pkgutil.iter_modules(package.__path__):
            name = f"{package.__name__}.{module.name}"
            router = getattr(importlib.import_module(name), "router", None)
            for route in router.routes if router is not None else ():
                found |= {(method, shape(route.path)) for method in route.methods}
    return found - _OWN


# What managers and agents answer beside Docker's API.
_OWN = {
    ("GET", "/cluster/backup"),
    ("GET", "/cluster/events"),
    ("GET", "/cluster/status"),
    ("POST", "/cluster/restore"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/metrics"),
    ("GET", "/skep/networks/differences"),
}


def test_every_route_is_an_operation_of_the_api() -> None:
    rows = {(row["method"], shape(row["path"])) for row in read_rows()}

    assert set() == routes() - rows


def test_every_built_operation_has_a_route() -> None:
    rows = {(row["method"], shape(row["path"])) for row in read_rows() if row["status"] == "built"}

    assert set() == rows - routes()


def test_the_table_says_built_or_later() -> None:
    assert {"built", "later"} == {row["status"] for row in read_rows()}
