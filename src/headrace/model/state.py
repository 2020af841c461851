"""The state of a training at one moment: variables of the model, and what its callbacks know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from headrace.model.backend import keras

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["Remembers", "callbacks_from", "callbacks_to", "variables_from", "variables_to"]

_PLAIN = (bool, int, float, str)


class Remembers(Protocol):
    """A callback whose state is more than its public attributes that are numbers and texts."""

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Answer the state: plain values, and arrays."""

    def restore(self, values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go back to a state."""


def variables_to(model: Any) -> dict[str, NDArray[Any]]:
    """Answer copies of all variables of a compiled model: its own, the optimiser's, the metrics'.

    Args:
        model: Built and compiled; its optimiser and metrics too.
    """
    return {
        f"{group}/{place:05d}": np.array(keras().ops.convert_to_numpy(variable))
        for group, variables in _variables(model).items()
        for place, variable in enumerate(variables)
    }


def variables_from(model: Any, arrays: Mapping[str, NDArray[Any]], *, metrics: bool = True) -> None:
    """Set all variables of a compiled model to what `variables_to` answered.

    Args:
        model: Built and compiled as the one that was asked.
        arrays: From `variables_to`, others among them.
        metrics: Whether the sums of the metrics go on; otherwise they begin at 0.
    """
    for group, variables in _variables(model).items():
        for place, variable in enumerate(variables):
            value = arrays[f"{group}/{place:05d}"]
            variable.assign(value if metrics or group != "metrics" else np.zeros_like(value))


def callbacks_to(callbacks: Sequence[Any]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Answer what callbacks know, by their class and number: plain values, and arrays."""
    values: dict[str, Any] = {}
    arrays: dict[str, NDArray[Any]] = {}
    for name, callback in _named(callbacks).items():
        values[name], own = _state_of(callback)
        arrays |= {f"{name}/{key}": array for key, array in own.items()}
    return values, arrays


def callbacks_from(
    callbacks: Sequence[Any], values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Let callbacks know again what `callbacks_to` answered; others are new, and start anew.

    Args:
        callbacks: Those of a training.
        values: The plain values.
        arrays: The arrays, others among them.
    """
    for name, callback in _named(callbacks).items():
        if name in values:
            own = {
                key.removeprefix(f"{name}/"): array
                for key, array in arrays.items()
                if key.startswith(f"{name}/")
            }
            _restore_to(callback, values[name], own)


def _named(callbacks: Sequence[Any]) -> dict[str, Any]:
    """Answer callbacks by the name of their class and their number among those of it."""
    names = [type(one).__qualname__ for one in callbacks]
    return {
        f"{n} {names[:i].count(n)}": one
        for i, (n, one) in enumerate(zip(names, callbacks, strict=False))
    }


def _variables(model: Any) -> dict[str, list[Any]]:
    return {
        "model": list(model.variables),
        "optimizer": list(model.optimizer.variables),
        "metrics": list(model.metrics_variables),
    }


def _state_of(callback: Any) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    if hasattr(callback, "state"):
        return callback.state()  # type: ignore[no-any-return]
    # Other callbacks, Keras's own among them, keep counters and best values as plain attributes,
    # and best weights as lists of arrays.
    known = {name: value for name, value in vars(callback).items() if name[0] != "_"}
    plain = {name: value for name, value in known.items() if isinstance(value, _PLAIN)}
    lists = {name: value for name, value in known.items() if _are_arrays(value)}
    return plain, {f"{n} {i:05d}": one for n, value in lists.items() for i, one in enumerate(value)}


def _restore_to(
    callback: Any, values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    if hasattr(callback, "restore"):
        callback.restore(values, arrays)
        return
    if "best" in values and getattr(callback, "monitor_op", True) is None:
        # Keras turns the sign of `min_delta` when it first asks which way is better: before it is
        # set, not a second time after that.
        callback._set_monitor_op()  # noqa: SLF001
    for name, value in values.items():
        setattr(callback, name, value)
    for name in {full.rpartition(" ")[0] for full in arrays}:
        setattr(callback, name, [arrays[n] for n in sorted(arrays) if n.startswith(f"{name} ")])


def _are_arrays(value: Any) -> bool:
    found = isinstance(value, list) and bool(value)
    return found and all(isinstance(one, np.ndarray) for one in value)
