"""Presets: what is trained when only a wish is stated, and several networks that answer together."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from headrace.errors import SettingError
from headrace.model.composite import ENSEMBLE
from headrace.model.ensemble import greedy_shares
from headrace.model.fitted import FittedNetwork
from headrace.model.network import Network
from headrace.model.presets import PRESETS, Member, Preset, preset

SMALL = Preset(
    "best",
    (
        Member("tabm", {"members": 2, "hidden": [8]}, {"epochs": 3}),
        Member("mlp", {"hidden": [8]}, {"epochs": 3}),
    ),
    folds=2,
)


@pytest.fixture
def small_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make "best" train four tiny networks."""
    monkeypatch.setitem(PRESETS, "best", SMALL)


def fit(table: Any, task: str = "binary", **settings: Any) -> Any:
    whole = table(task, rows=400)
    features, target = whole.part(slice(0, 100))
    network = Network(preset="best", **settings)
    return whole, whole.fit(network, validation=(features, target), pooled=True)


def test_presets_are_known_by_name() -> None:
    assert list(PRESETS) == ["fast", "balanced", "best"]
    assert preset("best").is_ensemble
    assert not preset("fast").is_ensemble
    with pytest.raises(SettingError, match="perhaps 'balanced' is meant"):
        preset("balancd")


@pytest.mark.slow
@pytest.mark.usefixtures("small_best")
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_answer_is_the_weighted_mean(table: Any, task: str) -> None:
    whole, fitted = fit(table, task)
    assert fitted.architecture == ENSEMBLE
    members = fitted.training.members
    assert [member.fold for member in members] == [1, 2, 1, 2]
    assert sum(member.weight for member in members) == pytest.approx(1)
    shares = fitted.settings["shares"]
    inner = [layer for layer in fitted.model.layers if hasattr(layer, "layers")]
    blocks = {"numbers": whole.features.numbers, "categories": whole.features.categories}
    given = lambda model: {tensor.name: blocks[tensor.name] for tensor in model.inputs}  # noqa: E731
    mean = sum(
        share * np.asarray(model(given(model), training=False))
        for share, model in zip(shares, inner, strict=True)
    )
    assert np.allclose(fitted.predict(whole.features), mean, atol=1e-6)


@pytest.mark.slow
@pytest.mark.usefixtures("small_best")
def test_an_ensemble_is_rebuilt_to_the_bit(table: Any) -> None:
    whole, fitted = fit(table, calibrate="temperature", threshold="f1")
    again = FittedNetwork.rebuild(fitted.description(), fitted.weights())
    assert np.array_equal(again.predict(whole.features), fitted.predict(whole.features))
    assert again.target_spec.threshold == fitted.target_spec.threshold
    training = fitted.training
    assert training.estimate is not None
    assert training.peak_bytes <= training.estimate.bytes
    assert fitted.training.threshold is not None
    assert fitted.training.threshold.rows == 500  # out of fold: every row decides


@pytest.mark.slow
@pytest.mark.usefixtures("small_best")
def test_one_seed_gives_the_same_ensemble(table: Any) -> None:
    whole, first = fit(table)
    _, second = fit(table)
    assert np.array_equal(first.predict(whole.features), second.predict(whole.features))


@pytest.mark.slow
@pytest.mark.usefixtures("small_best")
def test_networks_of_ones_own_are_bagged(table: Any) -> None:
    _, fitted = fit(table, hidden=[8], epochs=2)
    assert {member.architecture for member in fitted.training.members} == {"mlp"}
    assert len(fitted.training.members) == 2


@pytest.mark.slow
@pytest.mark.usefixtures("small_best")
def test_a_time_limit_leaves_networks_out(table: Any) -> None:
    started = time.perf_counter()
    _, fitted = fit(table, time=0.01)
    members = fitted.training.members
    assert {member.architecture for member in members} == {"tabm", "mlp"}
    assert len(members) < 4
    assert time.perf_counter() - started < 60
    assert any("the time was over" in note for note in fitted.notes)


def test_best_needs_validation_rows(table: Any) -> None:
    with pytest.raises(SettingError, match="needs validation rows to weigh its networks"):
        table().fit(Network(preset="best"))


def test_the_better_model_gets_the_larger_share() -> None:
    random = np.random.default_rng(0)
    truth = random.normal(size=(300, 1))
    good, bad = (truth + noise * random.normal(size=(300, 1)) for noise in (0.3, 0.9))

    def loss(output: np.ndarray) -> float:
        return float(np.square(output - truth).mean())

    shares = greedy_shares([good, bad], loss)
    assert shares[0] > 0.75
    assert sum(shares) == pytest.approx(1)
    mean = shares[0] * good + shares[1] * bad
    assert loss(mean) <= min(loss(good), loss(bad))


@pytest.mark.slow
def test_a_time_limit_keeps_the_best_until_then(table: Any) -> None:
    whole = table("binary", rows=2000)
    features, target = whole.part(slice(0, 500))
    fitted = whole.fit(Network("mlp", time="2s", epochs=10_000), validation=(features, target))
    assert 1 <= fitted.best_epoch <= fitted.epochs < 10_000
    assert any("the time was over after" in note for note in fitted.notes)


@pytest.mark.slow
def test_schedules_end_with_the_time(table: Any) -> None:
    whole = table("binary", rows=2000)
    features, target = whole.part(slice(0, 500))
    network = Network("mlp", time="3s", epochs=10_000, schedule="cosine")
    fitted = whole.fit(network, validation=(features, target))
    steps = fitted.model.optimizer._learning_rate.steps
    assert steps < 10_000 * 40
