from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

import headrace as hr
from headrace.errors import DataError, ReleaseError, SettingError

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl


def test_it_begins_with_the_intervals_of_the_calibration(
    ranged: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    live = hr.AdaptiveIntervals(ranged, 0.9)
    found = live.predict(fresh.drop("wage", "rich", "grade"))
    expected = ranged.predict(fresh, interval=0.9)
    for name, column in found.items():
        assert np.allclose(column, expected[name])


def test_labels_that_drift_widen_the_intervals_and_the_coverage_comes_back(
    ranged: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    rows = fresh.drop("wage", "rich", "grade").head(100).to_dicts()
    random = np.random.default_rng(0)
    live = hr.AdaptiveIntervals(ranged, 0.9, rate=0.05, window=300)
    late: list[tuple[list[int], np.ndarray]] = []
    shares = []
    for step in range(40):
        keys = list(range(100 * step, 100 * step + 100))
        said = live.predict(rows, keys)
        truth = said["prediction"] + random.normal(0, 100 if step < 10 else 700, 100)
        shares.append(((said["low"] <= truth) & (truth <= said["high"])).mean())
        late.append((keys, truth))
        if step >= 2:  # two hundred rows late
            assert live.learn(*late[step - 2]) == 100
    assert min(shares[10:13]) < 0.5
    assert abs(np.mean(shares[20:]) - 0.9) < 0.03
    assert live.pending == 200
    assert live.labels == 3800
    assert 0 < live.coverage < 1


def test_sets_by_group_learn_too(grouped: hr.Pipeline, fresh: pl.DataFrame) -> None:
    rows = fresh.drop("wage", "rich", "grade").head(50)
    live = hr.AdaptiveIntervals(grouped, 0.8, rate=0.05)
    before = [len(labels) for labels in live.predict(rows)["set"]]
    for turn in range(8):
        said = live.predict(rows, keys=[(turn, i) for i in range(50)])
        wrong = [(label + 2) % 3 for label in said["prediction"].tolist()]
        live.learn([(turn, i) for i in range(50)], wrong)
    after = [len(labels) for labels in live.predict(rows)["set"]]
    assert sum(after) > sum(before)


def test_a_runtime_serves_as_well(ranged: hr.Pipeline, fresh: pl.DataFrame, tmp_path: Path) -> None:
    copy = ranged.copy()
    copy.adopt(ranged.fitted, None)
    copy.deploy(tmp_path)
    live = hr.AdaptiveIntervals(hr.Runtime(tmp_path), 0.9)
    rows = fresh.drop("wage", "rich", "grade").head(5)
    assert np.allclose(
        live.predict(rows)["low"], hr.AdaptiveIntervals(ranged, 0.9).predict(rows)["low"], rtol=1e-5
    )


def test_what_was_learnt_is_kept(ranged: hr.Pipeline, fresh: pl.DataFrame, tmp_path: Path) -> None:
    rows = fresh.drop("wage", "rich", "grade").head(40)
    live = hr.AdaptiveIntervals(ranged, 0.9, rate=0.05, window=200)
    live.predict(rows, range(40))
    live.learn(range(30), [0.0] * 30)
    live.save(tmp_path / "live.json")
    again = hr.AdaptiveIntervals.load(tmp_path / "live.json", ranged)
    assert np.array_equal(again.predict(rows)["high"], live.predict(rows)["high"])
    assert (again.labels, again.inside, again.forgotten, again.pending) == (30, 0, 10, 0)


def test_a_file_of_another_model_is_refused(
    ranged: hr.Pipeline, grouped: hr.Pipeline, tmp_path: Path
) -> None:
    hr.AdaptiveIntervals(ranged, 0.9).save(tmp_path / "live.json")
    with pytest.raises(ReleaseError, match="belongs to a model whose intervals have other groups"):
        hr.AdaptiveIntervals.load(tmp_path / "live.json", grouped)
    (tmp_path / "live.json").write_text("{}")
    with pytest.raises(ReleaseError, match="does not hold adaptive intervals"):
        hr.AdaptiveIntervals.load(tmp_path / "live.json", ranged)


def test_rows_that_wait_too_long_are_forgotten(ranged: hr.Pipeline, fresh: pl.DataFrame) -> None:
    live = hr.AdaptiveIntervals(ranged, 0.9, most_pending=10)
    live.predict(fresh.drop("wage", "rich", "grade").head(30), range(30))
    assert (live.pending, live.forgotten) == (10, 20)
    assert live.learn([0, 29, 1000], [1.0, 2.0, 3.0]) == 1
    assert math.isfinite(live.coverage)


def test_what_does_not_fit_is_refused(
    ranged: hr.Pipeline, grouped: hr.Pipeline, trained: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    with pytest.raises(SettingError, match="adaptive intervals need a model with one target"):
        hr.AdaptiveIntervals(trained)
    live = hr.AdaptiveIntervals(ranged)
    assert math.isnan(live.coverage)
    rows = fresh.drop("wage", "rich", "grade").head(2)
    with pytest.raises(DataError, match="2 rows came with 1 keys"):
        live.predict(rows, ["a"])
    with pytest.raises(DataError, match="1 keys came with 2 labels"):
        live.learn(["a"], [1.0, 2.0])
    with pytest.raises(DataError, match="row 0: expected a finite number, received nan"):
        live.learn(["a"], [math.nan])
    with pytest.raises(DataError, match="expected numbers"):
        live.learn(["a"], ["dear"])
    with pytest.raises(DataError, match="row 0: expected one of the 3 labels seen in training"):
        hr.AdaptiveIntervals(grouped).learn(["a"], [7])
