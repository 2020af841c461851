"""Pictures of results, and the one-file report.

Each function takes a result or plain arrays, and the axes to draw on if there are any; it answers
the axes. The names are imported when they are used: matplotlib loads with the first picture.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace.visualization.answers import Answers as Answers
    from headrace.visualization.classification import calibration as calibration
    from headrace.visualization.classification import confusion as confusion
    from headrace.visualization.classification import precision_recall as precision_recall
    from headrace.visualization.classification import roc as roc
    from headrace.visualization.cluster_number import cluster_numbers as cluster_numbers
    from headrace.visualization.cluster_profiles import cluster_profile as cluster_profile
    from headrace.visualization.cluster_profiles import cluster_shares as cluster_shares
    from headrace.visualization.cluster_profiles import cluster_traits as cluster_traits
    from headrace.visualization.cluster_profiles import cluster_tree as cluster_tree
    from headrace.visualization.clusters import cluster_scatter as cluster_scatter
    from headrace.visualization.clusters import silhouette as silhouette
    from headrace.visualization.columns import before_after as before_after
    from headrace.visualization.columns import distributions as distributions
    from headrace.visualization.contributions import effects as effects
    from headrace.visualization.contributions import turned as turned
    from headrace.visualization.contributions import waterfall as waterfall
    from headrace.visualization.curves import learning_rates as learning_rates
    from headrace.visualization.curves import training_curves as training_curves
    from headrace.visualization.curves import tuning as tuning
    from headrace.visualization.dependencies import dependence as dependence
    from headrace.visualization.dependencies import dependence_pair as dependence_pair
    from headrace.visualization.deployment import parity as parity
    from headrace.visualization.deployment import release_files as release_files
    from headrace.visualization.deployment import time_saved as time_saved
    from headrace.visualization.explanation import importance as importance
    from headrace.visualization.heatmap import relations as relations
    from headrace.visualization.intervals import coverage as coverage
    from headrace.visualization.intervals import reaches as reaches
    from headrace.visualization.judgement import fairness as fairness
    from headrace.visualization.judgement import gain as gain
    from headrace.visualization.judgement import pit as pit
    from headrace.visualization.judgement import reliability as reliability
    from headrace.visualization.judgement import slices as slices
    from headrace.visualization.judgement import threshold_costs as threshold_costs
    from headrace.visualization.page import report as report
    from headrace.visualization.page import write_report as write_report
    from headrace.visualization.picture import svg as svg
    from headrace.visualization.regression import residuals as residuals
    from headrace.visualization.shift import drift as drift
    from headrace.visualization.shift import drifted_columns as drifted_columns
    from headrace.visualization.shift import quality as quality
    from headrace.visualization.spread import stability as stability
    from headrace.visualization.surrogate import rules as rules
    from headrace.visualization.trials import pareto as pareto
    from headrace.visualization.trials import tuning_importance as tuning_importance
    from headrace.visualization.trials import tuning_parallel as tuning_parallel
    from headrace.visualization.trials import tuning_slices as tuning_slices
    from headrace.visualization.verdicts import comparison as comparison

# Public name -> the module of this package that holds it. No module has the name of a function:
# the import system would put the module in its place.
_NAMES = {
    "Answers": "answers",
    "before_after": "columns",
    "calibration": "classification",
    "cluster_numbers": "cluster_number",
    "cluster_profile": "cluster_profiles",
    "cluster_scatter": "clusters",
    "cluster_shares": "cluster_profiles",
    "cluster_traits": "cluster_profiles",
    "cluster_tree": "cluster_profiles",
    "comparison": "verdicts",
    "coverage": "intervals",
    "confusion": "classification",
    "distributions": "columns",
    "drift": "shift",
    "drifted_columns": "shift",
    "fairness": "judgement",
    "gain": "judgement",
    "importance": "explanation",
    "learning_rates": "curves",
    "pareto": "trials",
    "parity": "deployment",
    "release_files": "deployment",
    "time_saved": "deployment",
    "pit": "judgement",
    "precision_recall": "classification",
    "quality": "shift",
    "reliability": "judgement",
    "report": "page",
    "reaches": "intervals",
    "relations": "heatmap",
    "residuals": "regression",
    "roc": "classification",
    "silhouette": "clusters",
    "slices": "judgement",
    "stability": "spread",
    "svg": "picture",
    "threshold_costs": "judgement",
    "training_curves": "curves",
    "tuning": "curves",
    "dependence": "dependencies",
    "dependence_pair": "dependencies",
    "effects": "contributions",
    "rules": "surrogate",
    "turned": "contributions",
    "waterfall": "contributions",
    "tuning_importance": "trials",
    "tuning_parallel": "trials",
    "tuning_slices": "trials",
    "write_report": "page",
}

__all__ = list(_NAMES)


def __getattr__(name: str) -> Any:
    """Import a public name when it is used (PEP 562)."""
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_NAMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
