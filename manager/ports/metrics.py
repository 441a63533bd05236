"""What is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Gauge:
    """A quantity of now: its values, each with the values of the labels that tell them apart."""

    name: str
    text: str
    values: Sequence[tuple[Sequence[str], float]]
    label_names: Sequence[str] = ()


class Metrics(Protocol):
    """Where measurements go."""

    def wrote(self, seconds: float) -> None:
        """Note one durable write of the log."""
        ...

    def proposed(self, outcome: str, seconds: float) -> None:
        """Note how a proposal ended (committed, dropped, unknown), and after what time."""
        ...

    def render(self) -> bytes:
        """Return all of it, in the form that Prometheus reads."""
        ...
