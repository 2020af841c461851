"""A short training whose learning rate rises step by step, with the loss of each step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.model.backend import keras, tensorflow

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from headrace.model.stored import AnyRows

__all__ = ["ramp"]

_STEPS = 25
"""Steps a call; after each call it is seen whether to go on."""


def ramp(
    model: Any,
    rows: AnyRows,
    *,
    steps: int,
    batch_size: int,
    seed: int,
    stop: Callable[[NDArray[np.float64]], bool],
) -> NDArray[np.float64]:
    """Train some steps and answer the loss of each; the optimiser's schedule raises the rate.

    Args:
        model: Built and compiled.
        rows: The training rows.
        steps: How many steps at most.
        batch_size: Rows a step.
        seed: Of the order of the rows.
        stop: Told the losses so far, it says whether they are enough.

    Returns:
        (steps,) or fewer: the losses up to the last one that is a finite number.
    """
    model.test_step(rows.keras(slice(0, batch_size)))  # builds losses and metrics
    model.reset_metrics()
    model.optimizer.build(model.trainable_variables)
    order = _order(len(rows), steps, batch_size, seed)
    program = _compiled(model, rows, batch_size)
    losses = np.zeros(0)
    for first in range(0, steps, _STEPS):
        count = min(_STEPS, steps - first)
        chosen = np.zeros((_STEPS, batch_size), dtype=np.int32)
        chosen[:count] = order[first : first + count]
        losses = np.concatenate([losses, program(chosen, count).numpy()[:count]])
        bad = np.flatnonzero(~np.isfinite(losses))
        if len(bad):
            return losses[: bad[0]]
        if stop(losses):
            break
    return losses


def _order(rows: int, steps: int, batch_size: int, seed: int) -> NDArray[np.int32]:
    """Rows of each batch, (steps, batch): all rows in a random order, again and again."""
    random, needed = np.random.default_rng(seed), steps * batch_size
    rounds = [random.permutation(rows) for _ in range(-(-needed // rows))]
    return np.concatenate(rounds)[:needed].reshape(steps, batch_size).astype(np.int32)


def _compiled(model: Any, rows: AnyRows, batch_size: int) -> Any:
    """Answer a program of several steps: by XLA, or plain where XLA cannot compile the model."""
    tf = tensorflow()
    blocks = tf.nest.map_structure(tf.constant, rows.keras(slice(None)))

    def take(chosen: Any, count: Any) -> Any:
        def step(number: Any, losses: Any) -> Any:
            batch = tf.nest.map_structure(lambda block: tf.gather(block, chosen[number]), blocks)
            loss = tf.cast(_step(model, batch), tf.float32)
            return number + 1, tf.tensor_scatter_nd_update(losses, [[number]], [loss])

        start = [tf.constant(0), tf.zeros((_STEPS,))]
        return tf.while_loop(lambda number, _: number < count, step, start)[1]

    signature = [tf.TensorSpec((_STEPS, batch_size), tf.int32), tf.TensorSpec((), tf.int32)]
    program = tf.function(take, signature, jit_compile=True, autograph=False)
    try:
        program(np.zeros((_STEPS, batch_size), dtype=np.int32), 0)  # no steps: no weight changes
    except Exception:  # noqa: BLE001 - any reason is one to take the plain way
        return tf.function(take, signature, autograph=False)
    return program


def _step(model: Any, batch: Any) -> Any:
    """Take one optimiser step and answer its loss."""
    tf = tensorflow()
    inputs, target, weight = keras().utils.unpack_x_y_sample_weight(batch)
    with tf.GradientTape() as tape:
        output = model(inputs, training=True)
        loss = model.compute_loss(inputs, target, output, weight, training=True)
    variables = model.trainable_variables
    model.optimizer.apply_gradients(
        list(zip(tape.gradient(loss, variables), variables, strict=True))
    )
    return loss
