"""The steps that a pipeline takes when none are given, chosen by the kinds of the columns."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from headrace.preprocessing import clean, normalize, selector, transform
from headrace.preprocessing.selector import ids, texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.data.schema import Kind, Schema
    from headrace.preprocessing.step import Step

__all__ = ["default_steps", "steps_code"]

_INDENT = " " * 4
_CLUSTERERS = {"DeepClusters", "GaussianMixture", "HDBSCAN", "KMeans"}
_PUBLIC = {"clean", "normalize", "transform", "Network", *_CLUSTERERS, *selector.__all__}


def default_steps(schema: Schema) -> list[Step]:
    """Answer the steps that suit the columns' kinds; the network comes behind them.

    Ids and free text end, since a network learns nothing of them that holds for new rows. Constant
    columns end. Dates become their parts, categories codes, gaps in numbers are filled and flagged,
    and numbers are brought to a normal distribution. The order needs two scans of the rows.

    Args:
        schema: The feature columns.

    Example:
        >>> from headrace.data.schema import Column, Schema
        >>> default_steps(Schema((Column("age", "number"), Column("job", "category"))))
        [clean.DropConstant(), transform.Encode(), clean.Impute(), normalize.Quantile()]
    """
    kinds: set[Kind] = {column.kind for column in schema.columns}
    steps: list[Step] = []
    if "id" in kinds:
        steps.append(transform.Drop(ids(), reason="an id says nothing about new rows"))
    if "text" in kinds:
        steps.append(transform.Drop(texts(), reason="free text needs a text model"))
    steps.append(clean.DropConstant())
    if "category" in kinds:
        steps.append(transform.Encode())
    if kinds & {"number", "boolean"}:
        steps.append(clean.Impute())
    if (
        "datetime" in kinds
    ):  # their parts have no gaps: behind Impute they cost no scan of their own
        steps.append(transform.Dates())
    if kinds & {"number", "datetime"}:
        steps.append(normalize.Quantile())
    return steps


def steps_code(steps: Sequence[Step]) -> str:
    """Answer the Python code that would write some steps, with its imports.

    Args:
        steps: The steps.

    Example:
        >>> print(steps_code([clean.Impute("mean", columns=selector.numbers() - "age")]))
        from headrace import clean, columns, numbers
        <BLANKLINE>
        steps = [
            clean.Impute('mean', columns=numbers() - columns('age')),
        ]
    """
    body = "\n".join(["steps = [", *(f"{_INDENT}{step!r}," for step in steps), "]"])
    used = {node.id for node in ast.walk(ast.parse(body)) if isinstance(node, ast.Name)}
    names = sorted(used & _PUBLIC)
    imports = ["import headrace as hr"] if "hr" in used else []
    imports += [f"from headrace import {', '.join(names)}"] if names else []
    return "\n".join([*imports, "", body] if imports else [body])
