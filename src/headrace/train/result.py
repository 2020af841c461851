"""The result of a training: what was learnt, how the loss fell, and where the time went."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from headrace.errors import SettingError
from headrace.result import Result
from headrace.sizes import size_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

__all__ = ["TrainResult"]

_WIDTH = 12
_MANY_DEAD = 0.1
"""Some units of a wide layer are always dead; a larger share is worth a word."""


@dataclass(frozen=True)
class TrainResult(Result):
    """How a training went.

    Attributes:
        rows: How many rows were learnt from.
        validation_rows: How many rows decided when to stop; 0 for none.
        columns: How many columns came in.
        numbers: How many number features the model got.
        categories: How many category features the model got.
        model: What was trained, in a few words; empty for steps alone.
        parameters: How many trained numbers the network has; 0 for other models.
        target: The target column; None without one.
        task: "binary", "multiclass", "regression" or "clustering"; None for steps alone.
        history: For each figure (loss, val_loss, …) its value in each epoch.
        best_epoch: The epoch whose weights were kept, counted from 1; 0 without epochs.
        seconds: Seconds by part.
        monitor: What decided which epoch was kept: "loss" or a metric.
        estimate: What the training of the network was expected to take, told before it began:
            "seconds", "most_seconds" and "bytes" of memory.
        actual: What it took: "seconds" of its epochs and "bytes" of memory at the most, beyond what
            the process held before.
        layers: The state of each layer afterwards, the names as in
            `headrace.model.health.LayerHealth`.
        members: The networks of an ensemble, the names as in `headrace.model.loop.TrainedMember`.
        decision: The threshold and the calibration that were learnt, in words.
        memory: Of a training whose rows were not held, bytes of the whole process: "promised" (if
            something was), "estimate" (told before) and "peak" (measured).
        learnt: What each step learnt, in a few words, by the step's code.
        notes: What the user should know.

    Example:
        >>> result = TrainResult(rows=800, validation_rows=200, columns=3, numbers=2, categories=1,
        ...     model="mlp", parameters=97, target="price", task="regression", best_epoch=2,
        ...     history={"loss": [0.9, 0.5], "val_loss": [0.8, 0.6]}, seconds={"model": 1.5})
        >>> print(result)
        rows        800 to learn from, 200 to decide when to stop
        columns     3, as 2 number and 1 category features
        model       mlp with 97 parameters for 'price' (regression)
        epochs      2, the best was 2: loss 0.5, val_loss 0.6
        seconds     1.5: model 1.5
    """

    rows: int
    validation_rows: int = 0
    columns: int = 0
    numbers: int = 0
    categories: int = 0
    model: str = ""
    parameters: int = 0
    target: str | None = None
    task: str | None = None
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)
    best_epoch: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
    monitor: str = "loss"
    estimate: Mapping[str, float] = field(default_factory=dict)
    actual: Mapping[str, float] = field(default_factory=dict)
    layers: tuple[Mapping[str, Any], ...] = ()
    members: tuple[Mapping[str, Any], ...] = ()
    decision: Mapping[str, str] = field(default_factory=dict)
    learnt: Mapping[str, str] = field(default_factory=dict)
    memory: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def epochs(self) -> int:
        """How many epochs were trained."""
        return len(next(iter(self.history.values()), ()))

    @property
    def best(self) -> dict[str, float]:
        """The figures of the best epoch."""
        if not self.epochs:
            return {}
        return {name: float(values[self.best_epoch - 1]) for name, values in self.history.items()}

    def summary(self) -> str:
        """Answer the training as text."""
        lines = [("rows", self._rows_text()), ("columns", self._columns_text())]
        if self.model:
            lines.append(("model", self._model_text()))
        if self.epochs:
            figures = ", ".join(f"{name} {value:.4g}" for name, value in self.best.items())
            lines.append(("epochs", f"{self.epochs}, the best was {self.best_epoch}: {figures}"))
        if self.seconds:
            parts = ", ".join(f"{name} {value:.1f}" for name, value in self.seconds.items())
            lines.append(("seconds", f"{sum(self.seconds.values()):.1f}: {parts}"))
        if self.estimate:
            lines.append(("estimate", self._estimate_text()))
        if self.memory:
            lines.append(("memory", self._memory_text()))
        if self.layers:
            lines.append(("layers", self._layers_text()))
        if self.members:
            lines.append(("members", self._members_text()))
        lines += list(self.decision.items())
        lines += [("learnt", f"{step}: {text}") for step, text in self.learnt.items()]
        lines += [("note", note) for note in self.notes]
        return "\n".join(f"{name:<{_WIDTH}}{text}" for name, text in lines)

    def to_dict(self) -> dict[str, Any]:
        """Answer the training as plain values."""
        values = asdict(self)
        values["history"] = {
            name: [float(value) for value in figures] for name, figures in self.history.items()
        }
        lists = {name: list(values[name]) for name in ("notes", "layers", "members")}
        return {**values, **lists, "epochs": self.epochs}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the loss over the epochs.

        Raises:
            SettingError: Nothing was trained in epochs.
        """
        if not self.epochs:
            raise SettingError("this training had no epochs, so there is no loss to draw")
        from headrace.visualization import training_curves

        return training_curves(self, ax)

    def _rows_text(self) -> str:
        held = f", {self.validation_rows:,} to decide when to stop" if self.validation_rows else ""
        return f"{self.rows:,} to learn from{held}"

    def _columns_text(self) -> str:
        return f"{self.columns}, as {self.numbers} number and {self.categories} category features"

    def _estimate_text(self) -> str:
        expected, actual = self.estimate, self.actual
        return (
            f"{expected['seconds']:,.0f} to {expected['most_seconds']:,.0f} s, took "
            f"{actual['seconds']:,.0f} s; at most {expected['bytes'] / 1e6:,.0f} MB of memory, "
            f"took {actual['bytes'] / 1e6:,.0f} MB"
        )

    def _memory_text(self) -> str:
        """Answer what the process held, beside what was promised and expected."""
        parts = {
            "promised": "promised {}, ",
            "estimate": "expected at most {}, ",
            "peak": "took {}",
        }
        return "".join(
            text.format(size_text(self.memory[name]))
            for name, text in parts.items()
            if name in self.memory
        )

    def _layers_text(self) -> str:
        """Answer where gradients are largest and which layers have units that do nothing."""
        steepest = max(self.layers, key=lambda layer: float(layer["gradient_norm"]))
        dead = [
            f"{layer['dead']:.0%} of {layer['name']}"
            for layer in self.layers
            if layer["dead"] is not None and layer["dead"] > _MANY_DEAD
        ]
        units = f"dead units: {', '.join(dead)}" if dead else "no layer with many dead units"
        return f"gradients up to {steepest['gradient_norm']:.2g} (in {steepest['name']}); {units}"

    def _members_text(self) -> str:
        counts: dict[str, list[float]] = {}
        for member in self.members:
            counts.setdefault(str(member["architecture"]), []).append(float(member["weight"]))
        return ", ".join(
            f"{len(weights)} {name} ({sum(weights):.0%} of the answer)"
            for name, weights in counts.items()
        )

    def _model_text(self) -> str:
        size = f" with {self.parameters:,} parameters" if self.parameters else ""
        aim = f" for {self.target!r}" if self.target else ""
        task = f" ({self.task})" if self.task else ""
        return f"{self.model}{size}{aim}{task}"
