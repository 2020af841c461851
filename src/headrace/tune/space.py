"""The search space: which settings may be tried, and how Optuna draws and stores them.

Steps and networks say what may be tried in `search_space()`, with `Choice`, `Integer` and `Real`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from headrace.errors import SettingError
from headrace.preprocessing.space import Choice, Integer, Range, Real

if TYPE_CHECKING:
    import optuna

__all__ = ["Choice", "Integer", "Range", "Real", "Space", "describe", "drawn", "joined", "stored"]

Space: TypeAlias = Mapping[str, Range]
"""What may be tried: the name of a setting (`network__learning_rate`) -> its range."""


def joined(spaces: Mapping[str, Space]) -> dict[str, Range]:
    """Join the spaces of steps into one, in the manner of scikit-learn's parameter names.

    Args:
        spaces: For each step by name its own space.

    Example:
        >>> joined({"impute": {"strategy": Choice(["mean", "median"])}})
        {'impute__strategy': Choice(options=('mean', 'median'))}
    """
    return {
        f"{step}__{setting}": tried
        for step, space in spaces.items()
        for setting, tried in space.items()
    }


def drawn(trial: optuna.Trial, space: Space) -> dict[str, Any]:
    """Let Optuna draw a value for each setting.

    Returns:
        The settings, with the values themselves.
    """
    return {name: _draw(trial, name, tried) for name, tried in space.items()}


def stored(parameters: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """Answer settings in the form in which Optuna keeps them.

    Settings that the space does not know or that lie outside of their range are left out; Optuna
    draws them.

    Example:
        >>> stored({"width": 64, "rate": 9.0}, {"width": Integer(8, 512), "rate": Real(0.0, 1.0)})
        {'width': 64}
    """
    kept = {}
    for name, value in parameters.items():
        tried = space.get(name)
        if isinstance(tried, Choice) and _label(value) in _labels(name, tried):
            kept[name] = _label(value)
        elif isinstance(tried, Integer | Real) and _inside(tried, value):
            kept[name] = value
    return kept


def restored(parameters: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """Answer the values that Optuna's form of the settings stands for.

    Example:
        >>> restored({"limits": "(0.0, 1.0)"}, {"limits": Choice([None, (0.0, 1.0)])})
        {'limits': (0.0, 1.0)}
    """
    values = {}
    for name, value in parameters.items():
        tried = space.get(name)
        if isinstance(tried, Choice):
            values[name] = _labels(name, tried).get(value, value)
        else:
            values[name] = value
    return values


def describe(space: Space) -> dict[str, str]:
    """Answer the space as text, to tell whether two are the same.

    Example:
        >>> describe({"rate": Real(1e-4, 0.1, log=True)})
        {'rate': 'Real(low=0.0001, high=0.1, log=True)'}
    """
    return {
        name: f"Choice({list(_labels(name, tried))})" if isinstance(tried, Choice) else repr(tried)
        for name, tried in sorted(space.items())
    }


def check_space(space: Space) -> None:
    """Refuse a space that cannot be searched.

    Raises:
        SettingError: It is empty, a range is none of the three kinds, or options read the same.
    """
    if not space:
        raise SettingError("there is nothing to tune: no setting has a range to try")
    for name, tried in space.items():
        if not isinstance(tried, Choice | Integer | Real):
            raise SettingError(
                f"the range of {name!r} must be a Choice, an Integer or a Real, received {tried!r}"
            )
        if isinstance(tried, Choice):
            _labels(name, tried)


def _draw(trial: optuna.Trial, name: str, tried: Range) -> Any:
    if isinstance(tried, Choice):
        labels = _labels(name, tried)
        return labels[trial.suggest_categorical(name, list(labels))]
    if isinstance(tried, Integer):
        return trial.suggest_int(name, tried.low, tried.high, log=tried.log)
    return trial.suggest_float(name, tried.low, tried.high, log=tried.log)


def _inside(tried: Integer | Real, value: Any) -> bool:
    kind = int if isinstance(tried, Integer) else int | float
    right = isinstance(value, kind) and not isinstance(value, bool)
    return right and tried.low <= value <= tried.high


def _labels(name: str, tried: Choice) -> dict[str, Any]:
    """Answer the options by the text under which they are stored."""
    labels = {_label(option): option for option in tried.options}
    if len(labels) < len(tried.options):
        raise SettingError(
            f"two options of {name!r} read the same: {', '.join(map(_label, tried.options))}"
        )
    for label in labels:
        if " at 0x" in label:
            raise SettingError(
                f"the option {label} of {name!r} reads differently in every run, so a stored study "
                "could not be resumed: use names or numbers as options"
            )
    return labels


def _label(option: Any) -> str:
    return option if isinstance(option, str) else repr(option)
