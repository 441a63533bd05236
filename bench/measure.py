"""Rounds interleaved over the servers, medians, ratios."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.servers import Server


@dataclass(frozen=True)
class Case:
    """One measurement: `run` returns a figure in `unit`; `target` is ours over the reference's."""

    name: str
    unit: str
    better: Literal["lower", "higher"]
    target: float
    run: Callable[[Server], float]
    rounds: int = 7


@dataclass(frozen=True)
class Result:
    """The medians of one case, by server name."""

    case: Case
    medians: dict[str, float]
    spreads: dict[str, tuple[float, float]]

    def ratio(self) -> float | None:
        """Return ours over the reference's; None where there is no reference."""
        if "dockerd" not in self.medians:
            return None
        return self.medians["skep"] / self.medians["dockerd"]

    def meets(self) -> bool | None:
        """Tell whether the target is met; None where nothing was compared."""
        ratio = self.ratio()
        if ratio is None:
            return None
        return (
            ratio <= self.case.target if self.case.better == "lower" else ratio >= self.case.target
        )


def measure(case: Case, servers: Sequence[Server], rounds: int | None = None) -> Result:
    """Run a case in turn on every server, one warm-up first, and return the medians."""
    figures: dict[str, list[float]] = {server.name: [] for server in servers}
    for server in servers:
        case.run(server)
    for _ in range(rounds or case.rounds):
        for server in servers:
            figures[server.name].append(case.run(server))
    return Result(
        case,
        {name: statistics.median(values) for name, values in figures.items()},
        {name: (min(values), max(values)) for name, values in figures.items()},
    )


def render(results: Sequence[Result]) -> str:
    """Return a table: medians, ratio, target, whether it is met."""
    names = list(results[0].medians) if results else []
    head = f"{'case':24} {'unit':10}" + "".join(f"{name:>12}" for name in names)
    lines = [head + f"{'ratio':>8}{'target':>9}"]
    for result in results:
        line = f"{result.case.name:24} {result.case.unit:10}"
        line += "".join(f"{result.medians[name]:12.2f}" for name in names)
        ratio = result.ratio()
        if ratio is not None:
            sign = "<=" if result.case.better == "lower" else ">="
            verdict = "ok" if result.meets() else "MISSED"
            line += f"{ratio:8.2f}{sign:>4}{result.case.target:5.2f} {verdict}"
        lines.append(line)
    return "\n".join(lines)
