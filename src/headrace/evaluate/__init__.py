"""How good is it: metrics with intervals, comparisons with verdicts, explanation, stability."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace.evaluate.baseline import baselines
    from headrace.evaluate.clusters import evaluate_clusters
    from headrace.evaluate.comparison import Comparison, compare
    from headrace.evaluate.conformal import CalibrateResult
    from headrace.evaluate.evaluation import evaluate
    from headrace.evaluate.importance import Importance, permutation_importance
    from headrace.evaluate.interval_coverage import Coverage, coverage
    from headrace.evaluate.result import ClusterEvaluation, Evaluation, Metric
    from headrace.evaluate.stability import Stability
    from headrace.metrics.measure import Measure, register

__all__ = [
    "CalibrateResult",
    "ClusterEvaluation",
    "Comparison",
    "Coverage",
    "Evaluation",
    "Importance",
    "Measure",
    "Metric",
    "Stability",
    "baselines",
    "compare",
    "coverage",
    "evaluate",
    "evaluate_clusters",
    "permutation_importance",
    "register",
]

_HOMES = {
    "CalibrateResult": "headrace.evaluate.conformal",
    "ClusterEvaluation": "headrace.evaluate.result",
    "Comparison": "headrace.evaluate.comparison",
    "Coverage": "headrace.evaluate.interval_coverage",
    "Evaluation": "headrace.evaluate.result",
    "Importance": "headrace.evaluate.importance",
    "Measure": "headrace.metrics.measure",
    "Metric": "headrace.evaluate.result",
    "Stability": "headrace.evaluate.stability",
    "baselines": "headrace.evaluate.baseline",
    "compare": "headrace.evaluate.comparison",
    "coverage": "headrace.evaluate.interval_coverage",
    "evaluate": "headrace.evaluate.evaluation",
    "evaluate_clusters": "headrace.evaluate.clusters",
    "permutation_importance": "headrace.evaluate.importance",
    "register": "headrace.metrics.measure",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
