"""Seconds of an epoch: Keras's fit, headrace's compiled loop, and the same loop written by hand.

    python benchmarks/training.py [--rows 20000] [--batches 32 256] [--epochs 3] [--repeats 5]

All train the same network with the same optimiser (Adam) on the same generated rows, in one
process, one after the other in each repetition; the median of the repetitions counts. The time to
compile is shown apart. "by hand" is one XLA program that gathers a batch, computes the gradients
and takes Adam's step, without Keras's trainer, metrics, history or callbacks: the limit.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from headrace.model.architectures import architecture
from headrace.model.feed import feed_of
from headrace.model.fused import FusedSteps
from headrace.model.rows import Rows
from headrace.model.target import TargetSpec
from headrace.plan.features import FeatureSpec

if TYPE_CHECKING:
    from collections.abc import Callable

COLUMNS = 20
RATE = 1e-3
TARGET = TargetSpec("y", "binary", classes=(0, 1))
SPEC = FeatureSpec(tuple(f"x{place}" for place in range(COLUMNS)))
NETWORKS = {
    "MLP 3x256": ("mlp", {"hidden": [256, 256, 256], "embedding": None, "dropout": 0.0}),
    "MLP 3x256, dropout": ("mlp", {"hidden": [256, 256, 256], "embedding": None, "dropout": 0.1}),
    "TabM k=8": ("tabm", {}),
}


@dataclass
class Way:
    """One way to train: what an epoch took, and the first call with its compilation."""

    epoch: Callable[[], None]
    compile: float = 0.0
    seconds: list[float] = field(default_factory=list)


def make_rows(count: int) -> Rows:
    random = np.random.default_rng(0)
    numbers = random.normal(size=(count, COLUMNS)).astype(np.float32)
    signal = np.sin(numbers[:, :4]).sum(axis=1) + numbers[:, 4] * numbers[:, 5]
    target = (signal + random.normal(size=count) > 0).astype(np.float32)[:, None]
    return Rows({"numbers": numbers}, target)


def make_model(name: str) -> Any:
    keras.utils.set_random_seed(0)
    kind, settings = NETWORKS[name]
    found = architecture(kind)
    model = found.build(SPEC, TARGET, **found.settings(settings))
    model.compile(
        optimizer=keras.optimizers.Adam(RATE), loss="binary_crossentropy", jit_compile=False
    )
    return model


def by_keras(name: str, rows: Rows, batch: int, *, xla: bool, steps: int) -> Callable[[], None]:
    model = make_model(name)
    model.compile(
        optimizer=model.optimizer,
        loss=model.loss,
        jit_compile=xla,
        steps_per_execution=steps,
    )
    inputs, target = rows.keras()
    return lambda: model.fit(inputs, target, batch_size=batch, epochs=1, verbose=0) and None


def by_headrace(name: str, rows: Rows, batch: int) -> Callable[[], None]:
    model = make_model(name)
    model.test_step(rows.keras(slice(0, batch)))
    model.optimizer.build(model.trainable_variables)
    steps = FusedSteps(model, feed_of(rows, batch, seed=0))
    steps.compile()

    def epoch() -> None:
        steps.start_epoch(0)
        model.reset_metrics()
        while steps.done < steps.steps:
            steps(None)

    return epoch


def by_hand(name: str, rows: Rows, batch: int) -> Callable[[], None]:
    model = make_model(name)
    variables = model.trainable_variables
    means = [tf.Variable(tf.zeros_like(v.value)) for v in variables]
    squares = [tf.Variable(tf.zeros_like(v.value)) for v in variables]
    taken = tf.Variable(0.0)
    numbers, target = tf.constant(rows.inputs["numbers"]), tf.constant(rows.target)
    count = len(rows) // batch
    loss = keras.losses.BinaryCrossentropy()

    def step(number: Any, order: Any) -> Any:
        chosen = tf.slice(order, [number * batch], [batch])
        inputs, truth = tf.gather(numbers, chosen), tf.gather(target, chosen)
        with tf.GradientTape() as tape:
            answer = model({"numbers": inputs}, training=True)
            if len(answer.shape) == 3:
                truth = tf.repeat(truth, answer.shape[1], axis=0)
                answer = tf.reshape(answer, (-1, 1))
            value = loss(truth, answer)
        gradients = tape.gradient(value, [v.value for v in variables])
        taken.assign_add(1.0)
        scale = RATE * tf.sqrt(1 - 0.999**taken) / (1 - 0.9**taken)
        for v, m, s, g in zip(variables, means, squares, gradients, strict=True):
            m.assign_add(0.1 * (g - m))
            s.assign_add(0.001 * (tf.square(g) - s))
            v.assign_sub(scale * m / (tf.sqrt(s) + 1e-7))
        return number + 1

    @tf.function(jit_compile=True, autograph=False)
    def many(order: Any) -> Any:
        return tf.while_loop(lambda n: n < count, lambda n: step(n, order), [tf.constant(0)])

    random = np.random.default_rng(0)

    def epoch() -> None:
        many(tf.constant(random.permutation(len(rows)).astype(np.int32)))[0].numpy()

    return epoch


def measure(name: str, rows: Rows, batch: int, repeats: int, epochs: int) -> dict[str, Way]:
    makers: dict[str, Callable[[], Callable[[], None]]] = {
        "Keras fit": lambda: by_keras(name, rows, batch, xla=False, steps=1),
        "Keras fit, XLA, 64 steps": lambda: by_keras(name, rows, batch, xla=True, steps=64),
        "headrace": lambda: by_headrace(name, rows, batch),
        "by hand": lambda: by_hand(name, rows, batch),
    }
    ways = {}
    for label, make in makers.items():
        began = time.perf_counter()
        way = ways[label] = Way(make())
        way.epoch()
        way.compile = time.perf_counter() - began
    for _ in range(repeats):
        for way in ways.values():
            began = time.perf_counter()
            for _ in range(epochs):
                way.epoch()
            way.seconds.append((time.perf_counter() - began) / epochs)
    return ways


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--batches", type=int, nargs="*", default=[32, 256])
    parser.add_argument("--epochs", type=int, default=1, help="epochs of one timing")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=NETWORKS, default=list(NETWORKS))
    given = parser.parse_args()
    devices = tf.config.list_physical_devices("GPU")
    print(f"{given.rows:,} rows x {COLUMNS} numbers, on {devices or 'the CPU'}")
    print(f"{'network':<20}{'batch':>6}  {'way':<26}{'s/epoch':>9}{'x headrace':>12}{'first':>8}")
    rows = make_rows(given.rows)
    for name in given.only:
        for batch in given.batches:
            ways = measure(name, rows, batch, given.repeats, given.epochs)
            own = statistics.median(ways["headrace"].seconds)
            for label, way in ways.items():
                seconds = statistics.median(way.seconds)
                print(
                    f"{name:<20}{batch:>6}  {label:<26}{seconds:>9.3f}{seconds / own:>12.2f}"
                    f"{way.compile:>7.1f}s",
                    flush=True,
                )


if __name__ == "__main__":
    main()
