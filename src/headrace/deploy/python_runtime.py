"""Answering with the whole pipeline in Python, for releases that have no graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from headrace.data.rows import RowDoor
from headrace.deploy.parts import fitted_from
from headrace.deploy.registry import find_release
from headrace.deploy.runtime import Runtime

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from headrace.data.rows import Blocks
    from headrace.data.schema import Schema

__all__ = ["PythonRuntime", "frame_of", "runtime_for"]


class PythonRuntime(Runtime):
    """A `Runtime` for releases with a free Python step: slower, and with TensorFlow.

    The modules that define the steps must have been imported.

    Args:
        path: A release folder or a registry.
        name: For a registry: the alias or version.

    Raises:
        ReleaseError: No release, altered, or with a step that is not known in this process.
    """

    def __init__(self, path: str | os.PathLike[str], *, name: str = "champion") -> None:
        """Check the release and rebuild the pipeline."""
        self.release, self.registry = find_release(path, name)
        self.path = self.release.path
        self.version = self.release.version
        self._fitted = fitted_from(self.release)
        self.schema = self._fitted.schema
        self.target = self._fitted.target
        self.conformal = dict(self._fitted.conformal)
        self.door = RowDoor(self.schema, ignore=self._fitted.beside)

    def answers(self, blocks: Blocks) -> dict[str, NDArray[Any]]:
        """Answer what a graph would answer for canonical blocks."""
        return self._fitted.answers(self._fitted.output(frame_of(blocks, self.schema)))


def runtime_for(path: str | os.PathLike[str]) -> Runtime:
    """Answer the fast runtime for a release with a graph, the Python one for others."""
    release, _ = find_release(path)
    return Runtime(path) if "model.onnx" in release else PythonRuntime(path)


def frame_of(blocks: Blocks, schema: Schema) -> pl.DataFrame:
    """Answer canonical blocks as the canonical table that they stand for."""
    columns: dict[str, pl.Series] = {}
    for names, block, dtype in (
        (schema.numbers, blocks.numbers, pl.Float64),
        (schema.strings, blocks.strings, pl.String),
        (schema.times, blocks.times, pl.Int64),
    ):
        for place, name in enumerate(names):
            columns[name] = pl.Series(name, block[:, place].tolist(), dtype=dtype)
    return pl.DataFrame({name: columns[name] for name in schema.names})
