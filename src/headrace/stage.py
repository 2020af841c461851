"""The stage: a part of a pipeline's life that can be run, changed, left out or added."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from headrace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import polars as pl

    from headrace.cache.cache import Cache
    from headrace.pipeline import Pipeline
    from headrace.result import Result

__all__ = ["Context", "Stage", "checked_stages"]


@dataclass
class Context:
    """What the stages of one run share.

    Attributes:
        train: The rows to learn from, raw; a lazy table where they do not fit the memory.
        test: The rows held out, raw, likewise; no stage may train on them.
        to: The folder of the registry that a release is published to; None to publish nothing.
        results: What each stage answered, by the stage's name, in order.
        cache: Where results are kept; None where nothing is.
        work: A folder for what the stage that runs now keeps of itself while it is at it, so that
            it can go on after a kill; None where nothing is kept.
    """

    train: pl.DataFrame | pl.LazyFrame
    test: pl.DataFrame | pl.LazyFrame
    to: Path | None = None
    results: dict[str, Result] = field(default_factory=dict)
    cache: Cache | None = None
    work: Path | None = None


class Stage(ABC):
    """The base of every stage.

    Attributes:
        name: What the stage is called; its result is kept under this name.
        cached: Whether a run may take the stage's result from the cache: it is then decided by the
            stage's code and settings, the pipeline, the rows and what `beside` answers, and by
            nothing else, and what the stage does besides is done by `restore`.
        reads: What decides the result: "steps" and "settings" of the pipeline, "fitted" (what
            training learnt), "scores" of the last evaluation, the rows "train" and "test", and
            "results" of the stages before.
        kept_as: The frozen dataclasses that the result is made of, where they are the user's own.

    Example:
        >>> class Announce(Stage):
        ...     '''Say how the evaluation went.'''
        ...     name = "announce"
        ...     def run(self, pipeline, context):
        ...         print(context.results["evaluate"].summary())
    """

    name: ClassVar[str] = ""
    cached: ClassVar[bool] = False
    reads: ClassVar[frozenset[str]] = frozenset(
        {"steps", "settings", "fitted", "scores", "train", "test", "results"}
    )
    kept_as: ClassVar[tuple[type, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Name the stage after its class where it names itself nothing."""
        super().__init_subclass__(**kwargs)
        if not cls.name:
            cls.name = cls.__name__.lower()

    @abstractmethod
    def run(self, pipeline: Pipeline, context: Context) -> Result | None:
        """Do the stage's work.

        Args:
            pipeline: The pipeline; its verbs may be called.
            context: The rows and what earlier stages answered.

        Returns:
            The stage's result, or None when there is nothing to keep.
        """

    def beside(self, pipeline: Pipeline, context: Context) -> Mapping[str, Any]:
        """Answer what else decides the result, as plain values; nothing by default."""
        del pipeline, context
        return {}

    def keeps(self, result: Result | None) -> bool:
        """Answer whether a result may be taken from the cache the next time; yes by default."""
        del result
        return True

    def restore(self, pipeline: Pipeline, context: Context, result: Any) -> Result | None:
        """Do to the pipeline what `run` did when it gave a result that was kept.

        Args:
            pipeline: The pipeline.
            context: The rows and what earlier stages answered.
            result: The kept result.

        Returns:
            The result.

        Raises:
            NotKept: What was kept is of no use now; the stage then runs.
        """
        del pipeline, context
        return result  # type: ignore[no-any-return]


def checked_stages(stages: Iterable[Stage]) -> list[Stage]:
    """Answer the stages of a pipeline.

    Raises:
        SettingError: One of them is no stage.
    """
    listed = list(stages)
    for stage in listed:
        if not isinstance(stage, Stage):
            raise SettingError(
                f"{stage!r} is no stage; derive one from hr.Stage with run(pipeline, context)"
            )
    return listed
