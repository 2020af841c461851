"""The stage: a part of a pipeline's life that can be run, changed, left out or added."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from headrace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import polars as pl

    from headrace.pipeline import Pipeline
    from headrace.result import Result

__all__ = ["Context", "Stage", "checked_stages"]


@dataclass
class Context:
    """What the stages of one run share.

    Attributes:
        train: The rows to learn from, raw.
        test: The rows held out, raw; no stage may train on them.
        to: The folder of the registry that a release is published to; None to publish nothing.
        results: What each stage answered, by the stage's name, in order.
    """

    train: pl.DataFrame
    test: pl.DataFrame
    to: Path | None = None
    results: dict[str, Result] = field(default_factory=dict)


class Stage(ABC):
    """The base of every stage.

    Attributes:
        name: What the stage is called; its result is kept under this name.

    Example:
        >>> class Announce(Stage):
        ...     '''Say how the evaluation went.'''
        ...     name = "announce"
        ...     def run(self, pipeline, context):
        ...         print(context.results["evaluate"].summary())
    """

    name: ClassVar[str] = ""

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
