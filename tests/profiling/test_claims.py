"""What an assessment claims holds: noise has no relations or patterns, planted leaks are found."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import headrace as hr
from headrace.data.schema import Column, Schema
from headrace.profiling.goal import goal_of
from headrace.profiling.patterns import find_patterns
from headrace.profiling.relations import find_relations
from headrace.profiling.sample import Sample


def noise(seed: int, rows: int) -> Sample:
    """Six columns that know nothing of each other, with gaps."""
    random = np.random.default_rng([seed, rows])
    gap = random.random((2, rows)) < 0.1
    table = {
        "normal": np.where(gap[0], np.nan, random.normal(size=rows)),
        "wide": random.standard_t(4, rows),
        "count": random.poisson(3, rows).astype(float),
        "half": (random.random(rows) < 0.3).astype(float),
        "word": np.where(gap[1], "", np.char.add("w", random.geometric(0.3, rows).astype(str))),
        # most of its values are rare, as are some of the words
        "kind": np.char.add("k", random.geometric(0.4, rows).astype(str)),
    }
    kinds = {"half": "boolean", "word": "category", "kind": "category"}
    schema = Schema(tuple(Column(name, kinds.get(name, "number")) for name in table))  # type: ignore[arg-type]
    return Sample(pl.DataFrame(table), np.arange(rows), schema)


def test_relations_and_patterns_of_noise_keep_their_rates() -> None:
    related, patterned, tables = 0, 0, 120
    for seed in range(tables):
        sample = noise(seed, 400)
        names = list(sample.schema.names)
        target = names[seed % len(names)]
        found = find_relations(sample, names, target)
        related += any(one.corrected <= 0.05 for one in found)
        others = [name for name in names if name != target]
        patterned += bool(find_patterns(sample, goal_of(sample, target), others, seed=seed))
    # 5 % of 120 are 6; more than 14 would come once in a thousand times
    assert related <= 14
    assert patterned <= 14


def test_rare_values_are_not_taken_for_evidence() -> None:
    found, rows = 0, 4000
    for seed in range(40):
        random = np.random.default_rng([seed, 11])
        words = {f"w{n}": random.geometric(0.3, rows).astype(str) for n in range(5)}
        schema = Schema(tuple(Column(name, "category") for name in words))
        sample = Sample(pl.DataFrame(words), np.arange(rows), schema)
        found += any(one.corrected <= 0.05 for one in find_relations(sample, list(words)))
    assert found <= 8  # 5 % of 40 are 2; chi-squared over all values finds something in a half


def test_what_rare_values_tell_each_other_is_found_all_the_same() -> None:
    towns = np.random.default_rng(2).integers(0, 400, 3000)
    table = {"town": towns.astype(str), "region": (towns % 7).astype(str)}
    schema = Schema(tuple(Column(name, "category") for name in table))
    sample = Sample(pl.DataFrame(table), np.arange(3000), schema)
    assert find_relations(sample, ["town", "region"])[0].corrected < 1e-6


def test_a_column_that_is_constant_where_both_have_values_has_no_relation() -> None:
    random = np.random.default_rng(0)
    word = random.choice(["a", "b", ""], 600)
    table = {"word": word, "same": np.where(word == "", random.normal(size=600), 999.3)}
    schema = Schema((Column("word", "category"), Column("same", "number")))
    sample = Sample(pl.DataFrame(table), np.arange(600), schema)
    assert not find_relations(sample, ["word", "same"])


def encoded(classes: bool, rows: int = 3000, seed: int = 0) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    goal = random.normal(size=rows) if not classes else (random.random(rows) < 0.3) * 1.0
    table = pl.DataFrame(
        {
            "shop": random.integers(0, 400, rows).astype(str),
            "goal": goal,
            "age": random.random(rows),
        }
    )
    half = table.with_row_index().filter(pl.col("index") % 2 == 0)
    means = half.group_by("shop").agg(honest=pl.col("goal").mean())
    table = table.with_columns(mean=pl.col("goal").mean().over("shop"))
    table = table.join(means, on="shop", how="left", maintain_order="left")
    words = pl.when(pl.col("goal") == 1).then(pl.lit("yes, bought")).otherwise(pl.lit("not"))
    return table.with_columns(words.alias("goal")) if classes else table


@pytest.mark.parametrize("classes", [False, True])
@pytest.mark.parametrize("sample", [500, 20_000])
def test_a_column_of_the_targets_own_means_is_found(classes: bool, sample: int) -> None:
    table = encoded(classes)
    rest = table.filter(pl.int_range(pl.len()) % 2 == 1)  # the other half had no part in them
    found = {one.columns for one in hr.profile(table, "goal", sample=sample).leaks}
    assert found == {("mean",)}
    found = {one.columns for one in hr.profile(rest.drop("mean"), "goal", sample=sample).leaks}
    assert not found
