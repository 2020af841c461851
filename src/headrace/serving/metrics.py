"""What Prometheus reads at `/metrics`: names by its own rules, seconds and ratios as units."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Metrics"]

# Those of OpenTelemetry's advice, and three below them: small graphs answer in less than 5 ms.
_BUCKETS = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075),
    *(0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The figures of one server process."""

    def __init__(self) -> None:
        own = self.registry = CollectorRegistry()
        self.requests = Counter(
            "headrace_requests", "Requests that were answered.", ["route", "status"], registry=own
        )
        self.duration = Histogram(
            "headrace_request_duration_seconds",
            "From a request's first line to the end of its answer.",
            ["route"],
            buckets=_BUCKETS,
            registry=own,
        )
        self.in_progress = Gauge(
            "headrace_requests_in_progress",
            "Requests that are being answered.",
            registry=own,
            multiprocess_mode="livesum",
        )
        self.rows = Counter("headrace_rows", "Rows that were answered.", ["version"], registry=own)
        self.refused = Counter(
            "headrace_refused", "Requests that were turned away.", ["reason"], registry=own
        )
        self.batch = Histogram(
            "headrace_batch_requests",
            "Requests that were answered by one call of the graph.",
            buckets=_SIZES,
            registry=own,
        )
        self.release = Gauge(
            "headrace_release_info",
            "1 for each release that answers, by its part.",
            ["version", "part"],
            registry=own,
            multiprocess_mode="max",
        )
        self.swaps = Counter("headrace_swaps", "Releases that were changed.", registry=own)
        self.failed_swaps = Counter(
            "headrace_failed_swaps", "Releases that could not be opened.", registry=own
        )
        self.shadow_rows = Counter(
            "headrace_shadow_rows", "Rows that the shadow answered too.", registry=own
        )
        self.shadow_differs = Counter(
            "headrace_shadow_differs", "Rows that the shadow answered otherwise.", registry=own
        )
        self.missing = Gauge(
            "headrace_column_missing_ratio",
            "Share of the recent rows without a value.",
            ["column"],
            registry=own,
            multiprocess_mode="mostrecent",
        )
        self.drift = Gauge(
            "headrace_column_drift_ratio",
            "Jensen-Shannon distance of the recent rows from those of training, 0 to 1.",
            ["column"],
            registry=own,
            multiprocess_mode="mostrecent",
        )
        self.alarm = Gauge(
            "headrace_column_drift_alarm",
            "1 where a column has drifted, at the stated rate of false alarms.",
            ["column"],
            registry=own,
            multiprocess_mode="mostrecent",
        )
        self.logged = Gauge(
            "headrace_ledger_items",
            "Predictions and labels for the ledger, by what became of them.",
            ["state"],
            registry=own,
            multiprocess_mode="livesum",
        )
        self._cells: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        cell = self._cells.get((route, status))
        if cell is None:
            cell = self.requests.labels(route, status), self.duration.labels(route)
            self._cells[route, status] = cell
        cell[0].inc()
        cell[1].observe(seconds)

    def parts(self, versions: Mapping[str, str]) -> None:
        """Say which release is the champion, the canary, the shadow."""
        self.release.clear()
        for part, version in versions.items():
            self.release.labels(version, part).set(1)

    def text(self) -> bytes:
        """Answer all figures in Prometheus' format, of all worker processes together."""
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            from prometheus_client.multiprocess import MultiProcessCollector

            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
            return generate_latest(registry)
        return generate_latest(self.registry)
