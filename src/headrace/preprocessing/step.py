"""The step: an entry of a pipeline, with its parameters in scikit-learn's manner."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ClassVar, Self

from headrace.errors import SettingError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Step", "checked_steps"]


class Step:
    """The base of every step.

    A constructor only stores its parameters, under their own names; so a step can be shown,
    copied (`sklearn.base.clone` works) and changed by `set_params`.

    Attributes:
        training_only: Whether the step acts on training rows alone and is no part of the plan.
        home: The public module that the class is imported from, where that is not its own.
        known: All steps of this process by `key()`.
    """

    training_only: ClassVar[bool] = False
    home: ClassVar[str] = ""
    known: ClassVar[dict[str, type[Step]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Register the class, so that a saved pipeline finds it by name."""
        super().__init_subclass__(**kwargs)
        Step.known[cls.key()] = cls

    @classmethod
    def key(cls) -> str:
        """Answer the name under which a saved pipeline knows the class."""
        return f"{_home(cls) or cls.__module__.rpartition('.')[2]}.{cls.__qualname__}"

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Answer the parameters by name.

        Args:
            deep: Accepted for scikit-learn's sake; steps hold no other steps.
        """
        del deep
        return {name: getattr(self, name) for name in self._parameters()}

    def set_params(self, **parameters: Any) -> Self:
        """Change parameters.

        Raises:
            SettingError: If the step has no such parameter.
        """
        known = self._parameters()
        for name, value in parameters.items():
            if name not in known:
                raise SettingError(_unknown(type(self).__name__, name, list(known)))
            setattr(self, name, value)
        return self

    def copy(self) -> Self:
        """Answer an unfitted copy with the same parameters."""
        return type(self)(**self._arguments())

    def __sklearn_clone__(self) -> Self:
        """Answer the copy that `sklearn.base.clone` hands out, of estimators with steps too."""
        return self.copy()

    @classmethod
    def restored(cls, parameters: Mapping[str, Any]) -> Self:
        """Answer a step with stored parameters, as `get_params` answered them."""
        return cls(**parameters)

    def search_space(self) -> Mapping[str, Any]:
        """Answer the parameters that tuning may change, each with its range; none by default."""
        return {}

    def in_use(self) -> Mapping[str, Any]:
        """Answer the values in use of what `search_space` names, None written out as what it does.

        Tuning starts from them.
        """
        known = self.get_params(deep=False)
        return {name: known[name] for name in self.search_space()}

    def alternatives(self) -> Sequence[Step | tuple[Step, ...] | None]:
        """Answer what tuning may put in the step's place: a step, several, or None for nothing."""
        return ()

    def variant(self) -> str:
        """Answer the name by which tuning tells the step from its alternatives.

        Example:
            >>> Step().variant()
            'step'
        """
        return type(self).__name__.lower()

    @classmethod
    def _parameters(cls) -> dict[str, inspect.Parameter]:
        if cls.__init__ is object.__init__:
            return {}
        found = inspect.signature(cls.__init__).parameters
        return {
            name: parameter
            for name, parameter in found.items()
            if name != "self" and parameter.kind is not inspect.Parameter.VAR_POSITIONAL
        }

    def _arguments(self) -> dict[str, Any]:
        return self.get_params(deep=False)

    def changed(self) -> tuple[str, ...]:
        """Answer the names of the parameters that are not at their defaults."""
        found = self._parameters()
        return tuple(n for n, p in found.items() if not _equal(getattr(self, n), p.default))

    def __repr__(self) -> str:
        """Answer the code that would write this step; defaults are left out."""
        shown: list[str] = []
        for name in self.changed():
            parameter, value = self._parameters()[name], getattr(self, name)
            positional = parameter.kind is not inspect.Parameter.KEYWORD_ONLY and len(shown) == 0
            first = name == next(iter(self._parameters()))
            shown.append(repr(value) if positional and first else f"{name}={value!r}")
        return f"{_module_name(type(self))}{type(self).__name__}({', '.join(shown)})"


def _equal(left: Any, right: Any) -> bool:
    try:
        return bool(left is right or left == right)
    except (TypeError, ValueError):
        return False


def _home(kind: type[Step]) -> str:
    return str(vars(kind).get("home", ""))  # of the class itself: a user's subclass is elsewhere


def _module_name(kind: type[Step]) -> str:
    """Answer how a user names the class's module: `clean.`, `normalize.`, or nothing."""
    if _home(kind):
        return f"{_home(kind)}."
    package, _, module = kind.__module__.rpartition(".")
    return f"{module}." if package == "headrace.preprocessing" and module != "transformer" else ""


def _unknown(step: str, name: str, known: list[str]) -> str:
    close = nearest(name, known)
    hint = f" Did you mean {close!r}?" if close else ""
    return f"{step} has no parameter {name!r}; it has {', '.join(known) or 'none'}.{hint}"


def checked_steps(steps: Iterable[Step]) -> list[Step]:
    """Answer the steps of a pipeline.

    Raises:
        SettingError: One of them is no step.
    """
    listed = list(steps)
    for place, step in enumerate(listed):
        if isinstance(step, type) or not isinstance(step, Step):
            raise SettingError(
                f"step {place} is {step!r}; a step is an object such as hr.clean.Impute() "
                "or hr.Network([64, 64])"
            )
    return listed
