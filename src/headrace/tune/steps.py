"""The steps of a pipeline as a search space, and a choice of settings as steps again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from headrace.data.infer import infer_schema
from headrace.data.source import read
from headrace.errors import SettingError, nearest
from headrace.model.network import Network
from headrace.preprocessing.defaults import default_steps
from headrace.preprocessing.space import Choice, Integer
from headrace.tune.space import check_space, has, option

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl

    from headrace.model.target import TargetSpec
    from headrace.pipeline import Pipeline
    from headrace.preprocessing.space import Range
    from headrace.preprocessing.step import Step
    from headrace.tune.space import Space

__all__ = [
    "SearchSpace",
    "check_names",
    "configured",
    "network_of",
    "proposed",
    "search_space",
    "settings_in_use",
    "spelt_out",
]


class SearchSpace(Mapping[str, "Range"]):
    """What tuning may try, by the name of the setting; printed as a table.

    Args:
        ranges: A range for each setting.
        now: The values in use.

    Example:
        >>> from headrace.preprocessing.space import Real
        >>> space = SearchSpace({"network_0__dropout": Real(0.0, 0.5)}, {"network_0__dropout": 0.1})
        >>> print(space.changed(network_0__dropout=Real(0.0, 0.3)))
        setting             now
        network_0__dropout  0.1  0 to 0.3
        >>> print(space.fixed("network_0__dropout"))
        nothing is tried
    """

    def __init__(self, ranges: Mapping[str, Range], now: Mapping[str, Any] | None = None) -> None:
        self._ranges = dict(ranges)
        self.now = dict(now or {})

    def __getitem__(self, name: str) -> Range:
        return self._ranges[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._ranges)

    def __len__(self) -> int:
        return len(self._ranges)

    def changed(self, **ranges: Range) -> SearchSpace:
        """Answer the space with some ranges in the place of others, or besides them."""
        return SearchSpace({**self._ranges, **ranges}, self.now)

    def fixed(self, *names: str) -> SearchSpace:
        """Answer the space without some settings, which stay as they are; `clip_2` fixes all of it.

        Raises:
            SettingError: There is no such setting.
        """
        for name in names:
            if not any(_belongs(known, name) for known in self._ranges):
                raise SettingError(_unknown(name, self._ranges))
        kept = {
            known: tried
            for known, tried in self._ranges.items()
            if not any(_belongs(known, name) for name in names)
        }
        return SearchSpace(kept, self.now)

    def __str__(self) -> str:
        from headrace.table import text_table

        if not self._ranges:
            return "nothing is tried"
        return text_table(["setting", "now", ""], self._rows())

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from headrace.table import html_table

        return html_table(["setting", "now", ""], self._rows(), caption="Search space")

    def _rows(self) -> list[list[str]]:
        return [
            [name, _short(self.now[name]) if name in self.now else "–", _words(tried)]
            for name, tried in self._ranges.items()
        ]


def search_space(pipeline: Pipeline, data: object) -> SearchSpace:
    """Answer what tuning would try of a pipeline: to be printed, changed and handed to `tune`.

    Each step says which of its settings are worth trying, and what may stand in its place; the
    network says it by its architecture. Ranges reach to the values in use.

    Args:
        pipeline: With steps, or without: then they are chosen from the data as `train` does it.
        data: The rows.

    Example:
        >>> import headrace as hr
        >>> rows = {"x": [1.0, 2.0, 3.0] * 9, "y": ["a", "b", "b"] * 9}
        >>> steps = [hr.clean.Impute(), hr.Network("linear", embedding=None)]
        >>> pipe = hr.Pipeline(steps, target="y")
        >>> print(hr.search_space(pipe, rows).fixed("network_1"))
        setting                now
        impute_0__strategy  median  mean, median
        impute_0__flags       True  True, False
    """
    from headrace.train.labels import label_series

    rows = read(data).collect()
    base = spelt_out(pipeline, rows)
    spec = None
    if isinstance(pipeline.target, str):
        spec = network_of(base.steps).target_spec(label_series(rows, pipeline.target).drop_nulls())
    return proposed(base, spec)


def proposed(base: Pipeline, target: TargetSpec | None) -> SearchSpace:
    """Answer the space that the steps of a pipeline propose.

    Args:
        base: With its steps written out.
        target: What is predicted.
    """
    ranges: dict[str, Range] = {}
    now = settings_in_use(base, target)
    for name, step in base.named_steps().items():
        others = _others(step)
        if others:
            ranges[name] = Choice([step, *others])
        ranges.update(_settings(name, [step, *others]))
    reached = {name: _reaching(tried, now.get(name)) for name, tried in ranges.items()}
    return SearchSpace(reached, now)


def _others(step: Step) -> list[Any]:
    code = repr(step)
    return [other for other in step.alternatives() if repr(other) != code]


def _settings(name: str, options: Sequence[Any]) -> dict[str, Range]:
    """Answer the settings of a step and of what may stand in its place.

    A setting that all who have it would try in the same way has one name for all of them; else
    the name tells whose it is.
    """
    steps = [part for one in options for part in (one if isinstance(one, tuple) else (one,))]
    spaces = [(step, step.search_space()) for step in steps if step is not None]
    found: dict[str, Range] = {}
    for step, space in spaces:
        for key, tried in space.items():
            alike = all(other.get(key) == tried for one, other in spaces if has(one, key))
            found[f"{name}__{key}" if alike else f"{name}__{step.variant()}__{key}"] = tried
    return found


def settings_in_use(base: Pipeline, target: TargetSpec | None) -> dict[str, Any]:
    """Answer the values in use of all that steps would have tried, defaults written out."""
    found: dict[str, Any] = {}
    for name, step in base.named_steps().items():
        found[name] = step
        used = step.in_use(target) if isinstance(step, Network) else step.in_use()
        found |= {f"{name}__{key}": value for key, value in used.items()}
        found |= {f"{name}__{step.variant()}__{key}": value for key, value in used.items()}
    return found


def _reaching(tried: Range, value: Any) -> Range:
    """Answer a range that holds the value in use, too."""
    if isinstance(tried, Choice):
        known = [*map(repr, tried.options)]
        missing = value is not None and repr(value) not in known
        return Choice([value, *tried.options]) if missing else tried
    if isinstance(value, bool) or not isinstance(value, int | float):
        return tried
    if tried.log and value <= 0:
        return tried
    if isinstance(tried, Integer):
        whole = int(value)
        return replace(tried, low=min(tried.low, whole), high=max(tried.high, whole))
    return replace(tried, low=min(tried.low, value), high=max(tried.high, value))


def configured(base: Pipeline, parameters: Mapping[str, Any], space: Space) -> Pipeline:
    """Answer a copy of a pipeline with some settings, and with other steps where they were chosen.

    Args:
        base: With its steps written out.
        parameters: The settings; a chosen step is named by its code.
        space: What the names and codes mean.
    """
    steps: list[Step] = []
    for name, step in base.named_steps().items():
        chosen = option(space[name], parameters[name]) if name in parameters else (step,)
        own = {
            key.removeprefix(f"{name}__"): value
            for key, value in parameters.items()
            if key.startswith(f"{name}__")
        }
        steps += [_with(one, own) for one in chosen]
    made = base.copy()
    made.steps = steps
    return made


def _with(step: Step, settings: Mapping[str, Any]) -> Step:
    made = step.copy()
    for name, value in settings.items():
        if not has(made, name):
            continue
        key, _, inner = name.removeprefix(f"{made.variant()}__").partition("__")
        if inner:
            value = {**(made.get_params()[key] or {}), inner: value}  # noqa: PLW2901 - the whole of it
        made.set_params(**{key: value})
    return made


def check_names(space: Space, base: Pipeline) -> None:
    """Refuse names of settings that no step has, and choices that are none of steps.

    Raises:
        SettingError: It names the nearest setting that there is.
    """
    check_space(space)
    named = base.named_steps()
    known = [name for name in base.get_params() if "__" in name] + list(named)
    for name, tried in space.items():
        slot, _, setting = name.partition("__")
        if slot not in named:
            raise SettingError(_unknown(name, known))
        options = [named[slot]]
        if slot in space:
            options = [part for one in _labels_of(space[slot]) for part in option(space[slot], one)]
        if not setting:
            _check_steps(name, tried)
        elif not any(has(step, setting) for step in options):
            raise SettingError(_unknown(name, known))


def _check_steps(name: str, tried: Range) -> None:
    for one in tried.options if isinstance(tried, Choice) else (tried,):
        if one is not None and not option(Choice([one]), repr(one)):
            raise SettingError(
                f"{name!r} stands for a whole step: its range must be a Choice of steps, of tuples "
                f"of steps, or None for no step, received {one!r}"
            )


def _labels_of(tried: Range) -> list[str]:
    return [repr(one) for one in tried.options] if isinstance(tried, Choice) else []


def spelt_out(pipeline: Pipeline, rows: pl.DataFrame) -> Pipeline:
    """Answer a copy of a pipeline whose steps are all written out, a network at the end."""
    base = pipeline.copy()
    if base.steps is None:
        base.steps = list(pipeline.fitted.steps) if pipeline.is_trained else _chosen(pipeline, rows)
        base = base.copy()
    if not base.steps or not isinstance(base.steps[-1], Network):
        base.steps = [*(base.steps or []), base.network or Network()]
    base.network = None
    return base


def _chosen(pipeline: Pipeline, rows: pl.DataFrame) -> list[Any]:
    schema = infer_schema(rows.lazy(), kinds=pipeline.kinds, exclude=[str(pipeline.target or "")])
    return [*default_steps(schema), pipeline.network or Network()]


def network_of(steps: Sequence[Step] | None) -> Network:
    """Answer the network at the end of some steps.

    Raises:
        SettingError: There is none.
    """
    last = steps[-1] if steps else None
    if not isinstance(last, Network):
        raise SettingError("tuning needs a network as the last step")
    return last


def _belongs(known: str, name: str) -> bool:
    return known == name or known.startswith(f"{name}__")


def _unknown(name: str, known: Any) -> str:
    close = nearest(name, known)
    hint = f" Did you mean {close!r}?" if close else ""
    return (
        f"there is no setting {name!r} to tune; print(hr.search_space(pipe, data)) shows what "
        f"there is.{hint}"
    )


def _words(tried: Range) -> str:
    if isinstance(tried, Choice):
        return ", ".join(map(_short, tried.options))
    scale = " (log)" if tried.log else ""
    return f"{tried.low:g} to {tried.high:g}{scale}"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
