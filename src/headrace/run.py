"""Running all stages of a pipeline's life in order."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.cache.cache import Cache
from headrace.cache.explanation import NO_CACHE, Explanation
from headrace.data.lazy_split import split_lazy
from headrace.data.source import read
from headrace.data.split import Split, split
from headrace.errors import DataError, Problem, ReleaseError, SettingError
from headrace.keeping import Keeping
from headrace.result import Result
from headrace.stage import Context, Stage
from headrace.train.budget import fits_in_memory
from headrace.train.labels import LABEL, label_series

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl
    from matplotlib.axes import Axes

    from headrace.pipeline import Pipeline

__all__ = ["RunResult", "default_stages", "open_cache", "run"]

_CACHE = ".cache"
_TEST_SHARE = 0.2
_FEWEST_ROWS = 10


@dataclass(frozen=True)
class RunResult(Result):
    """What each stage of a run answered.

    Attributes:
        results: The results by the stage's name, in order.
        cache: What was taken from the cache, what ran, and why.
    """

    results: Mapping[str, Result]
    cache: Explanation = NO_CACHE

    def __getitem__(self, stage: str) -> Result:
        """Answer the result of a stage."""
        return self.results[stage]

    def summary(self) -> str:
        """Answer the summaries one below the other."""
        parts = [f"{name}\n{'-' * len(name)}\n{r.summary()}" for name, r in self.results.items()]
        return "\n\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Answer the results' figures by stage."""
        return {name: result.to_dict() for name, result in self.results.items()}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the last result that has a picture."""
        last = list(self.results.values())[-1]
        return last.plot(ax)

    def report(self, path: str | Path) -> Path:
        """Write all results as one HTML file.

        Args:
            path: The file to write.
        """
        from headrace.visualization import write_report

        return write_report(Path(path), dict(self.results))


def default_stages() -> list[Stage]:
    """Answer the five stages: train, evaluate, tune, deploy, maintain."""
    from headrace.deploy.stage import Deploy
    from headrace.evaluate.stage import Evaluate
    from headrace.maintain.stage import Maintain
    from headrace.train.stage import Train
    from headrace.tune.stage import Tune

    return [Train(), Evaluate(), Tune(), Deploy(), Maintain()]


def run(
    pipeline: Pipeline,
    data: object,
    to: str | Path | None,
    cache: str | Path | bool | None = None,
) -> RunResult:
    """Run the stages of a pipeline (see `Pipeline.run`).

    Raises:
        DataError: If there are too few rows to hold some out.
        SettingError: A cache is wanted, and there is no folder for it.
    """
    train, test = _parts(read(data), pipeline)
    home = None if to is None else Path(to)
    kept = _cache(home, cache)
    context = Context(train, test, home, cache=kept)
    keeping = None if kept is None else Keeping(kept)
    for stage in _stages(pipeline):
        result = (
            stage.run(pipeline, context)
            if keeping is None
            else keeping.run(stage, pipeline, context)
        )
        if result is not None:
            context.results[stage.name] = result
    return RunResult(context.results, NO_CACHE if kept is None else kept.explanation())


def open_cache(folder: Path) -> Cache:
    """Open a cache by its own folder, or by that of the registry that it is in.

    Raises:
        SettingError: There is none.
    """
    found = [path for path in (folder / _CACHE, folder) if (path / "locks").is_dir()]
    if not found:
        raise SettingError(
            f"{folder} holds no cache: give the folder that run published to, or the one that was "
            "given as cache"
        )
    return Cache(found[0])


def _cache(to: Path | None, cache: str | Path | bool | None) -> Cache | None:
    if cache is False or (cache is None and to is None):
        return None
    if isinstance(cache, str | Path):
        return Cache(cache)
    if to is None:
        raise SettingError(
            "cache=True keeps results inside of the folder that is published to, and there is "
            "none: give one as to, or a folder as cache"
        )
    if (to / "manifest.json").exists():
        raise ReleaseError(f"{to} is a release; a registry needs a folder of its own")
    return Cache(to / _CACHE)


def _stages(pipeline: Pipeline) -> Sequence[Stage]:
    if pipeline.stages is not None:
        return pipeline.stages
    stages = default_stages()
    if pipeline.target is None:
        return [stage for stage in stages if stage.name != "tune"]
    if not isinstance(pipeline.target, str):
        # Tuning and maintenance follow one target.
        return [stage for stage in stages if stage.name not in ("tune", "maintain")]
    return stages


def _parts(
    source: pl.LazyFrame, pipeline: Pipeline
) -> tuple[pl.DataFrame | pl.LazyFrame, pl.DataFrame | pl.LazyFrame]:
    """Hold rows out; a table that does not fit the memory stays lazy."""
    if fits_in_memory(source, pipeline.engine):
        return _held_out(source.collect(), pipeline.target, pipeline.seed)
    return split_lazy(source, Split(share=_TEST_SHARE), seed=pipeline.seed)


def _held_out(
    rows: pl.DataFrame, target: str | Sequence[str] | None, seed: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    if rows.height < _FEWEST_ROWS:
        raise DataError(
            [
                Problem(
                    f"run holds out a fifth of the rows and needs at least {_FEWEST_ROWS}; "
                    f"received {rows.height}",
                    hint="Call train and evaluate with rows of your own choice",
                )
            ]
        )
    if not isinstance(target, str):
        return split(rows, share=_TEST_SHARE, seed=seed)
    labels = label_series(rows, target)
    few = labels.n_unique() <= max(2, rows.height // 50)
    marked = rows.with_columns(labels.alias(LABEL))
    parts = split(marked, share=_TEST_SHARE, stratify=LABEL if few else None, seed=seed)
    return parts[0].drop(LABEL), parts[1].drop(LABEL)
