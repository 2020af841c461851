from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from headrace.data.schema import UnknownColumnWarning
from headrace.deploy.registry import Registry
from headrace.deploy.release import write_release
from headrace.deploy.runtime import Runtime
from headrace.errors import DataError, ReleaseError, SettingError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from headrace.deploy.release import Release


@pytest.fixture(scope="module")
def runtime(wide_release: Release) -> Runtime:
    return Runtime(wide_release.path)


def test_it_answers_labels_and_probabilities(
    runtime: Runtime, wide_rows: list[dict[str, Any]]
) -> None:
    probabilities = runtime.predict_proba(wide_rows)
    assert probabilities.shape == (21, 2)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    expected = np.where(probabilities[:, 1] > 0.5, "yes", "no")
    assert runtime.predict(wide_rows).tolist() == expected.tolist()
    assert set(expected) == {"yes", "no"}
    assert runtime.task == "binary"
    assert runtime.classes == ("no", "yes")
    assert runtime.version in repr(runtime)


def test_every_kind_of_row_container_gives_the_same(
    runtime: Runtime, wide_rows: list[dict[str, Any]]
) -> None:
    expected = runtime.predict_proba(wide_rows)
    frames = {
        "polars": pl.DataFrame(wide_rows),
        "pandas": pd.DataFrame(wide_rows),
        "pandas nullable": pd.DataFrame(wide_rows).convert_dtypes(),
        "tuple": tuple(wide_rows),
    }
    for name, rows in frames.items():
        np.testing.assert_array_equal(runtime.predict_proba(rows), expected, err_msg=name)
    np.testing.assert_array_equal(runtime.predict_proba(wide_rows[0]), expected[:1])


def test_many_rows_go_in_portions(runtime: Runtime, wide_rows: list[dict[str, Any]]) -> None:
    many = wide_rows * 400
    once = runtime.predict_proba(wide_rows)
    np.testing.assert_allclose(runtime.predict_proba(many), np.tile(once, (400, 1)), atol=1e-6)


def test_no_rows_give_no_answers(runtime: Runtime) -> None:
    assert runtime.predict([]).shape == (0,)
    assert runtime.predict_proba([]).shape == (0, 2)


def test_regression_answers_values_in_the_targets_units(price_release: Release) -> None:
    runtime = Runtime(price_release.path)
    answers = runtime.predict([{"area": 10, "new": True}, {"area": "2.5", "new": False}])
    assert answers.tolist() == [21.0, 5.0]
    assert answers.dtype == np.float64
    assert runtime.classes == ()
    with pytest.raises(SettingError, match="answers regression, which has no probabilities"):
        runtime.predict_proba([{"area": 10, "new": True}])


def test_clusters_are_answered_by_number(cluster_release: Release) -> None:
    runtime = Runtime(cluster_release.path)
    assert runtime.predict([{"x": 1}, {"x": 9.5}]).tolist() == [0, 1]
    assert runtime.task == "clustering"


def test_a_registry_answers_with_its_champion(
    wide_parts: dict[str, Any], tmp_path: Path, wide_row: Callable[[int], dict[str, Any]]
) -> None:
    models = Registry(tmp_path)
    release = models.publish(wide_parts)
    with pytest.raises(ReleaseError, match="has no champion yet"):
        Runtime(tmp_path)
    models.promote(release.version, "")
    runtime = Runtime(tmp_path)
    assert (runtime.version, runtime.release.alias) == (release.version, "champion")
    assert runtime.registry == tmp_path
    assert runtime.predict(wide_row(0)).shape == (1,)
    assert Runtime(tmp_path, name=release.version[:6]).version == release.version


def test_rows_that_do_not_fit_are_refused(
    runtime: Runtime, wide_row: Callable[[int], dict[str, Any]]
) -> None:
    rows = [wide_row(0), wide_row(1) | {"number 3": "many"}]
    with pytest.raises(DataError, match="column 'number 3', row 1: expected a number"):
        runtime.predict(rows)
    short = {name: value for name, value in wide_row(0).items() if name != "category 1"}
    with pytest.raises(DataError, match="column 'category 1', row 0: the column is missing"):
        runtime.predict([short])
    with pytest.raises(DataError, match="expected a list of rows"):
        runtime.predict(7)
    with pytest.warns(UnknownColumnWarning, match="numbr 3"):
        runtime.predict([wide_row(0) | {"numbr 3": 1}])
    assert runtime.predict([wide_row(0) | {"bought": "yes"}]).shape == (1,)


def test_a_release_without_a_graph_says_what_to_use(tmp_path: Path) -> None:
    release = write_release(tmp_path / "saved", {"schema.json": {"columns": []}})
    with pytest.raises(ReleaseError, match=r"has no ONNX graph: .* Use hr\.load\(path\)"):
        Runtime(release.path)


def test_a_changed_byte_of_the_graph_is_found(wide_release: Release, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(wide_release.path, tmp_path / "copy")
    graph = tmp_path / "copy" / "model.onnx"
    data = bytearray(graph.read_bytes())
    data[len(data) // 2] ^= 1
    graph.write_bytes(data)
    with pytest.raises(ReleaseError, match=r"model\.onnx is not what was published"):
        Runtime(tmp_path / "copy")


def test_a_graph_that_answers_something_else_is_refused(
    wide_parts: dict[str, Any], tmp_path: Path
) -> None:
    target = {"name": "x", "task": "regression", "classes": [], "mean": 0.0, "scale": 1.0}
    release = write_release(tmp_path / "x", wide_parts | {"target.json": target})
    with pytest.raises(ReleaseError, match=r"should answer 'prediction' .* \['probabilities'\]"):
        Runtime(release.path)


def test_neither_tensorflow_nor_a_table_library_is_loaded(wide_release: Release) -> None:
    program = (
        "import sys\n"
        "import headrace as hr\n"
        "runtime = hr.Runtime(sys.argv[1])\n"
        "print(*{name.partition('.')[0] for name in sys.modules})\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", program, str(wide_release.path)]
    environment = {"PYTHONPATH": ":".join(sys.path)}
    loaded = subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment
    ).stdout.split()
    heavy = {"tensorflow", "keras", "polars", "pandas", "pyarrow", "sklearn", "scipy", "onnx",
             "tf2onnx", "starlette", "matplotlib", "pydantic"}  # fmt: skip
    assert not heavy & set(loaded)
    assert {"numpy", "onnxruntime"} <= set(loaded)
