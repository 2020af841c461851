"""The Keras layers of headrace: embeddings of numbers and categories, and members of an ensemble.

Shapes are written with these letters: B rows of a batch, F number columns, T bins of a column,
C category columns, D width of an embedding, K members, N inputs, M outputs.

The names are imported when they are used, all at once: Keras loads with the first layer.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace.model.layers.activation import ParametricActivation as ParametricActivation
    from headrace.model.layers.categories import CategoryEmbedding as CategoryEmbedding
    from headrace.model.layers.categories import OneHot as OneHot
    from headrace.model.layers.dropout import FastDropout as FastDropout
    from headrace.model.layers.dropout import FlatCosineDropout as FlatCosineDropout
    from headrace.model.layers.mean import WeightedMean as WeightedMean
    from headrace.model.layers.members import FrontScale as FrontScale
    from headrace.model.layers.members import MemberDense as MemberDense
    from headrace.model.layers.members import MemberMean as MemberMean
    from headrace.model.layers.members import MemberScale as MemberScale
    from headrace.model.layers.ntk import NTKDense as NTKDense
    from headrace.model.layers.periodic import Periodic as Periodic
    from headrace.model.layers.piecewise import PiecewiseLinear as PiecewiseLinear
    from headrace.model.layers.ranges import Clamp as Clamp
    from headrace.model.layers.ranges import SmoothClip as SmoothClip

# Public name -> the module of this package that holds it.
_NAMES = {
    "CategoryEmbedding": "categories",
    "Clamp": "ranges",
    "FastDropout": "dropout",
    "FlatCosineDropout": "dropout",
    "FrontScale": "members",
    "MemberDense": "members",
    "MemberMean": "members",
    "MemberScale": "members",
    "NTKDense": "ntk",
    "OneHot": "categories",
    "ParametricActivation": "activation",
    "Periodic": "periodic",
    "PiecewiseLinear": "piecewise",
    "SmoothClip": "ranges",
    "WeightedMean": "mean",
}

__all__ = list(_NAMES)


def __getattr__(name: str) -> Any:
    """Import the public names when one is used (PEP 562); a saved model may hold any of them."""
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for public, module in _NAMES.items():
        globals()[public] = getattr(import_module(f"{__name__}.{module}"), public)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted(__all__)
