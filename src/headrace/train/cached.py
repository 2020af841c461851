"""Training with a cache: what is kept is taken, what was cut off goes on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.cache.cache import Cache
from headrace.train.kept import training_part
from headrace.train.training import train

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.preprocessing.step import Step
    from headrace.train.fitted import Fitted

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

    Args:
        data: The rows, from any source.
        steps: The steps, the model last; None to choose them from the schema.
        cache: Where all is kept that the training comes to; None to keep nothing there.
        checkpoint: The folder that keeps what is done so far; None for one in the cache.
        **settings: As for `train`.
    """
    folder = None if checkpoint is None else Path(checkpoint)
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
