"""Every transformer: learns, deploys, is copied and stored; both lowerings of it agree."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone

import headrace as hr
from headrace.clustering import kmeans
from headrace.clustering.kmeans import KMeans
from headrace.data.schema import MISSING_TIME
from headrace.plan.counts import FOLD, TARGET
from headrace.plan.operation import plain
from headrace.plan.plan import ColumnInfo, Plan
from headrace.preprocessing import clean, normalize, transform
from headrace.preprocessing.defaults import steps_code
from headrace.preprocessing.diagram import diagram
from headrace.preprocessing.fit import FittedSteps, fit_steps
from headrace.preprocessing.selector import columns, datetimes, numbers
from headrace.preprocessing.space import Choice, Integer, Real
from headrace.preprocessing.step import Step
from headrace.preprocessing.stored import step_from_dict, step_to_dict
from headrace.preprocessing.transformer import Transformer

NAN, INF = float("nan"), float("inf")
DAY = 86_400_000_000

COLUMNS = {
    info.name: info
    for info in (
        ColumnInfo("even", "number", "number"),
        ColumnInfo("skewed", "number", "number"),
        ColumnInfo("zeros", "number", "number"),
        ColumnInfo("gaps", "number", "number"),
        ColumnInfo("constant", "number", "number"),
        ColumnInfo("nearly", "number", "number"),
        ColumnInfo("huge", "number", "number"),
        ColumnInfo("nothing", "number", "number"),
        ColumnInfo("flag", "number", "boolean"),
        ColumnInfo("job", "string", "category"),
        ColumnInfo("city", "string", "category"),
        ColumnInfo("empty", "string", "category"),
        ColumnInfo("note", "string", "text"),
        ColumnInfo("day", "time", "datetime"),
        ColumnInfo("never", "time", "datetime"),
    )
}
POLARS = {"number": pl.Float64, "string": pl.String, "time": pl.Int64}


def training_rows(rows: int = 600) -> pl.DataFrame:
    random = np.random.default_rng(0)
    words = np.array(["", "nurse", "baker", "é", "日本語", "a ", "rare"], dtype=object)
    frame = {
        "even": random.normal(50, 10, rows),
        "skewed": random.lognormal(0, 2, rows),
        "zeros": np.where(random.random(rows) < 0.92, 0.0, random.lognormal(8, 1, rows)),
        "gaps": np.where(random.random(rows) < 0.3, NAN, random.normal(size=rows)),
        "constant": np.full(rows, 3.0),
        "nearly": np.where(np.arange(rows) == 7, 1e6 + 1e-4, 1e6),
        "huge": random.normal(size=rows) * 1e200,
        "nothing": np.full(rows, NAN),
        "flag": random.choice([0.0, 1.0, NAN], rows),
        "job": random.choice(words, rows, p=[0.1, 0.4, 0.2, 0.1, 0.1, 0.09, 0.01]),
        "city": random.choice([f"city {place}" for place in range(200)], rows),
        "empty": np.full(rows, "", dtype=object),
        "note": random.choice(["hello", "bye", ""], rows),
        "day": np.where(
            random.random(rows) < 0.1, MISSING_TIME, random.integers(-20_000, 20_000, rows) * DAY
        ),
        "never": np.full(rows, MISSING_TIME),
    }
    made = pl.DataFrame([pl.Series(n, v, dtype=POLARS[COLUMNS[n].type]) for n, v in frame.items()])
    target = pl.Series(TARGET, random.random(rows).round())
    return made.with_columns(pl.Series(FOLD, np.arange(rows) % 5, dtype=pl.Int32), target)


def serving_rows() -> pl.DataFrame:
    """Training rows, and such as training never saw."""
    nasty: dict[str, list[Any]] = {
        "number": [NAN, 0.0, -0.0, 1.0, -1.0, 1e-300, 1e9, -1e9, 1e200, 3.0, 1e6, 5e5],
        "string": ["", "unseen", "nurse", "é", "e\u0301", "baker ", "x" * 500, "(rare)", "\0"],
        "time": [MISSING_TIME, 0, -1, 1, DAY - 1, -62_135_596_800_000_000, 253_402_300_799_999_999],
    }
    rows = 40
    odd = pl.DataFrame(
        [
            pl.Series(
                info.name,
                [
                    nasty[info.type][(place * 7 + at) % len(nasty[info.type])]
                    for place in range(rows)
                ],
                dtype=POLARS[info.type],
            )
            for at, info in enumerate(COLUMNS.values())
        ]
    )
    return pl.concat([training_rows(60).drop(FOLD, TARGET), odd])


ORDINARY = ("even", "skewed", "zeros", "flag")


@dataclass(frozen=True)
class Example:
    """Some steps of which the last one is the one that is tested."""

    steps: tuple[Any, ...]

    @property
    def step(self) -> Any:
        return self.steps[-1]

    @property
    def id(self) -> str:
        return repr(self.step)[:60]


def one(step: Any) -> Example:
    return Example((step,))


EXAMPLES = [
    one(clean.DropConstant()),
    one(clean.Impute()),
    one(clean.Impute("mean", flags=False)),
    one(clean.Impute("most_frequent", columns=numbers())),
    one(clean.Impute(-1.0)),
    one(clean.Impute("most_frequent", columns=["job", "empty"])),
    one(clean.Impute("somebody", columns="job")),
    one(clean.Clip()),
    one(clean.Clip((0.1, 0.9))),
    one(clean.Clip(iqr=1.5)),
    one(clean.Clip(low=0, columns="even")),
    one(clean.Replace({3: None, None: -1, 0: 0.5})),
    one(clean.Replace({"nurse": "carer", "é": None, None: "?"})),
    one(clean.GroupRare()),
    one(clean.GroupRare(top=2, other="others", columns=["job"])),
    one(clean.GroupRare(min_share=0.15)),
    one(transform.Dates()),
    one(transform.Dates(["year", "week", "second"], elapsed=True)),
    one(transform.Encode()),
    one(transform.Encode(min_count=2, max_values=3)),
    one(transform.OneHot(min_count=3, max_values=5)),
    one(transform.Hash(16)),
    one(transform.Frequency()),
    one(transform.Frequency(keep=True)),
    one(transform.TargetMean()),
    one(transform.TargetMean(smoothing=0.0, folds=2, keep=True, columns="job")),
    one(
        transform.Derive(
            ratio=hr.col("even") / hr.col("flag"),
            old=hr.col("day") < hr.col("never"),
            even=hr.where(hr.col("job") == "nurse", hr.col("even"), -hr.col("skewed")),
        )
    ),
    one(transform.Select(["even", "job"])),
    one(transform.Drop(datetimes() | columns("job"), reason="to see")),
    one(normalize.Standardize()),
    one(normalize.MinMax()),
    one(normalize.MinMax(-1.0, 1.0, clip=True)),
    one(normalize.Robust()),
    one(normalize.Robust(squash=None)),
    one(normalize.Quantile()),
    one(normalize.Quantile("uniform", knots=7)),
    one(normalize.Power()),
    Example((clean.Impute(columns=ORDINARY), KMeans(3, columns=ORDINARY))),
    Example((normalize.Robust(columns=["even", "skewed"]), KMeans(4, columns=["even", "skewed"]))),
    Example(
        (
            clean.DropConstant(),
            transform.Encode(),
            clean.Impute(),
            transform.Dates(),
            normalize.Quantile(),
            transform.Drop("note"),
        )
    ),
]


@cache
def fitted(example: Example) -> FittedSteps:
    return fit_steps(training_rows(), dict(COLUMNS), example.steps)


all_examples = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)


def test_every_transformer_has_an_example() -> None:
    modules = (clean, transform, normalize, kmeans)
    classes = {getattr(module, name) for module in modules for name in module.__all__}
    wanted = {found for found in classes if issubclass(found, Transformer)}
    assert wanted <= {type(example.step) for example in EXAMPLES}


@all_examples
def test_training_rows_are_the_plan_of_the_training_rows(example: Example) -> None:
    answer = fitted(example)
    names = [info.name for info in answer.plan.outputs]
    again = answer.plan.polars(training_rows().lazy(), training=True).collect()
    assert answer.rows.lazy().collect().select(names).equals(again, null_equal=True)


@all_examples
def test_chunks_teach_the_same_columns(example: Example) -> None:
    lazy = fit_steps(training_rows().lazy(), dict(COLUMNS), example.steps)
    assert lazy.plan.outputs == fitted(example).plan.outputs
    assert lazy.scans <= fitted(example).scans


@all_examples
def test_what_may_be_behind_it_is_foreseen(example: Example) -> None:
    before = fit_steps(training_rows(), dict(COLUMNS), example.steps[:-1]).plan.outputs
    ahead = {info.name: info for info in before}
    foreseen = example.step.after(ahead, example.step.select(ahead))
    if foreseen is not None:
        made = {info.name: info for info in fitted(example).plan.outputs}
        assert made.keys() <= foreseen.keys()
        for name, info in made.items():
            assert info.type == foreseen[name].type


@all_examples
def test_columns_hold_what_they_promise(example: Example) -> None:
    answer = fitted(example)
    made = answer.plan.polars(serving_rows().lazy()).collect()
    for info in answer.plan.outputs:
        column = made[info.name]
        assert column.null_count() == 0, info
        if info.type == "code":
            assert column.dtype == pl.Int32
            assert 0 <= column.min() <= column.max() < info.cardinality  # type: ignore[operator]
        else:
            assert column.dtype == POLARS[info.type], info


@all_examples
def test_no_gap_is_made(example: Example) -> None:
    answer = fitted(example)
    known = [name for name, info in COLUMNS.items() if info.type == "number"]
    rows = serving_rows().with_columns(pl.col(known).fill_nan(1.0))
    made = answer.plan.polars(rows.lazy()).collect()
    numbers_out = [i.name for i in answer.plan.outputs if i.type == "number"]
    if isinstance(example.step, transform.Derive | clean.Replace):
        return  # they may: a formula has no answer for 1 / 0, a value is replaced by None
    for name in numbers_out:
        assert not made[name].is_nan().any(), name


@all_examples
def test_plans_survive_json(example: Example) -> None:
    plan = fitted(example).plan
    again = Plan.from_dict(json.loads(json.dumps(plain(plan.to_dict()))))
    assert again == plan
    rows = serving_rows().lazy()
    assert again.polars(rows).collect().equals(plan.polars(rows).collect(), null_equal=True)


@all_examples
def test_steps_are_copied_and_stored(example: Example) -> None:
    step = example.step
    again = [clone(step), step.copy(), step_from_dict(json.loads(json.dumps(step_to_dict(step))))]
    for other in again:
        assert type(other) is type(step)
        assert repr(other) == repr(step)
        assert other is not step
        assert fit_steps(training_rows(), dict(COLUMNS), [*example.steps[:-1], other]).plan == (
            fitted(example).plan
        )


@all_examples
def test_the_code_of_a_step_makes_it_again(example: Example) -> None:
    made: dict[str, Any] = {}
    exec(steps_code(example.steps), made)
    assert [repr(step) for step in made["steps"]] == [repr(step) for step in example.steps]


@all_examples
def test_steps_explain_themselves(example: Example) -> None:
    says = fitted(example).learnt[-1][1]
    assert says
    assert "\n" not in says
    picture = diagram(example.steps, [text for _, text in fitted(example).learnt])
    assert type(example.step).__name__ in picture
    assert picture.count("<details>") == len(example.steps)


@all_examples
def test_search_spaces_name_parameters(example: Example) -> None:
    space = example.step.search_space()
    assert space.keys() <= example.step.get_params().keys()
    for name, among in space.items():
        assert isinstance(among, Choice | Integer | Real)
        value = among.options[-1] if isinstance(among, Choice) else among.low
        assert example.step.copy().set_params(**{name: value}).get_params()[name] == value


@all_examples
def test_tuning_starts_from_the_values_in_use(example: Example) -> None:
    step = example.step
    used, space = step.in_use(), step.search_space()
    assert used.keys() == space.keys()
    for name, among in space.items():
        if isinstance(among, Choice):
            continue
        assert used[name] is not None
        assert used[name] != "auto"
    assert step.variant() == type(step).__name__.lower()


@all_examples
def test_alternatives_are_steps_for_the_same_columns(example: Example) -> None:
    others = example.step.alternatives()
    assert len({repr(other) for other in others} | {repr(example.step)}) >= len(others)
    for other in others:
        parts = other if isinstance(other, tuple) else (() if other is None else (other,))
        for part in parts:
            assert isinstance(part, Step)
            assert repr(part.get_params()["columns"]) == repr(example.step.get_params()["columns"])


def test_both_lowerings_agree() -> None:
    """All plans in one TensorFlow function, on rows that training never saw."""
    tf = pytest.importorskip("tensorflow")
    rows = serving_rows()
    plans = [fitted(example).plan for example in EXAMPLES]

    @tf.function
    def graph(blocks: dict[str, Any]) -> list[dict[str, Any]]:
        return [plan.tensorflow_columns(blocks) for plan in plans]

    found = graph({name: tf.constant(block) for name, block in blocks_of(rows).items()})
    for example, plan, tensors in zip(EXAMPLES, plans, found, strict=True):
        expected = plan.polars(rows.lazy()).collect()
        for info in plan.outputs:
            assert agree(expected[info.name], tensors[info.name].numpy()), (example.id, info)


def blocks_of(rows: pl.DataFrame) -> dict[str, np.ndarray]:
    def block(kind: str, dtype: Any) -> np.ndarray:
        names = [name for name, info in COLUMNS.items() if info.type == kind]
        return np.stack([rows[name].to_numpy() for name in names], axis=1).astype(dtype)

    return {
        "numbers": block("number", np.float64),
        "strings": block("string", object),
        "times": block("time", np.int64),
    }


def agree(expected: pl.Series, tensor: np.ndarray) -> bool:
    if expected.dtype == pl.String:
        return [text.decode() for text in tensor] == expected.to_list()
    numbers_there = expected.to_numpy()
    if expected.dtype != pl.Float64:
        return bool((tensor == numbers_there).all())
    return bool(np.allclose(tensor, numbers_there, rtol=1e-9, atol=1e-9, equal_nan=True))


def test_a_user_subclass_goes_by_its_own_module() -> None:
    class Mine(clean.Impute):
        """Impute by another name."""

    assert Mine.key().startswith("test_transformers.")
    assert not repr(Mine()).startswith("clean.")
