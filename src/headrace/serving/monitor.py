"""Monitoring: do the rows of late look like those of the training?

It runs in a process of its own, for a second or two, so that no request waits for it and the
server stays as small as it is: `python -m headrace.serving.monitor RELEASE < rows.jsonl`.

Each row is judged once, and the rate of false alarms holds for a month of looking: the rate of one
report is that of the month divided by the number of reports that fit into it (Bonferroni).
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.data.schema import MISSING_TIME

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import polars as pl

    from headrace.deploy.runtime import Runtime

__all__ = ["Monitor", "judge"]

_MONTH = 30 * 86_400.0
_PATIENCE = 120.0
_log = logging.getLogger("headrace.serving")


class Monitor:
    """Judges rows from time to time.

    Args:
        every: Seconds between two reports.
        fewest: Rows that a report needs.
        false_alarms: The chance of one or more false alarms in a month of looking.
    """

    def __init__(
        self, every: float = 60.0, *, fewest: int = 200, false_alarms: float = 0.05
    ) -> None:
        self.every = every
        self.fewest = fewest
        self.rate = false_alarms * min(1.0, every / _MONTH)
        self.report: dict[str, Any] | None = None
        self._last = time.monotonic()

    def due(self, rows: int) -> bool:
        """Answer whether so many new rows should be judged now."""
        return rows >= self.fewest and time.monotonic() - self._last >= self.every

    def look(self, release: Path, rows: Sequence[Any]) -> dict[str, Any] | None:
        """Judge rows in a process of its own; answer the report, None where it failed."""
        self._last = time.monotonic()
        command = [sys.executable, "-m", "headrace.serving.monitor", str(release), str(self.rate)]
        text = "\n".join(json.dumps(row) for row in rows)
        try:
            done = subprocess.run(  # noqa: S603 - this Python, and the release that is served
                command, input=text, capture_output=True, text=True, timeout=_PATIENCE, check=True
            )
            self.report = json.loads(done.stdout)
        except (subprocess.SubprocessError, OSError, ValueError) as error:
            said = getattr(error, "stderr", None) or error
            _log.warning(json.dumps({"event": "monitoring failed", "error": str(said)[-500:]}))
            return None
        return self.report


def judge(runtime: Runtime, rows: Sequence[Any], rate: float) -> dict[str, Any]:
    """Compare rows with the profile of the release.

    Args:
        runtime: The release.
        rows: Rows that it has answered.
        rate: The chance of one or more false alarms in this report.

    Returns:
        `rows`, a `sentence`, and for each column its share of missing values, its distance from
        the training rows (Jensen–Shannon, 0 to 1), and whether that is an alarm, in words.
    """
    from headrace.data.profile import Profile
    from headrace.maintain.drift import drift

    schema = runtime.schema
    frame, missing = _canonical(runtime, rows)
    profile = Profile.from_dict(runtime.release.document("profile.json"))
    report = drift(profile, frame.lazy(), schema, false_alarm_rate=rate)
    return {
        "rows": len(rows),
        "time": time.time(),
        "rate": rate,
        "sentence": report.sentence(),
        "columns": {
            one.column: {
                "missing": missing[one.column],
                "drift": one.effect,
                "alarm": one.alarm,
                "words": one.words,
            }
            for one in report.columns
            if one.column in missing
        },
    }


def _canonical(runtime: Runtime, rows: Sequence[Any]) -> tuple[pl.DataFrame, dict[str, float]]:
    """Answer canonical columns, and the share of missing values in each."""
    import polars as pl

    schema, blocks = runtime.schema, runtime.door(rows)
    columns: dict[str, Any] = {}
    missing: dict[str, float] = {}
    for names, block in zip((schema.numbers, schema.strings, schema.times), blocks, strict=True):
        for place, name in enumerate(names):
            values = block[:, place]
            columns[name] = values.tolist() if values.dtype == object else values
            missing[name] = float(_gaps(values).mean())
    return pl.DataFrame({name: columns[name] for name in schema.names}), missing


def _gaps(values: Any) -> Any:
    if values.dtype == object:
        return values == ""
    return np.isnan(values) if values.dtype.kind == "f" else values == MISSING_TIME


def main() -> None:
    """Judge the rows on standard input."""
    from headrace.deploy.runtime import Runtime

    rows = [json.loads(line) for line in sys.stdin if line.strip()]
    sys.stdout.write(json.dumps(judge(Runtime(sys.argv[1]), rows, float(sys.argv[2]))))


if __name__ == "__main__":
    main()
