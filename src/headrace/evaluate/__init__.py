"""How good is it: metrics with intervals, comparisons with verdicts, explanation, stability."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace.evaluate.baseline import baselines
    from headrace.evaluate.clusters import evaluate_clusters
    from headrace.evaluate.comparison import Comparison, compare
    from headrace.evaluate.evaluation import evaluate
    from headrace.evaluate.importance import Importance, permutation_importance
    from headrace.evaluate.measure import Measure, register
    from headrace.evaluate.result import ClusterEvaluation, Evaluation, Metric
    from headrace.evaluate.stability import Stability

__all__ = [
    "ClusterEvaluation",
    "Comparison",
    "Evaluation",
    "Importance",
    "Measure",
    "Metric",
    "Stability",
    "baselines",
    "compare",
    "evaluate",
    "evaluate_clusters",
    "permutation_importance",
    "register",
]

_HOMES = {
    "ClusterEvaluation": "result",
    "Comparison": "comparison",
    "Evaluation": "result",
    "Importance": "importance",
    "Measure": "measure",
    "Metric": "result",
    "Stability": "stability",
    "baselines": "baseline",
    "compare": "comparison",
    "evaluate": "evaluation",
    "evaluate_clusters": "clusters",
    "permutation_importance": "importance",
    "register": "measure",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
