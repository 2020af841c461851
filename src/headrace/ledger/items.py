"""What a ledger holds: predictions, labels, and actions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Action", "Label", "LabelReport", "Prediction"]


@dataclass(frozen=True, slots=True)
class Prediction:
    """One row that was answered.

    Attributes:
        id: Its name; a label is given to it by this name.
        time: When, in seconds since 1970 (UTC).
        version: The release that answered.
        features: The row as it came; None where it is not kept.
        answer: What was answered, by name: "prediction", perhaps "probabilities".
        model: Which model, where one ledger serves several.
    """

    id: str
    time: float
    version: str
    features: dict[str, Any] | None
    answer: dict[str, Any]
    model: str = ""


@dataclass(frozen=True, slots=True)
class Label:
    """What turned out to be true of one row.

    Attributes:
        id: The prediction's name.
        value: The truth; of several targets a dict, which need not hold all of them.
        time: When it became known, in seconds since 1970 (UTC).
        source: Who says so.
    """

    id: str
    value: Any
    time: float
    source: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """Something that was done about a model.

    Attributes:
        time: When, in seconds since 1970 (UTC).
        who: By whom.
        kind: "promote", "retrain", …
        text: What and why, in words.
        details: Figures behind it.
    """

    time: float
    who: str
    kind: str
    text: str = ""
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LabelReport:
    """What became of labels that came in.

    Attributes:
        added: First labels of their predictions.
        corrected: Newer labels with another value; the old ones are kept as history.
        older: Labels that came after a newer one; kept as history.
        repeated: Labels that were there already, word for word.
        unknown: Labels whose prediction is not here (yet); kept, and joined when it comes. They
            are counted under `added` or `corrected` as well.
        future: Labels from later than now: a clock is wrong. Kept all the same.
    """

    added: int = 0
    corrected: int = 0
    older: int = 0
    repeated: int = 0
    unknown: int = 0
    future: int = 0
