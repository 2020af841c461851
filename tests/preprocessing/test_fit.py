"""Fitting in waves: how many scans, in which order, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import headrace as hr
from headrace.errors import DataError, SettingError
from headrace.plan.arithmetic import Affine
from headrace.plan.counts import FOLD, TARGET
from headrace.plan.plan import ColumnInfo
from headrace.preprocessing import clean, normalize, transform
from headrace.preprocessing.fit import FittedSteps, fit_steps
from headrace.preprocessing.selector import booleans, everything, numbers
from headrace.preprocessing.transformer import PythonTransformer, Transformer

if TYPE_CHECKING:
    from headrace.plan.plan import Columns

NAN = float("nan")


def columns_of(**types: str) -> Columns:
    kinds: dict[str, Any] = {"number": "number", "string": "category", "time": "datetime"}
    return {n: ColumnInfo(n, t, kinds[t]) for n, t in types.items()}  # type: ignore[arg-type]


def table(rows: int = 100) -> pl.DataFrame:
    random = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "a": np.where(random.random(rows) < 0.2, NAN, random.normal(10, 3, rows)),
            "b": random.normal(size=rows),
            "same": np.ones(rows),
            "w": random.choice(["x", "y", ""], rows),
        }
    )


COLUMNS = columns_of(a="number", b="number", same="number", w="string")


def fit(*steps: Any, rows: Any = None) -> FittedSteps:
    return fit_steps(table() if rows is None else rows, dict(COLUMNS), steps)


def names(fitted: FittedSteps) -> list[str]:
    return [info.name for info in fitted.plan.outputs]


def test_independent_steps_share_one_scan() -> None:
    assert fit(clean.Impute(), transform.Encode()).scans == 1
    assert fit(normalize.Standardize(columns="a"), normalize.MinMax(columns="b")).scans == 1


def test_a_step_waits_for_the_one_that_changes_its_columns() -> None:
    fitted = fit(clean.Impute(), transform.Encode(), normalize.Standardize())
    assert fitted.scans == 2
    assert fitted.rows.lazy().collect()["a"].mean() == pytest.approx(0.0)


def test_a_step_behind_one_that_waits_need_not_wait_too() -> None:
    steps = (
        clean.Impute(columns="a"),
        normalize.Standardize(columns="a"),
        normalize.Robust(columns="b"),
    )
    assert fit(*steps).scans == 2


def test_steps_behind_one_that_only_drops_learn_in_the_same_scan() -> None:
    fitted = fit(clean.DropConstant(), clean.Impute(), transform.Encode())
    assert fitted.scans == 1
    assert names(fitted) == ["a", "b", "w", "a_missing"]
    assert fitted.learnt[1][1].startswith("a: ")
    assert "same" not in fitted.learnt[1][1]


def test_blocks_wait_until_it_is_known_which_columns_there_are() -> None:
    frame = table().with_columns(pl.col("a").fill_nan(0.0))
    kmeans = hr.KMeans(2)
    fitted = fit(clean.DropConstant(), kmeans, rows=frame)
    assert fitted.scans == 2
    assert fitted.plan.nodes[0].inputs == ("a", "b")  # type: ignore[union-attr]


def test_drops_without_statistics_cost_no_scan() -> None:
    fitted = fit(transform.Drop("w"), transform.Select(["a", "b"]))
    assert fitted.scans == 0
    assert names(fitted) == ["a", "b"]


def test_flags_are_chosen_by_later_steps_though_only_data_says_which_there_are() -> None:
    fitted = fit(clean.Impute(), normalize.MinMax(-1, 1, columns=booleans()))
    flags = fitted.rows.lazy().collect()["a_missing"].unique().sort().to_list()
    assert flags == [-1.0, 1.0]
    assert "b_missing" not in names(fitted)


def test_a_formula_that_replaces_a_column_is_seen_by_the_next_step() -> None:
    fitted = fit(
        transform.Derive(b=hr.col("same") * 2 + hr.col("b") * 0),
        clean.DropConstant(columns=["b"]),
    )
    assert "b" not in names(fitted)


def test_a_formula_keeps_its_turn_behind_a_step_that_waits() -> None:
    fitted = fit(
        clean.Impute(columns="a", flags=False),
        normalize.Standardize(columns="a"),
        transform.Derive(twice=hr.col("a") * 2),
        clean.Clip(low=0, high=0, columns="twice"),
    )
    rows = fitted.rows.lazy().collect()
    assert rows["twice"].to_list() == [0.0] * rows.height


def test_whole_tables_and_chunks_teach_the_same() -> None:
    steps = (
        clean.DropConstant(),
        transform.Encode(),
        clean.Impute("mean"),
        normalize.Standardize(),
    )
    whole = fit(*steps)
    chunks = fit(*steps, rows=table().lazy())
    assert isinstance(whole.rows, pl.DataFrame)
    assert isinstance(chunks.rows, pl.LazyFrame)
    assert whole.learnt == chunks.learnt
    assert whole.scans == chunks.scans
    mine, theirs = (f.plan.features(f.rows.lazy().collect()) for f in (whole, chunks))
    assert mine.numbers == pytest.approx(theirs.numbers, abs=1e-6)
    assert np.array_equal(mine.categories, theirs.categories)


def test_empty_chunks_are_no_trouble() -> None:
    empty = table().head(0)
    for rows in (empty, empty.lazy()):
        fitted = fit(clean.Impute(0.0), normalize.Standardize(), transform.Encode(), rows=rows)
        assert names(fitted) == list(COLUMNS)


def test_columns_beside_the_features_stay() -> None:
    rows = table().with_columns(pl.int_range(pl.len()).alias("__headrace_row__"))
    assert "__headrace_row__" in fit(clean.Impute(), rows=rows).rows.lazy().collect().columns


def test_training_rows_do_not_see_their_own_target() -> None:
    """A column of pure noise must not look useful on the training rows."""
    random = np.random.default_rng(0)
    rows = 4000
    frame = pl.DataFrame(
        {
            "w": [f"word {place % 1000}" for place in range(rows)],
            TARGET: random.normal(size=rows),
            FOLD: random.integers(0, 5, rows),
        }
    )
    fitted = fit_steps(frame, columns_of(w="string"), [transform.TargetMean(smoothing=0.0)])
    seen = fitted.rows.lazy().collect().select(pl.corr("w_target", TARGET)).item()
    served = fitted.plan.polars(frame.lazy()).collect()["w_target"]
    leaking = np.corrcoef(served.to_numpy(), frame[TARGET].to_numpy())[0, 1]
    assert leaking > 0.4
    assert abs(seen) < 0.1


def test_target_statistics_need_a_target() -> None:
    with pytest.raises(SettingError, match="TargetMeans of 'w' needs the target of each row"):
        fit(transform.TargetMean())


class Above(PythonTransformer):
    """Flag what is above the training mean."""

    def fit(self, frame: pl.DataFrame) -> None:
        self.mean = frame["b"].mean()

    def transform(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns((pl.col("b") > self.mean).cast(pl.Float64).alias("above"))

    def state(self) -> dict[str, Any]:
        return {"mean": self.mean}


def test_free_python_stands_in_its_place() -> None:
    fitted = fit(clean.Impute(), Above(), normalize.Standardize(columns=["b", "above"]))
    assert not fitted.plan.portable
    assert names(fitted)[-1] == "above"
    assert fitted.rows.lazy().collect()["above"].mean() == pytest.approx(0.0)
    assert fitted.scans == 3


class Fewer(PythonTransformer):
    """Break the rule that rows stay."""

    def transform(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.head(3)


def test_free_python_must_keep_the_rows() -> None:
    with pytest.raises(SettingError, match="must keep the rows: 100 went in, 3 came out"):
        fit(Fewer())


class Centre(Transformer):
    """A user's own step."""

    columns = numbers()
    learns = (hr.Mean(),)

    def operation(self, mean: Any) -> Affine:
        return Affine(np.ones_like(mean), -mean)


def test_a_step_of_ones_own_takes_four_lines() -> None:
    fitted = fit(Centre(), normalize.MinMax(columns="b"))
    assert fitted.rows.lazy().collect()["a"].fill_nan(None).mean() == pytest.approx(0.0)
    assert fitted.learnt[0][1].startswith("3 columns: mean ")


def test_columns_of_the_wrong_type_are_named() -> None:
    with pytest.raises(DataError, match=r"column 'w': .* needs number columns, .* holds strings"):
        fit(normalize.Standardize(columns=["a", "w"]))
    with pytest.raises(DataError, match=r"column 'w': .* needs string columns, .* holds codes"):
        fit(transform.Encode(), transform.Hash(columns="w"))


def test_a_name_that_is_taken_is_no_name_for_a_new_column() -> None:
    frame = table().rename({"b": "a_missing"})
    with pytest.raises(DataError, match=r"'a_missing': .*Impute.* there is one already"):
        fit_steps(frame, columns_of(a="number", a_missing="number"), [clean.Impute()])


def test_an_unknown_column_is_named_with_the_nearest() -> None:
    with pytest.raises(DataError, match=r"column 'sam': .* Did you mean 'same'"):
        fit(clean.Impute(columns=["sam"]))


def test_something_else_is_no_step() -> None:
    with pytest.raises(SettingError, match="a step must be a Transformer"):
        fit("Impute")


def test_a_step_without_columns_does_nothing() -> None:
    fitted = fit(transform.Dates(), hr.KMeans(2, columns=booleans()))
    assert [says for _, says in fitted.learnt] == ["no columns", "no columns"]
    assert names(fitted) == list(COLUMNS)


def test_dropping_everything_leaves_nothing() -> None:
    assert names(fit(transform.Drop(everything()), clean.Impute())) == []
