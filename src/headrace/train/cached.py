"""Training with a cache: what is kept is taken, what was cut off goes on."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.cache.cache import Cache
from headrace.train.calibrating import calibrated, hold_out, wanted_conformal
from headrace.train.kept import training_part
from headrace.train.training import train

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headrace.preprocessing.step import Step
    from headrace.train.fitted import Fitted
    from headrace.train.result import TrainResult

__all__ = ["train_kept"]


def train_kept(
    data: object,
    steps: Sequence[Step] | None,
    *,
    cache: str | Path | Cache | None,
    checkpoint: str | Path | None = None,
    **settings: Any,
) -> Fitted:
    """Train a pipeline, or go on where that was cut off, or take what is kept.

    Where the network is to have intervals, the rows that calibrate them are held out before.

    Args:
        data: The rows, from any source.
        steps: The steps, the model last; None to choose them from the schema.
        cache: Where all is kept that the training comes to; None to keep nothing there.
        checkpoint: The folder that keeps what is done so far; None for one in the cache.
        **settings: As for `train`.
    """
    folder = None if checkpoint is None else Path(checkpoint)
    wanted = wanted_conformal(steps, settings.get("network"))
    if wanted is None:
        return _train(data, steps, cache, folder, settings)
    seed = settings.get("seed", 0)
    learn, held = hold_out(data, wanted, settings.get("validation"), seed)
    fitted = calibrated(_train(learn, steps, cache, folder, settings), held, wanted)
    return replace(fitted, result=_with_note(fitted))


def _with_note(fitted: Fitted) -> TrainResult | None:
    rows = max(one.rows for one in fitted.conformal.values())
    note = f"{rows:,} more rows were held out of all this and calibrated the intervals"
    result = fitted.result
    return None if result is None else replace(result, notes=(*result.notes, note))


def _train(
    data: object,
    steps: Sequence[Step] | None,
    cache: str | Path | Cache | None,
    folder: Path | None,
    settings: Mapping[str, Any],
) -> Fitted:
    if cache is None:
        return train(data, steps, checkpoint=folder, **settings)
    cache = cache if isinstance(cache, Cache) else Cache(cache)
    deciding = {name: value for name, value in settings.items() if name != "engine"}
    part = training_part(cache, data, steps, deciding)
    with part.alone():
        done = part.load() is not None
        part.begin()
        start = time.perf_counter()
        fitted = train(data, steps, **settings, checkpoint=folder or part.folder, cache=cache)
        if not done:
            part.save(None, seconds=time.perf_counter() - start)
    return fitted
