"""The search space: which settings may be tried, and how Optuna draws and stores them.

Steps and networks say what may be tried in `search_space()`, with `Choice`, `Integer` and `Real`.
A name without `__` stands for a step itself (`encode_1`), which is a `Choice` of steps: then those
settings of it are drawn that the chosen step has (see `headrace.tune.steps`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from headrace.errors import SettingError
from headrace.preprocessing.space import Choice, Integer, Range, Real
from headrace.preprocessing.step import Step

if TYPE_CHECKING:
    import optuna

__all__ = [
    "Choice",
    "Integer",
    "Range",
    "Real",
    "Space",
    "active",
    "check_space",
    "describe",
    "drawn",
    "has",
    "joined",
    "option",
    "restored",
    "stored",
]

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
    """Let Optuna draw a value for each setting, the choices of steps before their settings.

    Returns:
        The settings, with the values themselves; a chosen step is named by its code.
    """
    found: dict[str, Any] = {}
    for name in sorted(space, key=lambda one: "__" in one):
        if active(name, found, space):
            found[name] = _draw(trial, name, space[name])
    return {name: found[name] for name in space if name in found}


def active(name: str, chosen: Mapping[str, Any], space: Space) -> bool:
    """Answer whether a setting counts, given the steps that were chosen.

    Args:
        name: Of the setting.
        chosen: The settings so far, those of the steps at least.
        space: What may be tried.

    Example:
        >>> from headrace.preprocessing import normalize
        >>> space = {"scale": Choice([normalize.Robust(), None]), "scale__squash": Real(1.0, 9.0)}
        >>> active("scale__squash", {"scale": "None"}, space)
        False
    """
    slot, _, setting = name.partition("__")
    if not setting or slot not in space:
        return True
    return any(has(step, setting) for step in option(space[slot], chosen.get(slot)))


def has(step: Step, setting: str) -> bool:
    """Answer whether a step has a setting, which may begin with the name of the step's variant.

    Example:
        >>> from headrace.preprocessing import normalize
        >>> [has(normalize.Robust(), name) for name in ("squash", "robust__squash", "output")]
        [True, True, False]
    """
    key = setting.removeprefix(f"{step.variant()}__")
    return key.partition("__")[0] in step.get_params()


def option(choice: Range, label: Any) -> tuple[Step, ...]:
    """Answer the steps that a choice's label stands for; none for "None".

    Example:
        >>> from headrace.preprocessing import normalize
        >>> option(Choice([normalize.Robust(), None]), "normalize.Robust()")
        (normalize.Robust(),)
    """
    if not isinstance(choice, Choice):
        return ()
    found = next((one for one in choice.options if _label(one) == label), None)
    if isinstance(found, Step):
        return (found,)
    return tuple(found) if found is not None and _is_steps(found) else ()


def _is_steps(one: Any) -> bool:
    """Answer whether an option is a step, or several of them."""
    several = isinstance(one, tuple | list) and bool(one)
    return isinstance(one, Step) or (several and all(isinstance(part, Step) for part in one))


def stored(parameters: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """Answer settings in the form in which Optuna keeps them.

    Settings that the space does not know, that lie outside of their range or that do not count
    beside the others are left out; Optuna draws those that are missing.

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
    return {name: value for name, value in kept.items() if active(name, kept, space)}


def restored(parameters: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """Answer the values that Optuna's form of the settings stands for; steps stay their code.

    Example:
        >>> restored({"limits": "(0.0, 1.0)"}, {"limits": Choice([None, (0.0, 1.0)])})
        {'limits': (0.0, 1.0)}
    """
    values = {}
    for name, value in parameters.items():
        tried = space.get(name)
        if isinstance(tried, Choice):
            values[name] = _plain(_labels(name, tried).get(value, value), tried)
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
        return _plain(labels[trial.suggest_categorical(name, list(labels))], tried)
    if isinstance(tried, Integer):
        return trial.suggest_int(name, tried.low, tried.high, log=tried.log)
    return trial.suggest_float(name, tried.low, tried.high, log=tried.log)


def _plain(value: Any, tried: Choice) -> Any:
    """Answer an option as it is, or the code of a step, which a result can store and show."""
    return _label(value) if any(map(_is_steps, tried.options)) else value


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
