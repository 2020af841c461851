"""Steps as plain values: how a saved pipeline remembers the settings of its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.conformal.settings import Conformal
from headrace.errors import ReleaseError, SettingError
from headrace.plan.expression import Expression
from headrace.preprocessing.selector import Selector
from headrace.preprocessing.step import Step

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LostStep", "decode_parameters", "encode_parameters", "step_from_dict", "step_to_dict"]


class LostStep(Step):
    """A step whose settings could not be stored, such as a network made of Keras objects.

    The loaded pipeline predicts with what the step learnt; only training again needs the step.
    """

    def __init__(self, name: str, parameters: tuple[str, ...]) -> None:
        """Remember what was lost."""
        self.name = name
        self.parameters = parameters

    def explain(self) -> str:
        """Answer why the step cannot be used and what to do."""
        return (
            f"the step {self.name} was made with {', '.join(self.parameters)}, which a release "
            "cannot hold; to train again, make a Pipeline with the steps written anew"
        )


def step_to_dict(step: Step) -> dict[str, Any]:
    """Answer a step as plain values; settings that cannot be stored are named as lost."""
    parameters, lost = encode_parameters(step.get_params(deep=False))
    return {"step": step.key(), "parameters": parameters, "lost": lost}


def step_from_dict(data: Mapping[str, Any]) -> Step:
    """Rebuild a step from `step_to_dict`.

    Raises:
        ReleaseError: If the step's class is not known in this process.
    """
    if data["lost"]:
        return LostStep(data["step"], tuple(data["lost"]))
    kind = Step.known.get(data["step"])
    if kind is None:
        raise ReleaseError(
            f"the pipeline has a step {data['step']!r} that is not known here. "
            "Import the module that defines it before loading."
        )
    try:
        return kind.restored(decode_parameters(data["parameters"]))
    except (TypeError, ValueError) as error:
        raise ReleaseError(f"the step {data['step']} cannot be rebuilt: {error}") from error


def encode_parameters(parameters: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Answer parameters as plain values, and the names of those that cannot be stored."""
    stored, lost = {}, []
    for name, value in parameters.items():
        try:
            stored[name] = _encode(value)
        except SettingError:
            lost.append(name)
    return stored, lost


def decode_parameters(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Answer the parameters that `encode_parameters` stored."""
    return {name: _decode(value) for name, value in stored.items()}


def _encode(value: Any) -> Any:  # noqa: PLR0911 - one line a type
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Selector):
        return {"selector": value.to_list()}
    if isinstance(value, Expression):
        return {"expression": value.to_dict()}
    if isinstance(value, Conformal):
        return {"conformal": value.to_dict()}
    if isinstance(value, tuple):
        return {"tuple": [_encode(item) for item in value]}
    if isinstance(value, list):
        return [_encode(item) for item in value]
    if isinstance(value, dict):
        return {"items": [[_encode(key), _encode(item)] for key, item in value.items()]}
    raise SettingError(f"{type(value).__name__} cannot be stored")


def _decode(value: Any) -> Any:  # noqa: PLR0911 - one line a type
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "selector":
        return Selector.from_list(content)
    if kind == "expression":
        return Expression.from_dict(content)
    if kind == "conformal":
        return Conformal.from_dict(content)
    if kind == "tuple":
        return tuple(_decode(item) for item in content)
    return {_decode(key): _decode(item) for key, item in content}
