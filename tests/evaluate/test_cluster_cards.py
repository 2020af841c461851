from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

import headrace as hr
from headrace.errors import DataError, SettingError


def people(rows: int = 600, seed: int = 0) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    old = random.random(rows) < 0.4
    return pl.DataFrame(
        {
            "age": np.where(old, 70.0, 25.0) + random.normal(0, 3, rows),
            "größe": random.normal(170, 10, rows),
            "town": np.where(random.random(rows) < np.where(old, 0.9, 0.2), "Bern", "Oslo"),
            "noise": random.normal(size=rows),
            "gap": np.where(old & (random.random(rows) < 0.5), None, "here"),
        }
    )


@pytest.fixture(scope="module")
def pipe() -> hr.Pipeline:
    beside = hr.transform.Drop(["town", "noise", "gap"], reason="described only")
    found = hr.Pipeline([beside, hr.normalize.Standardize(), hr.KMeans(2)])
    found.train(people())
    return found


def test_each_cluster_is_named_by_what_distinguishes_it(pipe: hr.Pipeline) -> None:
    cards = hr.cluster_cards(pipe, people())
    old = max(cards.cards, key=lambda card: card.typical[0]["age"])
    assert "high age" in old.name
    assert "town = Bern" in old.name
    assert old.traits[0].column == "age"
    assert all(abs(a.effect) >= abs(b.effect) - 1e-6 for a, b in pairwise(old.traits))
    assert sum(card.rows for card in cards.cards) == 600
    gap = old.trait("gap", "missing")
    assert gap is not None
    assert gap.inside == pytest.approx(0.5, abs=0.1)
    assert len(old.typical) == 3


def test_what_the_clusters_were_found_in_has_no_p_value(pipe: hr.Pipeline) -> None:
    cards = hr.cluster_cards(pipe, people())
    for trait in cards.cards[0].traits:
        assert trait.used == (trait.column in {"age", "größe"})
        assert (trait.p_value is None) == trait.used
    assert "by construction" in cards.summary()
    assert "by construction" in cards.notes[0]


def test_columns_without_a_relation_are_rarely_named() -> None:
    pipe = hr.Pipeline([hr.KMeans(3)])
    pipe.train({"x": np.random.default_rng(0).normal(size=300)})
    finds = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        beside = {f"n{i}": random.normal(size=200) for i in range(5)}
        words = {f"w{i}": random.choice(["a", "b", "c"], 200) for i in range(5)}
        table = pl.DataFrame({"x": random.normal(size=200), **beside, **words})
        cards = hr.cluster_cards(pipe, table)
        finds += any(
            t.p_value is not None and t.p_value <= 0.05 for card in cards.cards for t in card.traits
        )
    assert finds <= 8  # 3 expected at 5 %


def test_effects_are_those_of_the_formulas(pipe: hr.Pipeline) -> None:
    table = people()
    card = hr.cluster_cards(pipe, table)[1]
    inside = pipe.predict(table).to_numpy() == 1
    age = table["age"].to_numpy()
    trait = card.trait("age")
    assert trait is not None
    assert trait.inside == pytest.approx(age[inside].mean())
    assert trait.outside == pytest.approx(age[~inside].mean())
    n, m = inside.sum(), (~inside).sum()
    pooled = ((n - 1) * age[inside].var(ddof=1) + (m - 1) * age[~inside].var(ddof=1)) / (n + m - 2)
    g = (trait.inside - trait.outside) / np.sqrt(pooled)
    assert trait.effect == pytest.approx(g, rel=0.01)
    assert trait.low < trait.effect < trait.high


def test_what_cannot_be_compared_is_left_out(pipe: hr.Pipeline) -> None:
    table = people().with_columns(
        same=pl.lit(1.0),
        none=pl.lit(None, pl.Float64),
        many=pl.int_range(pl.len()).cast(pl.String),
        day=pl.date(2026, 1, 1) + pl.duration(days=pl.int_range(pl.len()) % 7),
    )
    cards = hr.cluster_cards(pipe, table)
    columns = {trait.column for card in cards.cards for trait in card.traits}
    assert not {"same", "none"} & columns
    assert "day" in columns
    assert json.loads(json.dumps(cards.to_dict(), allow_nan=False))["rows"] == 600


def test_one_row_and_one_cluster_have_a_card(pipe: hr.Pipeline) -> None:
    (card,) = hr.cluster_cards(pipe, people().head(1)).cards
    assert card.name == "like the other rows"
    assert card.share == 1.0


def test_more_rows_are_sampled(pipe: hr.Pipeline) -> None:
    cards = hr.cluster_cards(pipe, people(), most_rows=100)
    assert cards.rows == 100
    assert "a random sample of 100 of 600 rows is looked at" in cards.notes


def test_bad_input_is_named(pipe: hr.Pipeline) -> None:
    with pytest.raises(DataError, match="there are no rows to describe clusters by"):
        hr.cluster_cards(pipe, people().head(0))
    with pytest.raises(SettingError, match="rate must be between 0 and 1, received 0"):
        hr.cluster_cards(pipe, people(), rate=0)


def test_the_heat_map_names_traits_and_clusters(pipe: hr.Pipeline) -> None:
    axes = hr.cluster_cards(pipe, people()).plot()
    assert [text.get_text() for text in axes.get_xticklabels()] == ["cluster 0", "cluster 1"]
    assert axes.get_yticklabels()[0].get_text() == "age"


def test_a_column_without_spread_tells_clusters_apart() -> None:
    rows = pl.DataFrame({"x": [0.0, 0.1, 9.0, 9.1] * 20, "flag": [0.0, 0.0, 1.0, 1.0] * 20})
    pipe = hr.Pipeline([hr.transform.Drop(["flag"], reason="described only"), hr.KMeans(2)])
    pipe.train(rows)
    for card in hr.cluster_cards(pipe, rows).cards:
        flag = card.trait("flag")
        assert flag is not None
        assert abs(flag.effect) == pytest.approx(100, rel=0.02)
        assert flag.p_value == 0.0
