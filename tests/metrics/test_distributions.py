"""The metrics of distributions, against written-out formulas and scikit-learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, stats
from sklearn import metrics as sklearn

from headrace.errors import SettingError
from headrace.evaluate.evaluation import evaluate
from headrace.metrics.measure import find, measures, of_values, primary
from headrace.model.target import TargetSpec

RANDOM = np.random.default_rng(0)
ORDINAL = TargetSpec("y", "multiclass", classes=(1, 2, 3, 4), likelihood="ordinal")
COUNT = TargetSpec("y", "regression", likelihood="poisson")
NORMAL = TargetSpec("y", "regression", likelihood="normal", mean=5.0, scale=2.0)
QUANTILES = TargetSpec("y", "regression", likelihood="quantiles", quantiles=(0.1, 0.5, 0.9))
BINARY = TargetSpec("y", "binary", classes=(0, 1))
LOW = TargetSpec("y", "binary", classes=(0, 1), threshold=0.2)


def test_each_likelihood_has_its_measures() -> None:
    names = {spec.likelihood: {one.name for one in measures(spec)} for spec in (ORDINAL, COUNT)}
    assert {"quadratic_kappa", "mae_of_class"} <= names["ordinal"]
    assert "poisson_deviance" in names["poisson"]
    assert "poisson_deviance" not in {one.name for one in measures("regression")}
    assert measures(COUNT)[0].name == primary(COUNT) == "poisson_deviance"
    assert primary(TargetSpec("y", "regression")) == "rmse"
    with pytest.raises(SettingError, match="received 'pinball'"):
        find(["pinball"], NORMAL)


def test_pinball_and_coverage() -> None:
    truth, output = RANDOM.normal(size=40), np.sort(RANDOM.normal(size=(40, 3)), axis=1)
    (pinball, coverage) = find(["pinball", "coverage"], QUANTILES)
    expected = np.mean(
        [
            sklearn.mean_pinball_loss(truth, column, alpha=level)
            for column, level in zip(output.T, QUANTILES.quantiles, strict=True)
        ]
    )
    assert pinball(truth, output) == pytest.approx(expected)
    inside = (output[:, 0] <= truth) & (truth <= output[:, 2])
    assert coverage(truth, output) == inside.mean()


def test_normal_scores() -> None:
    truth, output = np.array([0.3, -2.0]), np.array([[0.0, 1.0], [1.0, 0.5]])
    nll, crps = find(["gaussian_nll", "crps"], NORMAL)
    assert nll(truth, output) == pytest.approx(-stats.norm.logpdf(truth, *output.T).mean())

    def square(x: float, row: int) -> float:
        return float((stats.norm.cdf(x, *output[row]) - (x >= truth[row])) ** 2)

    expected = [
        integrate.quad(square, -12, 12, args=(row,), points=[truth[row]])[0] for row in (0, 1)
    ]
    assert crps(truth, output) == pytest.approx(np.mean(expected), rel=1e-6)


def test_poisson_deviance_and_kappa_are_those_of_sklearn() -> None:
    counts, rates = RANDOM.poisson(2, 50), RANDOM.uniform(0.1, 5, 50)
    (deviance,) = find(["poisson_deviance"], "regression")
    assert deviance(counts, rates) == pytest.approx(sklearn.mean_poisson_deviance(counts, rates))
    truth, output = RANDOM.integers(0, 4, 60), RANDOM.dirichlet(np.ones(4), 60)
    weight = RANDOM.uniform(size=60)
    kappa, error = find(["quadratic_kappa", "mae_of_class"], ORDINAL)
    said = output.argmax(axis=1)
    expected = sklearn.cohen_kappa_score(truth, said, weights="quadratic", sample_weight=weight)
    assert kappa(truth, output, weight) == pytest.approx(expected)
    assert error(truth, output) == pytest.approx(np.abs(truth - said).mean())
    assert np.isnan(kappa(np.full(3, 2), np.tile([0.0, 0.0, 1.0, 0.0], (3, 1))))


@pytest.mark.parametrize("name", ["accuracy", "f1", "recall", "precision", "balanced_accuracy"])
def test_decisions_respect_the_threshold(name: str) -> None:
    truth, output = (np.arange(80) % 3 == 1).astype(int), np.linspace(0, 1, 80) ** 2
    (half,), (low,) = find([name], BINARY), find([name], LOW)
    decided = (output > LOW.threshold).astype(float)
    assert low(truth, output) == half(truth, decided) != half(truth, output)
    assert find([low], LOW) == (low,)  # deciding twice changes nothing
    if low.formula and half.formula:
        assert low.formula(truth, output, 0.95) == half.formula(truth, decided, 0.95)


def test_rankings_and_probabilities_know_no_threshold() -> None:
    for name in ("roc_auc", "log_loss", "brier", "average_precision"):
        assert find([name], LOW) == find([name], BINARY)


def test_an_evaluation_reads_all_of_a_distribution() -> None:
    truth = RANDOM.normal(5, 2, 400)
    output = np.tile([-1.2816, 0.0, 1.2816], (400, 1)).astype(np.float32)
    spec = replace(QUANTILES, mean=5.0, scale=2.0)
    found = evaluate(spec, truth, output, baselines={"other": np.zeros((400, 1))}, resamples=50)
    assert found.primary == "mae"
    coverage = found.metrics["coverage"]
    assert coverage.low < 0.8 < coverage.high
    assert found.comparisons["other"].difference == 0
    assert found.output is not None
    assert found.output.shape == (400,)
    with pytest.raises(SettingError, match="'pinball' reads a whole distribution"):
        evaluate(spec, truth, output, baselines={"other": output}, primary="pinball")
    alone = evaluate(spec, truth, output, primary="pinball", resamples=50)
    assert alone.primary == "pinball"
    assert [one.name for one in of_values(["pinball"], spec)] == ["mae"]


def test_an_evaluation_with_a_threshold() -> None:
    truth, output = np.array([0, 0, 1, 1] * 5), np.array([[0.1], [0.3], [0.3], [0.9]] * 5)
    found = evaluate(LOW, truth, output, resamples=50)
    assert found.metrics["recall"].value == 1.0
    assert found.metrics["precision"].value == pytest.approx(2 / 3)
    assert found.threshold == 0.2
