from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from headrace.data.schema import Column, Schema
from headrace.engine import HERE, Engine
from headrace.errors import CheckpointError, DataError
from headrace.model.target import TargetSpec
from headrace.partitions.message import unpack
from headrace.plan.plan import PythonNode, schema_columns
from headrace.preprocessing.fit import fit_steps
from headrace.preprocessing.transform import Encode
from headrace.storage import files
from headrace.train import contents as computing
from headrace.train import store as module
from headrace.train.contents import Contents
from headrace.train.labels import LABEL
from headrace.train.reading import ROW, WEIGHT
from headrace.train.store import FeatureStore, store_key

if TYPE_CHECKING:
    from distributed import Client

SPEC = TargetSpec("y", "regression")
SOURCE = Path(__file__).resolve().parents[2] / "src"


def contents(rows: int, *, weighted: bool = True) -> Contents:
    """Rows of two numbers, a category and a weight; every third row of the source is gone."""
    at = np.arange(rows)
    frame = pl.DataFrame(
        {
            "x": at.astype(float),
            "z": np.sqrt(at),
            "c": [f"c{i % 5}" for i in range(rows)],
            ROW: at.astype(np.uint32),
            LABEL: at * 0.5,
            WEIGHT: at + 1.0,
        }
    ).filter(pl.col(ROW) % 3 != 1)
    schema = Schema((Column("x", "number"), Column("z", "number"), Column("c", "category")))
    fitted = fit_steps(frame.lazy(), schema_columns(schema), [Encode()])
    lazy = frame.lazy() if weighted else frame.lazy().drop(WEIGHT)
    return Contents(lazy, fitted.plan, SPEC, seed=7, training=True)


def blocks(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_store_holds_every_row_once_and_mixed(tmp_path: Path) -> None:
    written = FeatureStore(tmp_path, part_rows=400).write("k", contents(3_000))
    x, z = np.asarray(written.features.numbers).T
    assert sorted(x) == [row for row in range(3_000) if row % 3 != 1]
    np.testing.assert_allclose(z, np.sqrt(x), rtol=1e-6)
    np.testing.assert_allclose(written.target, x * 0.5)
    np.testing.assert_array_equal(written.weight, x + 1)
    assert not written.features.numbers.flags.writeable
    # Rows stay in their part, in a new order.
    assert (x[:266] < 400).all()
    assert abs(np.corrcoef(x[:266], np.arange(266))[0, 1]) < 0.3


def test_batches_change_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FeatureStore(tmp_path / "a", part_rows=400).write("k", contents(3_000))
    monkeypatch.setattr(computing, "_BATCH_ROWS", 97)
    FeatureStore(tmp_path / "b", part_rows=400).write("k", contents(3_000))
    assert blocks(tmp_path / "a" / "k") == blocks(tmp_path / "b" / "k")


def test_workers_change_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cluster: Client
) -> None:
    FeatureStore(tmp_path / "here", part_rows=400).write("k", contents(3_000))
    monkeypatch.setattr(computing, "partition_rows", lambda *_: 150)  # several pieces a part
    with ThreadPoolExecutor(2) as pool:
        for name, executor in (("threads", pool), ("cluster", cluster)):
            shared = replace(contents(3_000), engine=Engine.of(executor=executor))
            FeatureStore(tmp_path / name, part_rows=400).write("k", shared)
            assert blocks(tmp_path / name / "k") == blocks(tmp_path / "here" / "k")


class Counting(ThreadPoolExecutor):
    """Threads that write down of which parts they are given rows."""

    def __init__(self) -> None:
        super().__init__(2)
        self.given: set[int] = set()

    def submit(self, perform: Any, /, *args: Any, **settings: Any) -> Any:
        self.given.add(unpack(args[1])[0])
        return super().submit(perform, *args, **settings)


def test_parts_that_are_there_are_not_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing_disk: Any
) -> None:
    FeatureStore(tmp_path / "whole", part_rows=300).write("k", contents(3_000))
    store = FeatureStore(tmp_path / "cut", part_rows=300)
    monkeypatch.setattr(files, "disk", failing_disk(60))
    monkeypatch.setattr(module, "disk", files.disk)
    with Counting() as pool, pytest.raises(CheckpointError, match="no space left"):
        store.write("k", replace(contents(3_000), engine=Engine.of(executor=pool)))
    monkeypatch.undo()
    done = _parts(tmp_path / "cut" / ".writing-k" / "journal.json")
    with Counting() as pool:
        store.write("k", replace(contents(3_000), engine=Engine.of(executor=pool)))
    assert 0 < done < 10
    assert pool.given == set(range(done, 10))
    assert blocks(tmp_path / "cut" / "k") == blocks(tmp_path / "whole" / "k")


def test_a_gap_behind_the_steps_names_the_row_of_the_table(tmp_path: Path) -> None:
    rows = contents(3_000)
    gap = pl.when(pl.col(ROW) == 2_001).then(math.nan).otherwise(pl.col("x")).alias("x")
    wrong = replace(rows, rows=rows.rows.with_columns(gap))
    with ThreadPoolExecutor(2) as pool:
        for engine in (HERE, Engine.of(executor=pool)):
            store = FeatureStore(tmp_path / str(engine is HERE), part_rows=400)
            with pytest.raises(DataError, match=r"column 'x', row 2001"):
                store.write("k", replace(wrong, engine=engine))


def test_steps_of_the_users_are_computed_here(tmp_path: Path) -> None:
    rows = contents(900)
    double = PythonNode.of(
        "Double", lambda frame: frame.with_columns(pl.col("x") * 2), rows.plan.outputs, {}
    )
    own = replace(rows, plan=replace(rows.plan, nodes=(*rows.plan.nodes, double)))
    FeatureStore(tmp_path / "here", part_rows=400).write("k", own)
    with Counting() as pool:
        asked = replace(own, engine=Engine.of(executor=pool))
        FeatureStore(tmp_path / "asked", part_rows=400).write("k", asked)
        assert not pool.given
    assert blocks(tmp_path / "asked" / "k") == blocks(tmp_path / "here" / "k")


def test_a_finished_store_is_not_written_again(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    store.write("k", contents(100))
    before = (tmp_path / "k" / "numbers").stat().st_mtime_ns
    assert len(store.write("k", contents(100))) == 67
    assert (tmp_path / "k" / "numbers").stat().st_mtime_ns == before
    assert store.open("other") is None


def test_rows_without_weights_have_none(tmp_path: Path) -> None:
    assert FeatureStore(tmp_path).write("k", contents(50, weighted=False)).weight is None


def test_keys_tell_contents_apart() -> None:
    assert store_key(a=1, b="x") == store_key(b="x", a=1) != store_key(a=2, b="x")


def test_damage_is_noticed(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    store.write("k", contents(100))
    (tmp_path / "k" / "target").write_bytes(b"short")
    with pytest.raises(CheckpointError, match="is damaged: target has 5 bytes, expected 268"):
        store.open("k")


def test_a_full_disk_at_any_call_leaves_what_can_be_gone_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing_disk: Any
) -> None:
    rows = contents(1_000)

    def use(disk: files.Disk) -> None:
        monkeypatch.setattr(files, "disk", disk)
        monkeypatch.setattr(module, "disk", disk)

    counting = failing_disk()
    use(counting)
    FeatureStore(tmp_path / "whole", part_rows=300).write("k", rows)
    calls = counting.calls
    assert calls > 20
    for step in range(1, calls + 1, 3):
        store = FeatureStore(tmp_path / f"at-{step}", part_rows=300)
        use(failing_disk(step, torn=True))
        with pytest.raises(CheckpointError, match="cannot be written: no space left on device"):
            store.write("k", rows)
        use(files.Disk())
        store.write("k", rows)
        assert blocks(tmp_path / f"at-{step}" / "k") == blocks(tmp_path / "whole" / "k")


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match="cannot be written: .*give a folder that can be"):
        FeatureStore(tmp_path / "file" / "store").write("k", contents(10))


_WRITER = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from test_store import contents
from headrace.train.store import FeatureStore
FeatureStore(Path(sys.argv[1]), part_rows=500).write("k", contents(60_000))
"""


@pytest.mark.slow
def test_a_writer_killed_at_random_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    script = _WRITER.format(tests=str(Path(__file__).parent))
    random.seed(5)
    FeatureStore(tmp_path / "whole", part_rows=500).write("k", contents(60_000))
    killed = tmp_path / "killed"
    journal, reached = killed / ".writing-k" / "journal.json", []
    for until in sorted(random.sample(range(1, 110), 4)):
        writer = subprocess.Popen(
            [sys.executable, "-c", script, str(killed)],
            env=os.environ | {"PYTHONPATH": str(SOURCE)},
        )
        while writer.poll() is None and _parts(journal) < until:
            time.sleep(0.001)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        reached.append(_parts(journal))
        if (killed / "k").exists():
            break
    assert len(reached) >= 2
    assert reached == sorted(reached)
    FeatureStore(killed, part_rows=500).write("k", contents(60_000))
    assert blocks(killed / "k") == blocks(tmp_path / "whole" / "k")
    assert not (killed / ".writing-k").exists()


def _parts(journal: Path) -> int:
    try:
        return int(json.loads(journal.read_bytes())["parts"])
    except (FileNotFoundError, ValueError):
        return -1
