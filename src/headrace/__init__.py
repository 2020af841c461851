"""headrace carries data to the model, and keeps it running.

Clean, transform, normalise, cluster, train, evaluate, tune, deploy and maintain a Keras model with
one `Pipeline` object:

    import headrace as hr

    pipe = hr.Pipeline(target="income")
    pipe.train("data/adult.csv.gz")
    pipe.deploy("models/income")

The public names below are imported when they are first used, so that `import headrace` is quick and
loads neither TensorFlow nor pandas nor scikit-learn.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace import samples as samples
    from headrace.cache.cache import Cache as Cache
    from headrace.clustering.deep import DeepClusters as DeepClusters
    from headrace.clustering.hdbscan import HDBSCAN as HDBSCAN
    from headrace.clustering.kmeans import KMeans as KMeans
    from headrace.clustering.mixture import GaussianMixture as GaussianMixture
    from headrace.conformal.settings import Conformal as Conformal
    from headrace.data.schema import Column as Column
    from headrace.data.schema import Schema as Schema
    from headrace.data.source import Query as Query
    from headrace.data.split import Split as Split
    from headrace.data.split import split as split
    from headrace.deploy.adaptive import AdaptiveIntervals as AdaptiveIntervals
    from headrace.deploy.card import card as card
    from headrace.deploy.runtime import Runtime as Runtime
    from headrace.deploy.stage import Deploy as Deploy
    from headrace.errors import CheckpointError as CheckpointError
    from headrace.errors import DataError as DataError
    from headrace.errors import HeadraceError as HeadraceError
    from headrace.errors import NotTrainedError as NotTrainedError
    from headrace.errors import ParityError as ParityError
    from headrace.errors import ReleaseError as ReleaseError
    from headrace.errors import SettingError as SettingError
    from headrace.estimators.clusterer import Clusterer as Clusterer
    from headrace.estimators.supervised import Classifier as Classifier
    from headrace.estimators.supervised import Regressor as Regressor
    from headrace.evaluate.cluster_cards import cluster_cards as cluster_cards
    from headrace.evaluate.cluster_number import choose_k as choose_k
    from headrace.evaluate.explanation.explain import explain as explain
    from headrace.evaluate.fairness import fairness as fairness
    from headrace.evaluate.interval_coverage import coverage as coverage
    from headrace.evaluate.outliers import outlier_scores as outlier_scores
    from headrace.evaluate.paired import compare as compare
    from headrace.evaluate.paired import compare_splits as compare_splits
    from headrace.evaluate.pit import pit as pit
    from headrace.evaluate.slices import find_slices as find_slices
    from headrace.evaluate.stage import Evaluate as Evaluate
    from headrace.evaluate.steadiness import stability as stability
    from headrace.ledger.ledger import Ledger as Ledger
    from headrace.loading import load as load
    from headrace.maintain.cluster_drift import cluster_drift as cluster_drift
    from headrace.maintain.policy import Policy as Policy
    from headrace.maintain.stage import Maintain as Maintain
    from headrace.model.network import Network as Network
    from headrace.pipeline import Pipeline as Pipeline
    from headrace.plan.arithmetic import Affine as Affine
    from headrace.plan.arithmetic import Clip as Clip
    from headrace.plan.arithmetic import Fill as Fill
    from headrace.plan.arithmetic import Indicate as Indicate
    from headrace.plan.arithmetic import Power as Power
    from headrace.plan.arithmetic import Squash as Squash
    from headrace.plan.category import Hash as Hash
    from headrace.plan.category import Lookup as Lookup
    from headrace.plan.category import Map as Map
    from headrace.plan.category import OneHot as OneHot
    from headrace.plan.counts import TargetMeans as TargetMeans
    from headrace.plan.counts import ValueCounts as ValueCounts
    from headrace.plan.distance import Distance as Distance
    from headrace.plan.expression import col as col
    from headrace.plan.expression import lit as lit
    from headrace.plan.expression import where as where
    from headrace.plan.operation import FloatArray as FloatArray
    from headrace.plan.operation import Operation as Operation
    from headrace.plan.piecewise import Bin as Bin
    from headrace.plan.piecewise import Interpolate as Interpolate
    from headrace.plan.statistic import Count as Count
    from headrace.plan.statistic import Covariance as Covariance
    from headrace.plan.statistic import Extremes as Extremes
    from headrace.plan.statistic import Mean as Mean
    from headrace.plan.statistic import Missing as Missing
    from headrace.plan.statistic import Quantiles as Quantiles
    from headrace.plan.statistic import Statistic as Statistic
    from headrace.plan.statistic import Variance as Variance
    from headrace.plan.time import Cyclic as Cyclic
    from headrace.plan.time import DateParts as DateParts
    from headrace.plan.values import Mode as Mode
    from headrace.preprocessing import clean as clean
    from headrace.preprocessing import normalize as normalize
    from headrace.preprocessing import transform as transform
    from headrace.preprocessing.selector import Selector as Selector
    from headrace.preprocessing.selector import booleans as booleans
    from headrace.preprocessing.selector import categories as categories
    from headrace.preprocessing.selector import columns as columns
    from headrace.preprocessing.selector import datetimes as datetimes
    from headrace.preprocessing.selector import everything as everything
    from headrace.preprocessing.selector import ids as ids
    from headrace.preprocessing.selector import kinds as kinds
    from headrace.preprocessing.selector import matching as matching
    from headrace.preprocessing.selector import numbers as numbers
    from headrace.preprocessing.selector import texts as texts
    from headrace.preprocessing.space import Choice as Choice
    from headrace.preprocessing.space import Integer as Integer
    from headrace.preprocessing.space import Real as Real
    from headrace.preprocessing.transform import Derive as Derive
    from headrace.preprocessing.transformer import PythonTransformer as PythonTransformer
    from headrace.preprocessing.transformer import Transformer as Transformer
    from headrace.profiling.profile import profile as profile
    from headrace.progress import set_progress as set_progress
    from headrace.result import Result as Result
    from headrace.stage import Context as Context
    from headrace.stage import Stage as Stage
    from headrace.train.following import update_clusters as update_clusters
    from headrace.train.stage import Train as Train
    from headrace.tune.stage import Tune as Tune
    from headrace.tune.steps import search_space as search_space
    from headrace.visualization.style import style as style

__version__ = "0.1.0"

# Public name -> the module that holds it.
_NAMES = {
    # the pipeline and its parts
    "Pipeline": "headrace.pipeline",
    "load": "headrace.loading",
    "Network": "headrace.model.network",
    "KMeans": "headrace.clustering.kmeans",
    "GaussianMixture": "headrace.clustering.mixture",
    "HDBSCAN": "headrace.clustering.hdbscan",
    "DeepClusters": "headrace.clustering.deep",
    "Runtime": "headrace.deploy.runtime",
    "Ledger": "headrace.ledger.ledger",
    "AdaptiveIntervals": "headrace.deploy.adaptive",
    "Cache": "headrace.cache.cache",
    "Conformal": "headrace.conformal.settings",
    # scikit-learn's door
    "Classifier": "headrace.estimators.supervised",
    "Regressor": "headrace.estimators.supervised",
    "Clusterer": "headrace.estimators.clusterer",
    # clusters that follow a stream
    "update_clusters": "headrace.train.following",
    # stages
    "Stage": "headrace.stage",
    "Context": "headrace.stage",
    "Train": "headrace.train.stage",
    "Evaluate": "headrace.evaluate.stage",
    "Tune": "headrace.tune.stage",
    "Deploy": "headrace.deploy.stage",
    "Maintain": "headrace.maintain.stage",
    "Policy": "headrace.maintain.policy",
    # what tuning may try
    "search_space": "headrace.tune.steps",
    "Choice": "headrace.preprocessing.space",
    "Integer": "headrace.preprocessing.space",
    "Real": "headrace.preprocessing.space",
    # data
    "Column": "headrace.data.schema",
    "Schema": "headrace.data.schema",
    "Query": "headrace.data.source",
    "Split": "headrace.data.split",
    "split": "headrace.data.split",
    "profile": "headrace.profiling.profile",
    # evaluation
    "card": "headrace.deploy.card",
    "choose_k": "headrace.evaluate.cluster_number",
    "cluster_cards": "headrace.evaluate.cluster_cards",
    "cluster_drift": "headrace.maintain.cluster_drift",
    "compare": "headrace.evaluate.paired",
    "style": "headrace.visualization.style",
    "compare_splits": "headrace.evaluate.paired",
    "explain": "headrace.evaluate.explanation.explain",
    "fairness": "headrace.evaluate.fairness",
    "find_slices": "headrace.evaluate.slices",
    "stability": "headrace.evaluate.steadiness",
    "outlier_scores": "headrace.evaluate.outliers",
    "pit": "headrace.evaluate.pit",
    "coverage": "headrace.evaluate.interval_coverage",
    # steps of one's own
    "Derive": "headrace.preprocessing.transform",
    "PythonTransformer": "headrace.preprocessing.transformer",
    "Transformer": "headrace.preprocessing.transformer",
    # which columns
    "Selector": "headrace.preprocessing.selector",
    "booleans": "headrace.preprocessing.selector",
    "categories": "headrace.preprocessing.selector",
    "columns": "headrace.preprocessing.selector",
    "datetimes": "headrace.preprocessing.selector",
    "everything": "headrace.preprocessing.selector",
    "ids": "headrace.preprocessing.selector",
    "kinds": "headrace.preprocessing.selector",
    "matching": "headrace.preprocessing.selector",
    "numbers": "headrace.preprocessing.selector",
    "texts": "headrace.preprocessing.selector",
    # what is learnt of a column
    "Statistic": "headrace.plan.statistic",
    "Count": "headrace.plan.statistic",
    "Covariance": "headrace.plan.statistic",
    "Extremes": "headrace.plan.statistic",
    "Mean": "headrace.plan.statistic",
    "Missing": "headrace.plan.statistic",
    "Quantiles": "headrace.plan.statistic",
    "Variance": "headrace.plan.statistic",
    "TargetMeans": "headrace.plan.counts",
    "ValueCounts": "headrace.plan.counts",
    "Mode": "headrace.plan.values",
    # fitted operations
    "FloatArray": "headrace.plan.operation",
    "Operation": "headrace.plan.operation",
    "Affine": "headrace.plan.arithmetic",
    "Clip": "headrace.plan.arithmetic",
    "Fill": "headrace.plan.arithmetic",
    "Indicate": "headrace.plan.arithmetic",
    "Power": "headrace.plan.arithmetic",
    "Squash": "headrace.plan.arithmetic",
    "Bin": "headrace.plan.piecewise",
    "Interpolate": "headrace.plan.piecewise",
    "Hash": "headrace.plan.category",
    "Lookup": "headrace.plan.category",
    "Map": "headrace.plan.category",
    "OneHot": "headrace.plan.category",
    "Cyclic": "headrace.plan.time",
    "DateParts": "headrace.plan.time",
    "Distance": "headrace.plan.distance",
    # expressions
    "col": "headrace.plan.expression",
    "lit": "headrace.plan.expression",
    "where": "headrace.plan.expression",
    # results, errors, settings
    "Result": "headrace.result",
    "HeadraceError": "headrace.errors",
    "CheckpointError": "headrace.errors",
    "DataError": "headrace.errors",
    "SettingError": "headrace.errors",
    "NotTrainedError": "headrace.errors",
    "ReleaseError": "headrace.errors",
    "ParityError": "headrace.errors",
    "set_progress": "headrace.progress",
}

# Public name -> the module that it is.
_MODULES = {
    "clean": "headrace.preprocessing.clean",
    "transform": "headrace.preprocessing.transform",
    "normalize": "headrace.preprocessing.normalize",
    "samples": "headrace.samples",
}

__all__ = ["__version__", *_NAMES, *_MODULES]  # noqa: PLE0604 - the keys are strings


def __getattr__(name: str) -> Any:
    """Import a public name the first time it is used (PEP 562)."""
    if name in _MODULES:
        value: Any = import_module(_MODULES[name])
    elif name in _NAMES:
        value = getattr(import_module(_NAMES[name]), name)
    else:
        raise AttributeError(f"module 'headrace' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
