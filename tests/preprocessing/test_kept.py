"""Kept fits of steps: what has not changed does not read the rows again, and comes to the same."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import headrace as hr
from headrace.cache.cache import Cache
from headrace.data.conform import conform
from headrace.data.infer import infer_schema
from headrace.plan.counts import FOLD, TARGET
from headrace.plan.plan import schema_columns
from headrace.preprocessing.fit import FittedSteps, fit_steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.cache.explanation import Explanation
    from headrace.preprocessing.step import Step


def steps() -> list[Step]:
    return [
        hr.clean.Impute(),
        hr.clean.Clip(),
        hr.transform.Dates(),
        hr.transform.TargetMean(columns=["job"]),
        hr.transform.Encode(),
        hr.normalize.Standardize(),
    ]


def fit(
    table: pl.DataFrame, chosen: Sequence[Step], folder: Path | None, *, lazy: bool = False
) -> tuple[FittedSteps, Explanation | None]:
    schema = infer_schema(table.drop("rich").lazy())
    rows = conform(table.drop("rich").lazy(), schema).collect()
    fold = np.arange(rows.height, dtype=np.int32) % 5
    rows = rows.with_columns(
        pl.Series(TARGET, (table["rich"] == "yes").cast(pl.Float64)), pl.Series(FOLD, fold)
    )
    cache = None if folder is None else Cache(folder)
    given = rows.lazy().filter(pl.lit(value=True)) if lazy else rows
    fitted = fit_steps(given, schema_columns(schema), chosen, cache=cache)
    return fitted, None if cache is None else cache.explanation()


@pytest.mark.parametrize("lazy", [False, True])
def test_kept_fits_come_to_the_same_without_a_scan(
    table: pl.DataFrame, tmp_path: Path, lazy: bool
) -> None:
    without, _ = fit(table, steps(), None, lazy=lazy)
    first, ran = fit(table, steps(), tmp_path, lazy=lazy)
    again, kept = fit(table, steps(), tmp_path, lazy=lazy)
    assert ran is not None
    assert kept is not None
    assert len(ran.ran) == len(kept.kept) == 6
    assert (without.scans, again.scans) == (first.scans, 0)
    # Quantiles of a table that is read in parts are sketched, anew each time.
    for one, other in [(first, again)] if lazy else [(first, again), (without, again)]:
        assert one.plan == other.plan
        assert one.learnt == other.learnt
        # The training rows do not see their own target: what is theirs alone was kept too.
        assert one.rows.lazy().collect().equals(other.rows.lazy().collect())


def test_editing_the_last_step_fits_only_that_one(table: pl.DataFrame, tmp_path: Path) -> None:
    fit(table, steps(), tmp_path)
    changed = [*steps()[:-1], hr.normalize.Robust()]
    fitted, told = fit(table, changed, tmp_path)
    assert told is not None
    assert told.ran == ("6. normalize.Robust",)
    assert fitted.scans == 1


def test_an_edit_counts_for_the_steps_that_see_it(table: pl.DataFrame, tmp_path: Path) -> None:
    fit(table, steps(), tmp_path)
    changed = steps()
    changed[1] = hr.clean.Clip(quantiles=(0.05, 0.95))
    _, told = fit(table, changed, tmp_path)
    assert told is not None
    assert told.ran == ("2. clean.Clip", "6. normalize.Standardize")
    assert "quantiles" in told["2. clean.Clip"]
    assert told["6. normalize.Standardize"] == "ran: what comes before it changed (Clip)"


def test_an_edit_that_comes_to_the_same_counts_for_nobody_else(
    table: pl.DataFrame, tmp_path: Path
) -> None:
    fit(table, steps(), tmp_path)
    changed = steps()
    changed[3] = hr.transform.TargetMean(columns=["job"], smoothing=20)  # 20.0 before
    changed[2] = hr.transform.Dates(cyclic=1)  # type: ignore[arg-type]
    _, told = fit(table, changed, tmp_path)
    assert told is not None
    assert told["3. transform.Dates"] == "ran: parameters of Dates changed: cyclic True -> 1"
    assert "6. normalize.Standardize" in told.kept


def test_other_rows_and_other_columns(table: pl.DataFrame, tmp_path: Path) -> None:
    fit(table, steps(), tmp_path)
    _, fewer = fit(table.head(500), steps(), tmp_path)
    assert fewer is not None
    assert fewer.kept == ()
    assert fewer["1. clean.Impute"].startswith("ran: the rows changed (600 -> 500)")
    _, other = fit(table.with_columns(pl.col("joined").reverse()), steps(), tmp_path)
    assert other is not None
    assert other.ran == ("3. transform.Dates", "6. normalize.Standardize")
    assert other["3. transform.Dates"] == "ran: the rows changed (values of 'joined')"


def test_a_target_counts_only_for_steps_that_learn_from_it(
    table: pl.DataFrame, tmp_path: Path
) -> None:
    fit(table, steps(), tmp_path)
    _, told = fit(table.with_columns(pl.col("rich").reverse()), steps(), tmp_path)
    assert told is not None
    assert "values of 'the target'" in told["4. transform.TargetMean"]
    assert "1. clean.Impute" in told.kept


class Centre(hr.Transformer):
    """Subtract a multiple of the mean."""

    factor = 1.0

    def statistics(self, columns: Sequence[Any]) -> Sequence[Any]:
        return (hr.Mean(),)

    def operation(self, mean: Any) -> hr.Operation:
        return hr.Affine(np.ones_like(mean), -self.factor * mean)


class Odd(hr.Transformer):
    """Hold something that cannot be compared."""

    rows = iter([1])

    def operation(self) -> hr.Operation:
        return hr.Fill([0.0, 0.0, 0.0, 0.0])


def test_the_code_of_ones_own_steps_counts(
    table: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(table, [hr.clean.Impute(), Centre()], tmp_path)
    _, same = fit(table, [hr.clean.Impute(), Centre()], tmp_path)
    monkeypatch.setattr(Centre, "factor", 2.0)
    _, edited = fit(table, [hr.clean.Impute(), Centre()], tmp_path)
    assert same is not None
    assert edited is not None
    assert len(same.kept) == 2
    assert edited[f"2. {Centre.key()}"] == "ran: the code of Centre changed"


def test_what_cannot_be_compared_runs_each_time_and_says_why(
    table: pl.DataFrame, tmp_path: Path
) -> None:
    for _ in range(2):
        _, told = fit(table, [Odd()], tmp_path)
        assert told is not None
        why = told[f"1. {Odd.key()}"]
        assert why.startswith("ran: Odd.rows cannot be compared: list_iterator is no plain value")


class Shift(hr.PythonTransformer):
    """Subtract the mean of a column, in Python."""

    def __init__(self) -> None:
        self.mean = 0.0

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {}

    def fit(self, frame: pl.DataFrame) -> None:
        with Path(os.environ["HEADRACE_TEST_FITS"]).open("a") as file:
            file.write("x")
        self.mean = float(frame["hours"].mean())  # type: ignore[arg-type]

    def transform(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(pl.col("hours") - self.mean)


class Told(Shift):
    """The same, and what it learnt is told."""

    def state(self) -> dict[str, Any]:
        return {"mean": self.mean}

    def restore(self, state: Any) -> None:
        self.mean = state["mean"]


@pytest.mark.parametrize(("kind", "fits"), [(Told, 1), (Shift, 2)])
def test_free_python_is_kept_if_it_tells_what_it_learnt(
    table: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Any, fits: int
) -> None:
    monkeypatch.setenv("HEADRACE_TEST_FITS", str(tmp_path / "fits"))
    plans = [fit(table, [kind(), hr.clean.Impute()], tmp_path) for _ in range(2)]
    assert (tmp_path / "fits").read_text() == "x" * fits
    assert plans[0][0].rows.lazy().collect().equals(plans[1][0].rows.lazy().collect())
    told = plans[1][1]
    assert told is not None
    assert "2. clean.Impute" in told.kept  # the rows behind it are the same
