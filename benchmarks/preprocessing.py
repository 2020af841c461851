"""How fast are the steps? Median fill, standardise and encode, against peers, on one machine.

    python benchmarks/preprocessing.py [--rows 2000000] [--repeats 7] [--slow-repeats 1]

The table has 10 numbers with gaps and 5 categories of 5 to 20,000 values. Peers take turns within
each repetition, and what counts is the ratio of the medians: seconds of a busy machine say little.
The second pair of columns counts the seconds of all cores together, which others disturb less.

- *Polars by hand*: the same result in as few and as quick expressions as we could find.
- *ColumnTransformer*: scikit-learn's SimpleImputer, StandardScaler and OrdinalEncoder, on the
  pandas table, from rows to a NumPy matrix; with words as Python objects, which it takes quickest,
  and as pandas makes them itself.
- *FeatureSpace*: Keras's normalised floats and integer categories, on a tenth of the rows. It has
  no imputation: its gaps are filled beforehand, off the clock.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from headrace.data.conform import conform
from headrace.data.schema import Column, Schema
from headrace.plan.plan import schema_columns
from headrace.preprocessing import clean, normalize, transform
from headrace.preprocessing.fit import fit_steps

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBERS = [f"number_{place}" for place in range(10)]
SIZES = {"tiny": 5, "small": 50, "middle": 500, "large": 5_000, "huge": 20_000}
WORDS = list(SIZES)
SCHEMA = Schema((*(Column(n, "number") for n in NUMBERS), *(Column(w, "category") for w in WORDS)))
STEPS = [
    clean.Impute("median", flags=False),
    normalize.Standardize(),
    transform.Encode(min_count=1, max_values=None),
]


def make_table(rows: int) -> pl.DataFrame:
    """Answer raw rows: numbers and words with nulls."""
    random = np.random.default_rng(0)
    columns: dict[str, pl.Series] = {}
    for place, name in enumerate(NUMBERS):
        values = random.lognormal(0, 1, rows) if place % 2 else random.normal(50, 10, rows)
        columns[name] = pl.Series(values).set(pl.Series(random.random(rows) < 0.05), None)
    for name, size in SIZES.items():
        words = pl.Series([f"value {place}" for place in range(size)])
        shares = 1 / np.arange(1, size + 1) ** 0.7
        drawn = words[random.choice(size, rows, p=shares / shares.sum()).astype(np.uint32)]
        columns[name] = drawn.set(pl.Series(random.random(rows) < 0.03), None)
    return pl.DataFrame(columns)


# -- headrace --------------------------------------------------------------------------------------


def headrace(canonical: pl.DataFrame) -> Any:
    return fit_steps(canonical, schema_columns(SCHEMA), STEPS)


def headrace_from_raw(raw: pl.DataFrame) -> Any:
    return headrace(conform(raw.lazy(), SCHEMA).collect())


# -- Polars by hand --------------------------------------------------------------------------------


def by_hand_fit(raw: pl.DataFrame) -> tuple[Any, ...]:
    """Learn medians, means, deviations and words in two passes."""
    # Without nulls the median is selected in linear time, with them Polars sorts; but not in its
    # streaming engine. Unique rows of a lazy frame come quicker than unique values of a column.
    medians = raw.select(pl.col(name).drop_nulls().median() for name in NUMBERS)
    words = pl.collect_all([raw.lazy().select(name).unique() for name in WORDS])
    middle = medians.row(0, named=True)
    kinds = {w.columns[0]: pl.Enum(w.to_series().drop_nulls().sort()) for w in words}
    filled = [pl.col(name).fill_null(middle[name]) for name in NUMBERS]
    moments = raw.lazy().select(
        *(x.mean().alias(f"mean {n}") for x, n in zip(filled, NUMBERS, strict=True)),
        *(x.std(ddof=0).alias(f"std {n}") for x, n in zip(filled, NUMBERS, strict=True)),
    )
    return middle, moments.collect().row(0, named=True), kinds


def by_hand_transform(raw: pl.DataFrame, learnt: tuple[Any, ...]) -> pl.DataFrame:
    """Fill, scale and encode in one pass."""
    middle, moments, kinds = learnt
    return (
        raw.lazy()
        .select(
            *(
                ((pl.col(n) - moments[f"mean {n}"]) / moments[f"std {n}"]).fill_null(
                    (middle[n] - moments[f"mean {n}"]) / moments[f"std {n}"]
                )
                for n in NUMBERS
            ),
            # Unknown words and nulls become null, then the code 0.
            *(
                (pl.col(n).cast(kinds[n], strict=False).to_physical().cast(pl.Int32) + 1).fill_null(
                    0
                )
                for n in WORDS
            ),
        )
        .collect()
    )


def by_hand(raw: pl.DataFrame) -> pl.DataFrame:
    return by_hand_transform(raw, by_hand_fit(raw))


# -- scikit-learn ----------------------------------------------------------------------------------


def column_transformer() -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder, StandardScaler

    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    scale = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    return ColumnTransformer([("numbers", scale, NUMBERS), ("words", encoder, WORDS)])


# -- Keras -----------------------------------------------------------------------------------------


def feature_space(canonical: pl.DataFrame) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    """Answer how a FeatureSpace is fitted and how it goes through all rows."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow as tf

    filled = canonical.with_columns(pl.col(NUMBERS).fill_nan(0.0).cast(pl.Float32))
    columns = {name: filled[name].to_numpy() for name in (*NUMBERS, *WORDS)}
    rows = tf.data.Dataset.from_tensor_slices(columns).batch(4096).prefetch(2)
    kinds = dict.fromkeys(NUMBERS, "float_normalized")
    words = {name: keras.utils.FeatureSpace.string_categorical(output_mode="int") for name in WORDS}

    def fit() -> Any:
        space = keras.utils.FeatureSpace({**kinds, **words}, output_mode="dict")
        space.adapt(rows)
        return space

    def run(space: Any) -> None:
        for _ in rows.map(space):
            pass

    return fit, run


# -- measuring -------------------------------------------------------------------------------------


def seconds(work: Callable[[], Any]) -> tuple[float, float]:
    """Answer the seconds on the clock and those of all cores together."""
    clock, cores = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - cores


def compare(
    title: str, quick: dict[str, Callable[[], Any]], slow: dict[str, Callable[[], Any]], args: Any
) -> None:
    """Let all take turns, then print medians and ratios to the first."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in (*quick, *slow)}
    for work in quick.values():
        work()  # warm up
    for turn in range(max(args.repeats, args.slow_repeats)):
        for name, work in quick.items():
            if turn < args.repeats:
                taken[name].append(seconds(work))
        for name, work in slow.items():
            if turn < args.slow_repeats:
                taken[name].append(seconds(work))
    medians = {name: np.median(times, axis=0) for name, times in taken.items()}
    own = next(iter(medians.values()))
    print(f"\n{title:36} {'clock':>10} {'ratio':>9} {'cores':>10} {'ratio':>9} {'runs':>5}")
    for name, value in medians.items():
        shown = [f"{s:8.3f} s {ratio:7.2f} x" for s, ratio in zip(value, value / own, strict=True)]
        print(f"  {name:34} {' '.join(shown)} {len(taken[name]):5}")


def main(args: argparse.Namespace) -> None:
    raw = make_table(args.rows)
    canonical = conform(raw.lazy(), SCHEMA).collect()
    print(f"{raw.height:,} rows, {raw.width} columns, {pl.thread_pool_size()} threads")

    fitted = headrace(canonical)
    hand = by_hand_fit(raw)
    pandas = raw.to_pandas()
    objects = pandas.astype(dict.fromkeys(WORDS, object))
    sklearn = column_transformer().fit(objects) if args.slow_repeats else None
    check(fitted, hand, raw, canonical)

    slow = {
        "ColumnTransformer, objects": lambda: column_transformer().fit_transform(objects),
        "ColumnTransformer": lambda: column_transformer().fit_transform(pandas),
    }
    quick = {
        "headrace": lambda: headrace(canonical),
        "headrace, from raw rows": lambda: headrace_from_raw(raw),
        "Polars by hand": lambda: by_hand(raw),
    }
    compare("fit and transform", quick, slow, args)

    quick = {
        "headrace": lambda: fitted.plan.polars(canonical.lazy()).collect(),
        "headrace, from raw rows": lambda: fitted.plan.polars(
            conform(raw.lazy(), SCHEMA)
        ).collect(),
        "headrace, to the model's blocks": lambda: fitted.plan.features(
            fitted.plan.polars(canonical.lazy()).collect()
        ),
        "Polars by hand": lambda: by_hand_transform(raw, hand),
    }
    slow = {
        "ColumnTransformer, objects": lambda: sklearn.transform(objects),
        "ColumnTransformer": lambda: sklearn.transform(pandas),
    }
    compare("transform", quick, slow, args)

    if args.feature_space:
        tenth = canonical.head(canonical.height // 10)
        fit, run = feature_space(tenth)
        slow = {"FeatureSpace": lambda: run(fit())}
        quick = {"headrace": lambda: headrace(tenth)}
        compare(f"fit and transform, {tenth.height:,} rows", quick, slow, args)


def check(fitted: Any, hand: tuple[Any, ...], raw: pl.DataFrame, canonical: pl.DataFrame) -> None:
    """Stop if both do not answer the same numbers."""
    mine = fitted.plan.polars(canonical.head(1000).lazy()).collect()
    theirs = by_hand_transform(raw.head(1000), hand)
    gap = np.abs(mine.select(NUMBERS).to_numpy() - theirs.select(NUMBERS).to_numpy()).max()
    if gap > 1e-9:
        raise SystemExit(f"headrace and Polars by hand differ by {gap}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--slow-repeats", type=int, default=1)
    parser.add_argument("--no-feature-space", dest="feature_space", action="store_false")
    main(parser.parse_args())
