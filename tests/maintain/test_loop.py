from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from headrace.data.profile import profile
from headrace.data.schema import Column, Schema
from headrace.errors import DataError
from headrace.maintain.loop import tick
from headrace.maintain.policy import Policy
from headrace.maintain.repair import repair
from headrace.maintain.score import Score

if TYPE_CHECKING:
    from headrace.maintain.result import MaintainResult

AT_DEPLOYMENT = Score("accuracy", 0.95, 0.94, 0.96, 5_000)
SCHEMA = Schema((Column("x", "number"), Column("city", "category")))


@dataclass(frozen=True)
class Model:
    """Says 1 where x is over its threshold."""

    threshold: float

    def right(self, rows: pl.DataFrame, labels: pl.Series) -> Any:
        return ((rows["x"] > self.threshold).cast(int) == labels).to_numpy()


@dataclass(frozen=True)
class Paired:
    metric: str
    value: float
    reference: float
    difference: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "not enough data to tell"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"verdict": self.verdict}


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Host:
    """A registry in memory that can be killed before its n-th effect."""

    releases: dict[str, Model] = field(default_factory=lambda: {"v1": Model(0.0)})
    alias: str = "v1"
    stack: tuple[str, ...] = ()
    history: list[str] = field(default_factory=list)
    trained_on: list[pl.DataFrame] = field(default_factory=list)
    compared_on: list[pl.DataFrame] = field(default_factory=list)
    kill_at: int | None = None
    effects: int = 0
    schema: Schema = SCHEMA
    deployed: Score | None = AT_DEPLOYMENT

    def __post_init__(self) -> None:
        self.profile = profile(repair(rows_of(5_000).drop("label").lazy(), SCHEMA), SCHEMA)

    @property
    def champion(self) -> Model:
        return self.releases[self.alias]

    @property
    def version(self) -> str:
        return self.alias

    @property
    def previous(self) -> Model | None:
        return self.releases[self.stack[-1]] if self.stack else None

    def score(self, model: Model, rows: pl.DataFrame, labels: pl.Series) -> Score:
        right = model.right(rows, labels)
        half = 1.96 * np.sqrt(right.var() / len(right) + 1e-9)
        return Score("accuracy", right.mean(), right.mean() - half, right.mean() + half, len(right))

    def compare(
        self,
        first: Model,
        second: Model,
        rows: pl.DataFrame,
        labels: pl.Series,
        *,
        confidence: float,
    ) -> Paired:
        assert confidence == 0.95
        self.compared_on.append(rows)
        a, b = first.right(rows, labels), second.right(rows, labels)
        gain = a.astype(float) - b
        half = 1.96 * gain.std() / np.sqrt(len(gain))
        mean = gain.mean()
        return Paired("accuracy", a.mean(), b.mean(), mean, mean - half, mean + half)

    def retrain(self, rows: pl.DataFrame, labels: pl.Series) -> Model:
        self.trained_on.append(rows)
        grid = np.linspace(-2, 2, 81)
        best = max(grid, key=lambda t: Model(t).right(rows, labels).mean())
        return Model(round(float(best), 3))

    def publish(self, challenger: Model, why: str) -> str:
        self._effect()
        version = f"threshold {challenger.threshold}"
        self.releases[version] = challenger
        return version

    def promote(self, version: str, why: str) -> None:
        self._effect()
        self.history.append(f"promote {version}: {why}")
        self._effect()
        self.stack, self.alias = (*self.stack, self.alias), version

    def rollback(self, why: str) -> str:
        self._effect()
        self.history.append(f"rollback: {why}")
        self._effect()
        self.alias, self.stack = self.stack[-1], self.stack[:-1]
        return self.alias

    def _effect(self) -> None:
        if self.kill_at == self.effects:
            raise Killed
        self.effects += 1


def rows_of(
    rows: int, *, boundary: float = 0.0, shift: float = 0.0, seed: int = 0, noise: float = 0.05
) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(shift, 1, rows)
    label = (x > boundary) ^ (rng.random(rows) < noise)
    city = rng.choice(["Oslo", "Bonn"], rows)
    return pl.DataFrame({"x": x, "city": city, "label": label.astype(int)})


def run(host: Host, rows: pl.DataFrame, *, labels: Any = True, **policy: Any) -> MaintainResult:
    known = rows["label"] if labels is True else labels
    return tick(host, rows.lazy(), known, policy=Policy(**policy), ignore=["label"])


def test_an_unchanged_world_keeps_the_model() -> None:
    host = Host()
    result = run(host, rows_of(1_000, seed=1))
    assert result.action == "keep"
    assert not result.retrained
    assert (result.before, result.after) == ("v1", "v1")
    assert result.labels == 1_000
    assert result.score.value == pytest.approx(0.95, abs=0.02)
    assert host.effects == 0


def test_a_changed_world_gets_a_better_model() -> None:
    host = Host()
    result = run(host, rows_of(2_000, boundary=1.0, seed=1))
    assert result.action == "promote"
    assert result.before == "v1"
    assert host.champion.threshold == pytest.approx(1.0, abs=0.1)
    assert result.after == host.alias
    assert result.challenger.verdict == "better"
    assert "the retrained model proves better on 600 rows kept for judging" in result.reasons[0]
    assert "proven worse by more than the allowed 2 %" in result.reasons[1]
    assert host.history == [f"promote {host.alias}: {result.reasons[0]}"]
    assert run(host, rows_of(2_000, boundary=1.0, seed=2), retrain_on=()).action == "keep"


def test_the_challenger_is_judged_on_the_latest_rows_which_it_has_not_seen() -> None:
    host = Host()
    rows = rows_of(1_000, boundary=1.0, seed=1).with_columns(x=pl.col("x").sort())
    run(host, rows)
    assert host.trained_on[0].height == 700
    assert host.trained_on[0]["x"].max() < host.compared_on[0]["x"].min()


def test_a_challenger_that_is_not_proven_better_is_turned_down() -> None:
    host = Host()
    result = run(host, rows_of(1_000, shift=1.0, seed=1))
    assert result.drift.alarmed == ("x",)
    assert result.action == "keep"
    assert result.retrained
    assert "is not proven better" in result.reasons[0]
    assert "1 of 2 columns drifted: 'x'" in result.reasons[1]
    assert host.alias == "v1"
    assert host.effects == 0
    assert "the retrained one was turned down" in result.summary()


def test_a_promotion_that_was_wrong_is_rolled_back() -> None:
    host = Host(releases={"v1": Model(0.0), "v2": Model(1.5)}, alias="v2", stack=("v1",))
    result = run(host, rows_of(1_000, seed=1))
    assert result.action == "rollback"
    assert (result.before, result.after, host.alias) == ("v2", "v1", "v1")
    assert not result.retrained
    assert host.history == [f"rollback: {result.reasons[0]}"]
    assert "Rolled back: the release before is in place again (v2 → v1)" in result.summary()


def test_without_labels_only_the_rows_are_watched() -> None:
    host = Host()
    result = run(host, rows_of(1_000, shift=1.0, seed=1), labels=None)
    assert result.action == "keep"
    assert result.score is None
    assert result.reasons[0] == (
        "not retrained, because there are 0 of the 200 labels that it needs"
    )


# ---------------------------------------------------------------- killed at any point


@pytest.mark.parametrize("kill_at", [0, 1, 2])
def test_a_killed_promotion_leaves_one_whole_state_and_can_be_repeated(kill_at: int) -> None:
    host = Host(kill_at=kill_at)
    rows = rows_of(2_000, boundary=1.0, seed=1)
    with pytest.raises(Killed):
        run(host, rows)
    assert host.alias == "v1"
    assert host.champion == Model(0.0)
    told = [line.split(":")[0].removeprefix("promote ") for line in host.history]
    assert set(told) <= set(host.releases)
    host.kill_at = None
    result = run(host, rows)
    assert result.action == "promote"
    assert host.alias in host.releases
    assert len(host.releases) == 2


@pytest.mark.parametrize("kill_at", [0, 1])
def test_a_killed_rollback_can_be_repeated(kill_at: int) -> None:
    host = Host(
        releases={"v1": Model(0.0), "v2": Model(1.5)}, alias="v2", stack=("v1",), kill_at=kill_at
    )
    rows = rows_of(1_000, seed=1)
    with pytest.raises(Killed):
        run(host, rows)
    assert host.alias == "v2"
    host.kill_at = None
    assert run(host, rows).after == "v1"


# ---------------------------------------------------------------- bad input


def test_an_empty_batch_keeps_and_says_so() -> None:
    for labels in (True, None):
        result = run(Host(), rows_of(5).head(0), labels=labels)
        assert str(result.decision) == "keep: no rows came, so there is nothing to judge"


@pytest.mark.parametrize("labels", [True, None])
def test_a_batch_of_one_row(labels: Any) -> None:
    result = run(Host(), rows_of(1, seed=3), labels=labels)
    assert result.action == "keep"
    assert result.drift.rows == 1


def test_labels_of_another_length() -> None:
    rows = rows_of(100)
    with pytest.raises(DataError, match="expected 100 labels, one for each row, received 99"):
        run(Host(), rows, labels=rows["label"].head(99))


def test_missing_labels_are_counted() -> None:
    rows = rows_of(1_000, seed=1)
    labels = pl.when(pl.int_range(pl.len()) < 400).then(None).otherwise("label")
    result = run(Host(), rows, labels=rows.select(labels.alias("label"))["label"])
    assert (result.labels, result.labels_missing) == (600, 400)
    assert result.summary().splitlines()[-1].startswith("1,000 new rows, 600 labels (400 missing)")


def test_no_label_is_known() -> None:
    result = run(Host(), rows_of(300, seed=1), labels=pl.Series([None] * 300, dtype=pl.Int64))
    assert result.score is None
    assert result.labels_missing == 300


def test_a_column_gone_is_named_and_not_learnt_from() -> None:
    host = Host()
    result = run(host, rows_of(1_000, boundary=1.0, seed=1).drop("city"))
    assert result.action == "keep"
    assert result.reasons[0] == (
        "not retrained, because the data itself is broken ('city'): repair the source"
    )
    assert host.trained_on == []
    assert "'city': the column is gone" in result.summary()


def test_a_category_that_became_a_number_is_named() -> None:
    rows = rows_of(1_000, seed=1).with_columns(city=pl.int_range(pl.len()))
    result = run(Host(), rows)
    assert [finding.fault for finding in result.quality.errors] == ["kind changed"]
    assert result.drift.alarmed == ("city",)


def test_all_values_missing() -> None:
    rows = rows_of(300, seed=1).with_columns(x=None, city=None)
    result = run(Host(), rows, labels=None)
    assert set(result.drift.alarmed) == {"x", "city"}
    assert len(result.quality.errors) == 2


def test_values_that_cannot_be_read_do_not_stop_the_tick() -> None:
    rows = rows_of(500, seed=1).with_columns(x=pl.lit("n/a yet"))
    result = run(Host(), rows)
    assert result.action == "keep"
    assert "500 of 500 values do not fit: expected a number" in result.summary()


# ---------------------------------------------------------------- the result


def test_the_result_reads_well_and_is_plain_json() -> None:
    result = run(Host(), rows_of(2_000, boundary=1.0, shift=0.4, seed=1))
    lines = result.summary().splitlines()
    assert lines[0] == f"Promoted: a retrained model is in place (v1 → {result.after})"
    assert lines[1].startswith("  - The retrained model proves better on 600 rows")
    assert "Drift: 1 of 2 columns drifted: 'x' (2,000 new rows against 5,000)" in lines
    plain = result.to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["action"] == "promote"
    assert plain["challenger"]["verdict"] == "better"
    assert result.seconds > 0
