"""Messages of errors, word by word: clients match on them.

Each row of tests/data/messages.csv names a class, what it is made with, its status and its text.
"""

from __future__ import annotations

import csv
import importlib
import json
from pathlib import Path

import pytest

from api.errors import SkepError

with (Path(__file__).parents[1] / "data" / "messages.csv").open() as _file:
    ROWS = list(csv.DictReader(_file))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["class"])
def test_message_and_status_are_as_clients_know_them(row: dict[str, str]) -> None:
    module, _, name = row["class"].partition(":")
    kind = getattr(importlib.import_module(module), name)

    error = kind(*json.loads(row["arguments"]))

    assert isinstance(error, SkepError)
    assert (int(row["status"]), row["message"]) == (error.http, error.message)
