"""How fast are integrated gradients, beside a loop over rows written by hand?

    python benchmarks/explaining.py [--tiny]

Both explain the same rows by the same network of 20 number columns, with the same baselines and
steps. The loop calls the Keras model once a row and baseline, as tutorials do; it is timed on
fewer rows and its time is scaled up.
"""

from __future__ import annotations

import statistics
import sys
import time

import numpy as np
import polars as pl

import headrace as hr
from headrace.evaluate import attribute

STEPS, BASELINES = 8, 20


def main() -> None:
    """Print seconds for each way, and their ratio."""
    rows, looped, repeats = (100, 2, 1) if "--tiny" in sys.argv else (1000, 10, 3)
    random = np.random.default_rng(0)
    frame = pl.DataFrame({f"x{n}": random.normal(size=2000) for n in range(20)})
    names = frame.columns
    frame = frame.with_columns(y=pl.sum_horizontal(pl.col(names).sin()))
    pipe = hr.Pipeline([hr.normalize.Standardize(), hr.Network([64, 64], epochs=5)], target="y")
    pipe.train(frame)
    ours, loops = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        attribute(pipe, frame[:rows], steps=STEPS, most_steps=STEPS, baselines=BASELINES)
        ours.append(time.perf_counter() - start)
        start = time.perf_counter()
        by_hand(pipe, frame[:looped], frame[-BASELINES:])
        loops.append((time.perf_counter() - start) * rows / looped)
    fast, slow = statistics.median(ours), statistics.median(loops)
    print(f"{rows} rows x 20 columns, {BASELINES} baselines, {STEPS} steps, {repeats} repetitions")
    print(f"headrace      {fast:8.2f} s")
    print(f"loop by hand  {slow:8.2f} s (scaled up from {looped} rows)")
    print(f"ratio         {slow / fast:8.1f}")


def by_hand(pipe: hr.Pipeline, rows: pl.DataFrame, baselines: pl.DataFrame) -> None:
    """Integrate one path after the other."""
    import tensorflow as tf

    fitted = pipe.fitted
    ends, starts = (fitted.features(fitted.conform(one)).numbers for one in (rows, baselines))
    alphas = ((np.arange(STEPS, dtype=np.float32) + 0.5) / STEPS)[:, None]
    for end in ends:
        for first in starts:
            points = tf.constant(first + alphas * (end - first))
            with tf.GradientTape() as tape:
                tape.watch(points)
                answer = fitted.network.model({"numbers": points}, training=False)
            np.mean(tape.gradient(answer, points), axis=0) * (end - first)


if __name__ == "__main__":
    main()
