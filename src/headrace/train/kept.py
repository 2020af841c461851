"""A training that is kept: its schema, the fits of its steps, and the network."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from headrace.cache.code import code_of, versions
from headrace.cache.errors import NotComparable
from headrace.cache.values import plain
from headrace.data.fingerprint import contents
from headrace.data.infer import infer_schema
from headrace.data.schema import Schema
from headrace.data.source import read
from headrace.data.split import Split

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from headrace.cache.cache import Cache, Part
    from headrace.data.schema import Kind
    from headrace.preprocessing.step import Step

__all__ = ["inferred", "rows_of", "steps_of", "training_part"]

LIBRARIES = ("polars", "numpy", "scipy", "datasketches", "tensorflow", "keras", "scikit-learn")
"""Versions that matter to a training."""


def inferred(
    rows: pl.LazyFrame,
    *,
    kinds: Mapping[str, Kind] | None,
    exclude: Sequence[str],
    cache: Cache | None,
) -> Schema:
    """Infer the schema of rows, or take the one that is kept (see `infer_schema`)."""
    if cache is None:
        return infer_schema(rows, kinds=kinds, exclude=exclude)
    part = cache.part(
        "schema",
        "schema",
        {
            "data": {"the rows": rows_of(rows)},
            "parameters": {"Pipeline": {"kinds": plain(kinds), "beside": list(exclude)}},
            "versions": versions("polars"),
        },
    )
    piece = part.load()
    if piece is not None:
        return Schema.from_dict(piece.document)
    start = time.perf_counter()
    schema = infer_schema(rows, kinds=kinds, exclude=exclude)
    part.save(schema.to_dict(), seconds=time.perf_counter() - start)
    return schema


def training_part(
    cache: Cache, data: object, steps: Sequence[Step] | None, settings: Mapping[str, Any]
) -> Part:
    """Answer a training as a part of the work.

    Args:
        cache: Where it is kept.
        data: The rows.
        steps: The steps; None where they are chosen from the schema.
        settings: What else `train` is given.
    """
    try:
        network = settings.get("network")
        code, parameters = steps_of([*(steps or ()), *([network] if network else [])])
        settings = {**settings, "validation": _validation(settings.get("validation"))}
        own = {name: plain(value) for name, value in settings.items() if name != "network"}
        ingredients: Any = {
            "data": {"the rows": rows_of(read(data))},
            "code": code,
            "parameters": {"Pipeline": own | {"chosen": steps is None}, **parameters},
            "versions": versions(*LIBRARIES),
        }
    except NotComparable as reason:
        ingredients = reason
    return cache.part("train", "train", ingredients)


def rows_of(frame: pl.LazyFrame | pl.DataFrame) -> dict[str, Any]:
    """Answer rows by how many there are and the hashes of their columns."""
    found = contents(frame)
    return {"count": found.rows, "columns": dict(found.columns) or {"files": found.digest}}


def steps_of(steps: Sequence[Step]) -> tuple[dict[str, str], dict[str, Any]]:
    """Answer the code and the parameters of steps.

    Raises:
        NotComparable: One of them is given something that cannot be compared.
    """
    code: dict[str, str] = {}
    parameters: dict[str, Any] = {}
    for step in steps:
        name = type(step).__name__
        count = sum(key.partition(" ")[0] == name for key in parameters)
        code |= code_of(type(step), plain)
        try:
            own = plain(step.get_params(deep=False))
        except NotComparable as reason:
            raise NotComparable(f"the parameters of {name} cannot be compared: {reason}") from None
        parameters[f"{name} {count + 1}" if count else name] = own
    return code, parameters


def _validation(given: Any) -> Any:
    """Answer rows of their own, where these decide when to stop, as a table."""
    return given if given is None or isinstance(given, float | Split) else read(given)
