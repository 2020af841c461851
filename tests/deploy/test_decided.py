"""Calibrated probabilities, chosen thresholds and ensembles, the same on every path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import headrace as hr
from headrace.model.presets import PRESETS, Member, Preset

if TYPE_CHECKING:
    from pathlib import Path

SMALL = Preset(
    "best",
    (
        Member("tabm", {"members": 2, "hidden": [8]}, {"epochs": 2}),
        Member("realmlp", {"hidden": [8]}, {"epochs": 2}),
    ),
    folds=2,
)


def make_rows(classes: int, count: int = 2000) -> pl.DataFrame:
    random = np.random.default_rng(classes)
    x, colour = random.normal(size=count), random.choice(["red", "green", "blue"], count)
    signal = x + (colour == "red") + random.normal(size=count)
    edges = np.quantile(signal, np.linspace(0, 1, classes + 1)[1:-1])
    return pl.DataFrame(
        {"x": x, "colour": colour, "y": [f"c{k}" for k in np.digitize(signal, edges)]}
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("classes", "settings"),
    [
        (2, {"preset": "best", "calibrate": "isotonic", "threshold": "f1"}),
        (3, {"hidden": [8], "epochs": 2, "calibrate": "temperature"}),
        (3, {"hidden": [8], "epochs": 2, "calibrate": "isotonic"}),
    ],
    ids=["ensemble", "temperature", "isotonic"],
)
def test_a_release_decides_as_the_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, classes: int, settings: dict[str, Any]
) -> None:
    monkeypatch.setitem(PRESETS, "best", SMALL)
    rows = make_rows(classes)
    steps = [hr.transform.Encode(), hr.normalize.Standardize(), hr.Network(**settings)]
    pipe = hr.Pipeline(steps, target="y")
    pipe.train(rows)
    release = pipe.deploy(tmp_path / "models")
    assert release.verification.difference < 1e-5
    fresh = make_rows(classes, 200)
    given = fresh.drop("y").to_dicts()
    runtime, loaded = hr.Runtime(tmp_path / "models"), hr.load(tmp_path / "models")
    assert np.allclose(runtime.predict_proba(given), pipe.predict_proba(fresh), atol=1e-5)
    assert np.array_equal(loaded.predict_proba(fresh), pipe.predict_proba(fresh))
    answers = pipe.predict(fresh).to_list()
    assert list(runtime.predict(given)) == answers
    assert loaded.predict(fresh).to_list() == answers
    if classes == 2:
        chosen = pipe.fitted.network.target_spec.threshold
        assert chosen != 0.5
        said = np.where(pipe.predict_proba(fresh)[:, 1] > chosen, "c1", "c0")
        assert answers == said.tolist()
