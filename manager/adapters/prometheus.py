"""Measurements in Prometheus' form."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from manager.ports.metrics import Gauge

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_FAST_S = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.0, 4.0)


class PrometheusMetrics:
    """A registry of its own; gauges are read when somebody asks."""

    def __init__(self, gauges: Callable[[], Iterable[Gauge]]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Gauges(gauges))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._fsync = Histogram(
            "skep_raft_fsync_seconds",
            "How long a write to the raft log took until it was on disk.",
            buckets=_FAST_S,
            registry=self._registry,
        )
        self._proposal = Histogram(
            "skep_raft_proposal_seconds",
            "From a proposal to its application on this manager.",
            buckets=_FAST_S,
            registry=self._registry,
        )
        self._proposals = Counter(
            "skep_raft_proposals",
            "Proposals made on this manager, by how they ended.",
            ["outcome"],
            registry=self._registry,
        )

    def wrote(self, seconds: float) -> None:
        """Note one durable write of the log."""
        self._fsync.observe(seconds)

    def proposed(self, outcome: str, seconds: float) -> None:
        """Note how a proposal ended (committed, dropped, unknown), and after what time."""
        self._proposals.labels(outcome).inc()
        self._proposal.observe(seconds)

    def render(self) -> bytes:
        """Return all of it as text."""
        return generate_latest(self._registry)


class _Gauges(Collector):
    def __init__(self, read: Callable[[], Iterable[Gauge]]) -> None:
        self._read = read

    def collect(self) -> Iterable[GaugeMetricFamily]:
        for gauge in self._read():
            family = GaugeMetricFamily(gauge.name, gauge.text, labels=gauge.label_names)
            for labels, value in gauge.values:
                family.add_metric(labels, value)
            yield family
