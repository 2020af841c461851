"""What decides the result of a training: a checkpoint belongs to one such identity alone."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from headrace.cache.code import code_of, is_own
from headrace.cache.errors import NotComparable
from headrace.cache.values import plain
from headrace.data.fingerprint import fingerprint
from headrace.data.source import read
from headrace.data.split import Split
from headrace.preprocessing.stored import step_to_dict
from headrace.storage.documents import canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from headrace.preprocessing.step import Step
    from headrace.train.chosen import ChosenSteps

__all__ = ["identity"]

_LIBRARIES = ("headrace", "keras", "tensorflow", "polars", "numpy")
_WITHOUT_EFFECT = ("callbacks",)


def identity(
    rows: pl.LazyFrame | pl.DataFrame,
    steps: ChosenSteps,
    validation: object,
    *,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Answer what decides the result of a training, as plain values.

    Args:
        rows: The raw rows.
        steps: The steps, the model last.
        validation: What the validation rows are; see `headrace.train.training.train`.
        settings: Plain settings, such as target and seed.
    """
    return {
        "rows": fingerprint(rows),
        "validation rows": _validation(validation),
        "versions": {name: version(name) for name in _LIBRARIES},
        "steps": [_step(step) for step in steps.all],
        **settings,
    }


def _validation(validation: object) -> Any:
    if isinstance(validation, Split):
        return asdict(validation)
    if validation is None or isinstance(validation, float):
        return validation
    return fingerprint(read(validation))


def _step(step: Step) -> Any:
    """Answer a step with its settings and, where it is not headrace's own, its code."""
    stored = step_to_dict(step)
    lost = {name: _described(getattr(step, name)) for name in stored["lost"]}
    kept = {
        name: value
        for name, value in {**stored["parameters"], **lost}.items()
        if name not in _WITHOUT_EFFECT
    }
    return [stored["step"], _digest(kept), "" if is_own(type(step)) else _code(type(step))]


def _described(value: Any) -> Any:
    """Answer what a Keras object or a function is, without the names that Keras numbers."""
    if isinstance(value, list | tuple):
        return [_described(one) for one in value]
    if hasattr(value, "get_config"):
        return [type(value).__qualname__, _without_names(value.get_config())]
    return _code(value) if callable(value) else type(value).__qualname__


def _without_names(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            str(key): _without_names(one)
            for key, one in value.items()
            if key not in ("name", "registered_name")
        }
    if isinstance(value, list | tuple):
        return [_without_names(one) for one in value]
    return value if isinstance(value, bool | int | float | None) else str(value)


def _code(value: Any) -> Any:
    try:
        return code_of(value, plain)
    except NotComparable:
        return str(getattr(value, "__qualname__", type(value).__qualname__))


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical_json(_without_infinity(value))).hexdigest()[:16]


def _without_infinity(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _without_infinity(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_infinity(one) for one in value]
    return value if isinstance(value, bool | int | None) else repr(value)
