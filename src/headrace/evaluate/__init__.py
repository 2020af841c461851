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
    from headrace.evaluate.explanation.contributions import attribute
    from headrace.evaluate.explanation.counterfactual import counterfactual
    from headrace.evaluate.explanation.dependence import (
        accumulated_effects,
        partial_dependence,
        partial_dependence_pair,
    )
    from headrace.evaluate.explanation.explain import explain
    from headrace.evaluate.explanation.surrogate import surrogate_tree
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
    "accumulated_effects",
    "attribute",
    "baselines",
    "compare",
    "counterfactual",
    "coverage",
    "evaluate",
    "evaluate_clusters",
    "explain",
    "partial_dependence",
    "partial_dependence_pair",
    "permutation_importance",
    "register",
    "surrogate_tree",
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
    "accumulated_effects": "headrace.evaluate.explanation.dependence",
    "attribute": "headrace.evaluate.explanation.contributions",
    "counterfactual": "headrace.evaluate.explanation.counterfactual",
    "explain": "headrace.evaluate.explanation.explain",
    "partial_dependence": "headrace.evaluate.explanation.dependence",
    "partial_dependence_pair": "headrace.evaluate.explanation.dependence",
    "surrogate_tree": "headrace.evaluate.explanation.surrogate",
    "register": "headrace.metrics.measure",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
