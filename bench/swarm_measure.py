"""Cases of services measured in fair pairs: figures, ratios, targets."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.swarms import Swarm


@dataclass(frozen=True)
class Figure:
    """What a case measures, less being better.

    faster:  how many times as fast as the reference it should be; None for no target of that kind.
    most:    the most that it should be, in its unit; None likewise.
    """

    name: str
    unit: str
    faster: float | None = None
    most: float | None = None


@dataclass(frozen=True)
class Case:
    """`run` returns one value per figure; `is_warmed`: a round before the first does not count."""

    name: str
    figures: tuple[Figure, ...]
    run: Callable[[Swarm], Sequence[float]]
    rounds: int
    is_warmed: bool = False
    nodes: int = 1


@dataclass(frozen=True)
class Result:
    """The median of a figure, by the swarm's name, and the load average when it was taken."""

    figure: Figure
    medians: dict[str, float]
    load: float

    @property
    def faster(self) -> float | None:
        """How many times as fast as the reference; None where there is none."""
        if "dockerd" not in self.medians or self.medians["skep"] == 0:
            return None
        return self.medians["dockerd"] / self.medians["skep"]

    def misses(self) -> list[str]:
        """Return what is not as it should be, in words."""
        figure, value, said = self.figure, self.medians["skep"], []
        if figure.most is not None and value > figure.most:
            said.append(f"{value:.2f} {figure.unit}, at most {figure.most:g} is the target")
        if figure.faster and self.faster is not None and self.faster < figure.faster:
            said.append(f"{self.faster:.1f} times as fast, {figure.faster:g} is the target")
        return said

    def line(self) -> str:
        """Return the row of the table."""
        figure = self.figure
        row = f"{figure.name:34}{figure.unit:6}"
        row += "".join(
            f"{self.medians[name]:9.2f}" if name in self.medians else f"{'-':>9}"
            for name in ("skep", "dockerd")
        )
        row += f"{'-':>8} " if self.faster is None else f"{self.faster:7.1f}x "
        targets = ["" if figure.most is None else f"<= {figure.most:g} {figure.unit}"]
        targets.append("" if figure.faster is None else f">= {figure.faster:g}x")
        verdict = "MISSED" if self.misses() else "ok" if any(targets) else ""
        return f"{row} {', '.join(filter(None, targets)):20}{self.load:5.1f}  {verdict}"


HEAD = f"{'case':34}{'unit':6}{'skep':>9}{'dockerd':>9}{'ratio':>8}  {'target':20}{'load':>5}"


def measure(case: Case, swarms: Sequence[Swarm], rounds: int | None = None) -> list[Result]:
    """Run a case on every swarm in turn, each being the first as often as the others."""
    found: dict[str, list[Sequence[float]]] = {swarm.name: [] for swarm in swarms}
    if case.is_warmed:
        for swarm in swarms:
            case.run(swarm)
    for number in range(rounds or case.rounds):
        for swarm in swarms if number % 2 == 0 else reversed(swarms):
            found[swarm.name].append(case.run(swarm))
    load = os.getloadavg()[0]
    return [
        Result(
            figure,
            {name: statistics.median(row[each] for row in rows) for name, rows in found.items()},
            load,
        )
        for each, figure in enumerate(case.figures)
    ]
