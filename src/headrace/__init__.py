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
    from headrace.clustering.kmeans import KMeans as KMeans
    from headrace.data.schema import Column as Column
    from headrace.data.schema import Schema as Schema
    from headrace.data.source import Query as Query
    from headrace.deploy.runtime import Runtime as Runtime
    from headrace.errors import DataError as DataError
    from headrace.errors import HeadraceError as HeadraceError
    from headrace.errors import NotTrainedError as NotTrainedError
    from headrace.errors import ParityError as ParityError
    from headrace.errors import ReleaseError as ReleaseError
    from headrace.errors import SettingError as SettingError
    from headrace.model.network import Network as Network
    from headrace.pipeline import Pipeline as Pipeline
    from headrace.pipeline import load as load
    from headrace.plan.expression import col as col
    from headrace.plan.operation import Operation as Operation
    from headrace.preprocessing import clean as clean
    from headrace.preprocessing import normalize as normalize
    from headrace.preprocessing import transform as transform
    from headrace.preprocessing.transform import Derive as Derive
    from headrace.preprocessing.transformer import PythonTransformer as PythonTransformer
    from headrace.preprocessing.transformer import Transformer as Transformer
    from headrace.progress import set_progress as set_progress
    from headrace.result import Result as Result

__version__ = "0.1.0"

# Public name -> the module that holds it.
_NAMES = {
    # the pipeline and its parts
    "Pipeline": "headrace.pipeline",
    "load": "headrace.pipeline",
    "Network": "headrace.model.network",
    "KMeans": "headrace.clustering.kmeans",
    "Runtime": "headrace.deploy.runtime",
    # steps of one's own
    "Derive": "headrace.preprocessing.transform",
    "Transformer": "headrace.preprocessing.transformer",
    "PythonTransformer": "headrace.preprocessing.transformer",
    "Operation": "headrace.plan.operation",
    "col": "headrace.plan.expression",
    # data
    "Column": "headrace.data.schema",
    "Schema": "headrace.data.schema",
    "Query": "headrace.data.source",
    # results, errors, settings
    "Result": "headrace.result",
    "HeadraceError": "headrace.errors",
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
