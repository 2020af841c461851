"""The runtime: a release that answers, with NumPy and ONNX Runtime only.

It takes the rows through the same door as the pipeline, runs the release's one graph, and decodes
the answers as the pipeline does. Neither TensorFlow nor a table library is imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from headrace.data.rows import RowDoor
from headrace.data.schema import Schema
from headrace.deploy.registry import find_release
from headrace.deploy.session import open_session
from headrace.errors import ReleaseError, SettingError
from headrace.model.predicted import conformals_of, predicted_columns
from headrace.model.target import TargetSpec
from headrace.model.targets import Targets

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from headrace.data.rows import Blocks
    from headrace.deploy.release import Limits

__all__ = ["Runtime"]

_BATCH = 4096


class Runtime:
    """A release, ready to answer.

    Args:
        path: A release folder, or a registry (its champion answers).
        name: For a registry: the alias or version that answers.
        threads: Threads inside one call of the graph; one is the fastest for few rows.
        limits: Sizes above which a release is refused.

    Attributes:
        path: The release folder.
        version: The release's version.
        schema: The columns that rows must have.
        target: The task and its classes; None for clusters.
        release: The release itself, every file checked.
        conformal: What calibration rows taught of intervals, by target; empty without any.

    Raises:
        ReleaseError: No release, altered, or without an ONNX graph.

    Example:
        >>> runtime = Runtime("models/income")                      # doctest: +SKIP
        >>> runtime.predict([{"age": 39, "education": "Bachelors"}])  # doctest: +SKIP
        array(['<=50K'], dtype='<U5')
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        name: str = "champion",
        threads: int = 1,
        limits: Limits | None = None,
    ) -> None:
        """Check the release and open its graph."""
        self.release, self.registry = find_release(path, name, limits=limits)
        self.path = self.release.path
        self.version = self.release.version
        if "model.onnx" not in self.release:
            raise ReleaseError(
                f"the release {self.version} has no ONNX graph: it was saved but not deployed, or "
                "one of its steps is free Python. Use hr.load(path).predict(rows), or "
                "headrace serve --module with the module that defines the step"
            )
        self.schema = Schema.from_dict(self.release.document("schema.json"))
        self.target = (
            TargetSpec.from_dict(self.release.document("target.json"))
            if "target.json" in self.release
            else None
        )
        self.conformal = conformals_of(self.release)
        self.door = RowDoor(self.schema, ignore=self.target.columns if self.target else ())
        self.session = open_session(self.release.bytes("model.onnx"), threads=threads)
        self._inputs = tuple(value.name for value in self.session.get_inputs())
        self._check_graph()

    @property
    def answer_names(self) -> tuple[str, ...]:
        """The names of what it answers, the main one first."""
        return self.target.answer_names if self.target else ("cluster",)

    @property
    def task(self) -> str:
        """What it answers: "binary", "multiclass", "regression", "joint" or "clustering"."""
        return self.target.task if self.target else "clustering"

    @property
    def classes(self) -> tuple[Any, ...]:
        """The labels, in the order of the probabilities' columns; empty without classes."""
        return self.target.classes if self.target else ()

    def predict(self, rows: object, interval: float | None = None) -> Any:
        """Answer the label, value or cluster of each row.

        Args:
            rows: A list of dicts, one dict, or a pandas or Polars frame.
            interval: How often the truth shall be inside an interval or a set, for example 0.9;
                None for predictions alone.

        Returns:
            (rows,) labels in their own type, float64 values, or int64 clusters; of several
            targets a dict of such arrays. With `interval` a dict of columns: `prediction`, `low`
            and `high`, or `prediction` and `set`, a list of labels for each row.

        Raises:
            DataError: Every value that does not fit and every column that is absent.
            SettingError: No rows have calibrated intervals of the release, or the level is none.
        """
        if interval is not None:
            blocks = self.door(as_rows(rows))
            return self.intervals(self.answers(blocks), interval, blocks)
        if isinstance(self.target, Targets):
            return self.target.decode_answers(self.answers(self.door(as_rows(rows))))
        return self.decode(self.output(rows))

    def predict_proba(self, rows: object) -> NDArray[Any]:
        """Answer the probability of each class, (rows, classes) float32.

        Raises:
            DataError: As for `predict`.
            SettingError: The release has no classes.
        """
        self.check_classes()
        return self.output(rows)

    def predict_distribution(self, rows: object) -> dict[str, NDArray[Any]]:
        """Answer the distribution of each row's target, as named columns, (rows,) each.

        Returns:
            The probability of each class by its label; "q0.05", … for quantiles; "mean" and
            "deviation", or "rate" for counts.

        Raises:
            DataError: As for `predict`.
            SettingError: The release answers values or clusters alone.
        """
        return self.distribution(self.answers(self.door(as_rows(rows))))

    def distances(self, rows: object) -> NDArray[Any]:
        """Answer how far each row is from each cluster, (rows, clusters) float64.

        Raises:
            DataError: As for `predict`.
            SettingError: The release has no clusters.
        """
        if self.target is not None:
            raise SettingError(f"the release {self.version} answers {self.task}, not clusters")
        return self._run(self.door(as_rows(rows)), ("distances",))["distances"]

    def output(self, rows: object) -> NDArray[Any]:
        """Answer the graph's main output: probabilities, values, or clusters, one row for each."""
        return self.run(self.door(as_rows(rows)))

    def run(self, blocks: Blocks) -> NDArray[Any]:
        """Answer the graph's main output for canonical blocks."""
        return self.answers(blocks)[self.answer_names[0]]

    def answers(self, blocks: Blocks) -> dict[str, NDArray[Any]]:
        """Answer all that the graph answers for canonical blocks; many rows go in portions."""
        return self._run(blocks, self.answer_names)

    def _run(self, blocks: Blocks, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
        count = len(blocks.numbers)
        if count <= _BATCH:
            feed = {name: getattr(blocks, name) for name in self._inputs}
            return dict(zip(names, self.session.run(names, feed), strict=True))
        portions = [slice(first, first + _BATCH) for first in range(0, count, _BATCH)]
        parts = [self._run(blocks.each(lambda b, p=p: b[p]), names) for p in portions]  # type: ignore[misc]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def decode(self, output: NDArray[Any]) -> NDArray[Any]:
        """Turn what the graph answers into labels, values or clusters."""
        if self.target is None:
            return output
        if self.target.task == "regression":
            return output.astype(np.float64)
        # The network's own output of the binary task is the last class's probability.
        return self.target.decode(output[:, 1:] if self.target.task == "binary" else output)

    def distribution(self, answers: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Turn all that the graph answers into the columns of `predict_distribution`."""
        if self.target is None:
            raise SettingError(f"the release {self.version} answers clusters: use predict")
        return self.target.distribution(answers)

    def intervals(
        self, answers: Mapping[str, NDArray[Any]], level: float, blocks: Blocks
    ) -> dict[str, Any]:
        """Turn all that the graph answers into predictions with intervals or sets, as columns."""
        return predicted_columns(
            self.conformal, self.target, answers, level, schema=self.schema, blocks=blocks
        )

    def ends(
        self, answers: Mapping[str, NDArray[Any]], level: float, blocks: Blocks
    ) -> dict[str, Any]:
        """Answer intervals or sets alone, without the predictions, as columns."""
        predictions = {"prediction", *(self.target.columns if self.target else ())}
        columns = self.intervals(answers, level, blocks)
        return {name: column for name, column in columns.items() if name not in predictions}

    def check_classes(self) -> None:
        """Refuse to speak of probabilities where there are no classes."""
        if not self.classes:
            raise SettingError(
                f"the release {self.version} answers {self.task}, which has no probabilities: "
                "use predict or predict_distribution instead of predict_proba"
            )

    def __repr__(self) -> str:
        columns = len(self.schema.columns)
        return f"Runtime({str(self.path)!r}): {self.task}, {columns} columns, {self.version}"

    def _check_graph(self) -> None:
        found = [value.name for value in self.session.get_outputs()]
        wanted = self.answer_names
        if not set(wanted) <= set(found) or not {"numbers", "strings", "times"} >= set(
            self._inputs
        ):
            raise ReleaseError(
                f"model.onnx of {self.version} should answer {', '.join(map(repr, wanted))} from "
                f"numbers, strings and times; it answers {found} from {list(self._inputs)}"
            )


def by_row(columns: Mapping[str, NDArray[Any] | list[Any]]) -> list[dict[str, Any]]:
    """Answer columns as a dict for each row.

    Example:
        >>> by_row({"price": np.array([1.5]), "sold": np.array(["yes"])})
        [{'price': 1.5, 'sold': 'yes'}]
    """
    listed = (one if isinstance(one, list) else one.tolist() for one in columns.values())
    rows = zip(*listed, strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def as_rows(rows: object) -> Sequence[Mapping[str, object]]:
    """Answer rows as a list of mappings: a single row, a pandas or a Polars frame too.

    Example:
        >>> as_rows({"age": 39})
        [{'age': 39}]
    """
    if isinstance(rows, Mapping):
        return [rows]
    if hasattr(rows, "to_dicts"):  # Polars
        return cast("list[dict[str, object]]", rows.to_dicts())
    if hasattr(rows, "to_dict") and hasattr(rows, "columns"):  # pandas
        return cast("list[dict[str, object]]", rows.to_dict("records"))
    return cast("Sequence[Mapping[str, object]]", rows)
