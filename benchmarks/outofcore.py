"""Tables larger than memory: seconds and peak memory from a million rows up, beside its peers.

Flights-like Parquet files are generated (12 columns: numbers with gaps, categories, a datetime and
a target). Each measurement is a process of its own, whose peak memory is what the system says
(`VmHWM`; `ru_maxrss` would count its parent's too). Peers run on the same files in the same way; a
peer that passes `--limit` bytes of address space dies, and the table says so.

    python benchmarks/outofcore.py --rows 200000 --sizes 50000,200000

Peers that take hours run up to `--peers` rows; pandas is tried on the last size too.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PART = 1_000_000
HERE = Path(__file__).resolve()
NUMBERS = ("distance", "temperature", "wind", "load", "age", "seats", "hour")
CATEGORIES = ("carrier", "origin", "dest")
OURS = ("statistics", "train", "score")
PEERS = ("pandas + scikit-learn", "tf.data + Keras layers", "Dask-ML")


# -- the table ------------------------------------------------------------------------------------


def generate(rows: int, folder: Path) -> None:
    """Write files of a million rows, one after the other; each row depends on its place alone."""
    import numpy as np
    import polars as pl

    folder.mkdir(parents=True)
    for part, start in enumerate(range(0, rows, PART)):
        random, count = np.random.default_rng(part), min(PART, rows - start)
        hour, carrier = random.integers(0, 24, count), random.integers(0, 14, count)
        wind, temperature = random.gamma(2.0, 5.0, count), random.normal(12, 9, count)
        distance, load = random.gamma(2.0, 400.0, count), random.beta(5, 2, count)
        late = np.sin(hour / 3.8) + 0.05 * wind - 0.03 * temperature + 0.2 * (carrier % 3)
        minutes = random.integers(0, 365 * 24 * 60, count) * 60_000_000
        table = pl.DataFrame(
            {
                "distance": distance,
                "temperature": np.where(random.random(count) < 0.05, np.nan, temperature),
                "wind": wind,
                "load": np.where(random.random(count) < 0.02, np.nan, load),
                "age": random.exponential(9, count),
                "seats": random.integers(50, 400, count),
                "hour": hour,
                "carrier": [f"C{code:02}" for code in carrier],
                "origin": [f"A{code:03}" for code in random.zipf(1.5, count) % 300],
                "dest": [f"A{code:03}" for code in random.zipf(1.5, count) % 300],
                "departure": np.datetime64("2020-01-01T00:00:00", "us")
                + minutes.astype("timedelta64[us]"),
                "delayed": late + random.normal(0, 1, count) > 1.0,
            }
        )
        gaps = pl.col("temperature", "load").fill_nan(None)
        table.with_columns(gaps).write_parquet(
            folder / f"part-{part:03}.parquet", row_group_size=250_000
        )


# -- what is measured, each in a process of its own -----------------------------------------------


def statistics(folder: str, memory: str) -> dict[str, Any]:
    """Learn what the default steps learn, from a scan."""
    from headrace.data.conform import conform
    from headrace.data.infer import infer_schema
    from headrace.data.scan import bounded_scans
    from headrace.data.source import read
    from headrace.plan.plan import schema_columns
    from headrace.preprocessing.defaults import default_steps
    from headrace.preprocessing.fit import fit_steps

    del memory
    with bounded_scans():
        rows = read(folder)
        schema = infer_schema(rows, exclude=["delayed"])
        canonical = conform(rows, schema, ignore=["delayed"])
        fitted = fit_steps(canonical, schema_columns(schema), default_steps(schema))
    return {"scans": fitted.scans}


def train(folder: str, memory: str) -> dict[str, Any]:
    """Train one epoch; the release stays in the folder beside for `score`."""
    import headrace as hr
    from headrace.data.source import read
    from headrace.engine import Engine
    from headrace.train.streamed import train_streamed

    fitted = train_streamed(  # `Pipeline.train` takes this way when a table does not fit
        read(folder),
        None,
        target="delayed",
        kinds=None,
        network=hr.Network([64, 64], epochs=1, batch_size=4096),
        validation=None,
        weight=None,
        seed=0,
        engine=Engine.of(memory),
        checkpoint=None,
    )
    pipe = hr.Pipeline(target="delayed")
    pipe.adopt(fitted, None)
    pipe.save(Path(f"{folder}-model"))
    result = fitted.result
    reading = [note for note in result.notes if note.startswith("rows are read from disk")]
    return {"parts": dict(result.seconds), "memory": dict(result.memory), "reading": reading}


def score(folder: str, memory: str) -> dict[str, Any]:
    """Answer every row in a Parquet file."""
    import headrace as hr
    from headrace.data.scan import bounded_scans
    from headrace.train.scoring import score_file

    del memory
    with bounded_scans():
        fitted = hr.load(Path(f"{folder}-model")).fitted
        return {"rows": score_file(fitted, folder, Path(f"{folder}-answers.parquet"))}


def sklearn_peer(folder: str) -> dict[str, Any]:
    """Train with everything in memory: impute, encode, scale, one epoch of a neural network."""
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder, StandardScaler

    table = pd.read_parquet(folder)
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    columns = make_column_transformer(
        (numbers, list(NUMBERS)), (OrdinalEncoder(), list(CATEGORIES))
    )
    network = MLPClassifier([64, 64], batch_size=4096, max_iter=1)
    make_pipeline(columns, network).fit(table, table["delayed"])
    return {}


def keras_peer(folder: str) -> dict[str, Any]:
    """Adapt Keras layers on a stream of batches, then train one epoch on it."""
    import keras
    import pyarrow.dataset as ds
    import tensorflow as tf

    def batches() -> Any:
        for batch in ds.dataset(folder).to_batches(batch_size=4096):
            columns = batch.to_pandas()
            numbers = columns[list(NUMBERS)].astype("float32").fillna(0.0).to_numpy()
            words = columns[list(CATEGORIES)].to_numpy(dtype=str)
            yield numbers, words, columns["delayed"].to_numpy(dtype="float32")

    signature = (
        tf.TensorSpec((None, len(NUMBERS)), tf.float32),
        tf.TensorSpec((None, len(CATEGORIES)), tf.string),
        tf.TensorSpec((None,), tf.float32),
    )
    stream = tf.data.Dataset.from_generator(batches, output_signature=signature)
    scale = keras.layers.Normalization()
    scale.adapt(stream.map(lambda *row: row[0]))
    looks = []
    for place in range(len(CATEGORIES)):
        look = keras.layers.StringLookup()
        look.adapt(stream.map(lambda *row, at=place: row[1][:, at]))
        looks.append(look)

    def encoded(numbers: Any, words: Any, label: Any) -> Any:
        codes = [look(words[:, at]) for at, look in enumerate(looks)]
        return (scale(numbers), tf.stack(codes, axis=1)), label

    dense = keras.Input((len(NUMBERS),))
    codes = keras.Input((len(CATEGORIES),), dtype="int64")
    embedded = [
        keras.layers.Embedding(look.vocabulary_size(), 8)(codes[:, at])
        for at, look in enumerate(looks)
    ]
    hidden = keras.layers.Concatenate()([dense, *embedded])
    for _ in range(2):
        hidden = keras.layers.Dense(64, "relu")(hidden)
    model = keras.Model([dense, codes], keras.layers.Dense(1, "sigmoid")(hidden))
    model.compile("adam", "binary_crossentropy")
    model.fit(stream.map(encoded).prefetch(2), epochs=1, verbose=0)
    return {}


def dask_peer(folder: str) -> dict[str, Any]:
    """Scale the numbers with Dask-ML and make one pass of a linear model."""
    import dask.dataframe as dd
    from dask_ml.preprocessing import StandardScaler
    from sklearn.linear_model import SGDClassifier

    table = dd.read_parquet(folder)
    numbers = table[list(NUMBERS)].fillna(0.0)
    scaled = StandardScaler().fit_transform(numbers)
    model = SGDClassifier(loss="log_loss")
    for part, label in zip(scaled.to_delayed(), table["delayed"].to_delayed(), strict=True):
        model.partial_fit(part.compute(), label.compute(), classes=[False, True])
    return {}


MEASURED: dict[str, Any] = {
    "statistics": statistics,
    "train": train,
    "score": score,
    "pandas + scikit-learn": sklearn_peer,
    "tf.data + Keras layers": keras_peer,
    "Dask-ML": dask_peer,
}


def inside(what: str, folder: str, memory: str, limit: int) -> None:
    """Run one measurement in this process and print what it took as JSON."""
    if what in PEERS and limit:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    # `distributed.py` beside this file must not be taken for the library that Dask-ML imports.
    sys.path[:] = [place for place in sys.path if Path(place).resolve() != HERE.parent]
    began = time.perf_counter()
    more = MEASURED[what](*([folder] if what in PEERS else [folder, memory]))
    print(json.dumps({"seconds": time.perf_counter() - began, "peak": peak(), **more}))


def peak() -> int:
    """Answer the most bytes that this process has held; a peer's environment lacks headrace."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def measure(what: str, folder: Path, memory: str, limit: int) -> dict[str, Any]:
    """Start a process for one measurement; Dask-ML comes from an environment of its own."""
    command = [sys.executable, str(HERE)]
    if what == "Dask-ML":
        if shutil.which("uv") is None:
            return {"error": "left out: uv is not installed, which would bring it"}
        tools = ["dask-ml", "dask[dataframe,distributed]", "pyarrow", "polars"]
        brought = [part for tool in tools for part in ("--with", tool)]
        command = ["uv", "run", "--isolated", "--no-project", *brought, "python", str(HERE)]
    asked = ["--inside", what, "--folder", str(folder), "--memory", memory, "--limit", str(limit)]
    ran = subprocess.run(
        [*command, *asked],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "HEADRACE_PROGRESS": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        last = (ran.stderr.strip().splitlines() or [f"ended with {ran.returncode}"])[-1]
        return {"error": f"died: {last[:90]}"}
    return dict(json.loads(ran.stdout.strip().splitlines()[-1]))


# -- statistics against those in memory -----------------------------------------------------------


def differences(folder: Path) -> dict[str, float]:
    """Answer how far statistics of a scan lie from those of the table in memory."""
    import numpy as np
    import polars as pl

    from headrace.plan.statistic import Mean, Quantiles, Variance
    from headrace.preprocessing.scan import TrainingRows

    names, levels = ["distance", "wind", "age"], [0.05, 0.25, 0.5, 0.75, 0.95]
    scan = pl.scan_parquet(folder / "*.parquet").select(names)
    questions = [(kind, [name]) for kind in (Mean(), Variance()) for name in names]
    held = TrainingRows(scan.collect()).learn(questions)
    read = TrainingRows(scan).learn(questions)
    moments = max(abs(a - b) / abs(b) for a, b in zip(read, held, strict=True))
    ranks = 0.0
    for name in names:
        values = np.sort(scan.select(name).collect()[name].to_numpy())
        found = TrainingRows(scan).learn([(Quantiles(tuple(levels)), [name])])[0]
        places = np.searchsorted(values, np.asarray(found)) / len(values)
        ranks = max(ranks, float(np.abs(places - levels).max()))
    return {"moments": moments, "ranks": ranks}


# -- the tables -----------------------------------------------------------------------------------


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rows", type=lambda text: int(float(text)), default=50_000_000)
    asked.add_argument("--sizes", default="", help="sizes to measure, 1e6,1e7; --rows comes last")
    asked.add_argument("--memory", default="3GB")
    asked.add_argument("--limit", type=lambda text: int(float(text)), default=16_000_000_000)
    asked.add_argument("--peers", type=lambda text: int(float(text)), default=10**12)
    asked.add_argument("--folder", default="")
    asked.add_argument("--inside", default="")
    given = asked.parse_args()
    if given.inside:
        inside(given.inside, given.folder, given.memory, given.limit)
        return
    listed = {int(float(size)) for size in given.sizes.split(",") if size}
    sizes = sorted({*(listed or {PART}), given.rows})
    with tempfile.TemporaryDirectory(dir=given.folder or None) as name:
        report(sizes, Path(name), given.memory, limit=given.limit, peers=given.peers)


def report(sizes: list[int], place: Path, memory: str, *, limit: int, peers: int) -> None:
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for rows in sizes:
        folder = place / f"rows-{rows}"
        generate(rows, folder)
        if rows == sizes[0]:
            far = differences(folder)
            print(f"statistics of {rows:,} rows, scanned against in memory:")
            print(f"  means and variances differ by {far['moments']:.1e} of their value at most")
            print(f"  quantiles lie {far['ranks']:.2%} of the rows away at most (sketch: 0.67 %)\n")
        for what in (*OURS, *_peers(rows, peers, last=rows == sizes[-1])):
            found[what, rows] = measure(what, folder, memory, limit)
            print(f"  {what}, {rows:,} rows: {found[what, rows]}", file=sys.stderr, flush=True)
        shutil.rmtree(folder)
    print(f"{'what':<24}{'rows':>14}{'seconds':>10}{'peak':>10}{'against linear':>16}")
    for what in (*OURS, *PEERS):
        for rows in sizes:
            if (what, rows) in found:
                print(line(what, rows, found[what, rows], found[what, sizes[0]], sizes[0]))
    for rows in sizes:
        for note in found["train", rows].get("reading", ()):
            print(f"\ntrain, {rows:,} rows: {note}")


def _peers(rows: int, most: int, *, last: bool) -> tuple[str, ...]:
    if rows <= most:
        return PEERS
    return PEERS[:1] if last else ()


def line(what: str, rows: int, one: dict[str, Any], first: dict[str, Any], least: int) -> str:
    """Answer one line: the last figure is the time against that of the first size times rows."""
    start = f"{what:<24}{rows:>14,}"
    if "error" in one:
        return f"{start}  {one['error']}"
    ratio = ""
    if "seconds" in first:
        ratio = f"{one['seconds'] / first['seconds'] / (rows / least):.2f}x"
    return f"{start}{one['seconds']:>10.1f}{one['peak'] / 1e9:>7.2f} GB{ratio:>16}"


if __name__ == "__main__":
    main()
