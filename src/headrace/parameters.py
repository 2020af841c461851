"""The settings of a pipeline and of its steps by name, in scikit-learn's manner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from headrace.errors import SettingError

if TYPE_CHECKING:
    from headrace.preprocessing.step import Step

__all__ = ["Parameters"]

_OWN = ("steps", "target", "kinds", "network", "stages", "seed", "memory", "executor")


class Parameters:
    """What has settings, and steps with settings of their own.

    Attributes:
        steps: The steps; None where they are not chosen yet.

    Example:
        >>> import headrace as hr
        >>> pipe = hr.Pipeline([hr.clean.Impute()], seed=1)
        >>> pipe.set_params(seed=2, impute_0__flags=False).get_params()["seed"]
        2
    """

    steps: list[Step] | None

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Answer the settings by name, in scikit-learn's manner.

        Args:
            deep: Whether the steps' own parameters are listed too, as `step__parameter`.
        """
        own = {name: getattr(self, name) for name in _OWN}
        for name, step in self.named_steps().items() if deep else ():
            own |= {f"{name}__{key}": value for key, value in step.get_params().items()}
        return own

    def named_steps(self) -> dict[str, Step]:
        """Answer the steps by the names that `get_params` and `set_params` know them by."""
        steps = enumerate(self.steps or ())
        return {f"{type(step).__name__.lower()}_{place}": step for place, step in steps}

    def set_params(self, **parameters: Any) -> Self:
        """Change settings, or those of a step as `step__parameter`.

        Raises:
            SettingError: If there is no such setting.
        """
        named = self.named_steps()
        for name, value in parameters.items():
            step, _, key = name.partition("__")
            if key and step in named:
                named[step].set_params(**{key: value})
            elif name in self.get_params(deep=False):
                setattr(self, name, value)
            else:
                known = ", ".join(self.get_params())
                raise SettingError(f"a pipeline has no setting {name!r}; it has {known}")
        return self
