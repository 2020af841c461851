"""What the estimators share: rows at the door, seeds, and copies of the fitted pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from headrace.data.objects import from_array
from headrace.data.source import read
from headrace.errors import DataError, Problem
from headrace.estimators.archive import packed, unpacked

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from headrace.pipeline import Pipeline

__all__ = ["PipelineEstimator"]

_LARGEST_SEED = np.iinfo(np.int32).max


class PipelineEstimator(BaseEstimator):  # type: ignore[misc]
    """The base of the estimators: a pipeline that is made and trained by `fit(X, …)`.

    Rows come as a pandas, Polars or Arrow table, whose columns go by their names, or as an array
    or nested lists, whose columns are called x0, x1, …. Words, dates, categories and gaps are
    welcome.

    Attributes:
        pipeline_: The trained `hr.Pipeline`: it can be evaluated, saved, deployed and maintained.
        n_features_in_: How many columns `fit` saw.
        feature_names_in_: Their names, (columns,), where they came with names.
    """

    pipeline_: Pipeline
    n_features_in_: int
    _columns: tuple[str, ...]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        pipeline = state.pop("pipeline_", None)
        return state if pipeline is None else {**state, "_packed": packed(pipeline)}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        rest = dict(state)
        content = rest.pop("_packed", None)
        super().__setstate__(rest)
        if content is not None:
            self.pipeline_ = unpacked(content)

    def _rows_to_learn(self, X: Any, *, least: int) -> pl.DataFrame:  # noqa: N803
        """Answer the rows of `fit`, and remember their columns."""
        table = self._table(X, reset=True, least=least)
        self._columns = tuple(table.columns)
        return table

    def _rows_to_answer(self, X: Any) -> pl.DataFrame:  # noqa: N803
        """Answer new rows, under the names that `fit` saw.

        Raises:
            NotFittedError: If `fit` was not called before.
            ValueError: If the columns are not those of `fit`.
        """
        check_is_fitted(self, "pipeline_")
        return self._table(X, reset=False, least=1)

    def _table(self, X: Any, *, reset: bool, least: int) -> pl.DataFrame:  # noqa: N803
        if _is_table(X):
            validate_data(self, X, reset=reset, skip_check_array=True)
            table = read(X, empty=not reset).collect()
            if reset and table.height < least:
                raise _too_few(table.height, least)
            return table
        array = validate_data(
            self,
            X,
            reset=reset,
            dtype=None,
            ensure_all_finite="allow-nan",
            ensure_min_samples=least,
        )
        return from_array(array, None if reset else self._columns)

    def _seed(self, random_state: Any) -> int:
        if isinstance(random_state, int | np.integer):
            return int(random_state)
        return int(check_random_state(random_state).randint(_LARGEST_SEED))


def _is_table(X: Any) -> bool:  # noqa: N803
    return hasattr(X, "columns") and hasattr(X, "shape")


def _too_few(rows: int, least: int) -> DataError:
    # In scikit-learn's words, as of an array with too few rows.
    text = f"found {rows} sample(s), while a minimum of {least} is required"
    return DataError([Problem(text, hint="Give more rows")])
