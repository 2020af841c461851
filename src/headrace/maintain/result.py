"""What a tick of maintenance answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headrace.maintain.wording import plural
from headrace.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from headrace.maintain.drift import DriftReport
    from headrace.maintain.policy import Action, Decision
    from headrace.maintain.quality import QualityReport
    from headrace.maintain.score import Score, Verdict

__all__ = ["MaintainResult"]

_TITLES: dict[str, str] = {
    "keep": "Kept: the model stays as it is",
    "retrain": "To be retrained",
    "promote": "Promoted: a retrained model is in place",
    "rollback": "Rolled back: the release before is in place again",
}


@dataclass(frozen=True)
class MaintainResult(Result):
    """What was found in new rows, what was decided, and what was done.

    Attributes:
        decision: "keep", "promote" or "rollback", with its reasons.
        drift: The new rows against the reference.
        quality: What is wrong with the new rows.
        labels: New rows whose label is known.
        labels_missing: New rows whose label was given as missing.
        score: The champion's score on the labelled rows.
        deployed: Its score when it was deployed.
        previous: The champion against the release before it.
        challenger: The challenger against the champion.
        retrained: Whether a challenger was trained.
        before: The version in place before.
        after: The version in place now.
        seconds: Time taken.
    """

    decision: Decision
    drift: DriftReport
    quality: QualityReport
    labels: int = 0
    labels_missing: int = 0
    score: Score | None = None
    deployed: Score | None = None
    previous: Verdict | None = None
    challenger: Verdict | None = None
    retrained: bool = False
    before: str | None = None
    after: str | None = None
    seconds: float = 0.0

    @property
    def action(self) -> Action:
        """What was done: "keep", "promote" or "rollback"."""
        return self.decision.action

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, as sentences with figures."""
        return self.decision.reasons

    def summary(self) -> str:
        """Answer the decision, its reasons, and what was found in the rows."""
        lines = [self._title(), *(f"  - {_sentence(reason)}" for reason in self.reasons)]
        lines += ["", self.drift.summary()]
        if self.quality.findings:
            lines += ["", self.quality.summary()]
        return "\n".join([*lines, "", self._footer()])

    def to_dict(self) -> dict[str, Any]:
        """Answer everything as plain values that JSON can hold."""
        return {
            **self.decision.to_dict(),
            "before": self.before,
            "after": self.after,
            "retrained": self.retrained,
            "labels": self.labels,
            "labels_missing": self.labels_missing,
            "score": self.score.to_dict() if self.score else None,
            "deployed": self.deployed.to_dict() if self.deployed else None,
            "previous": self.previous.to_dict() if self.previous else None,
            "challenger": self.challenger.to_dict() if self.challenger else None,
            "drift": self.drift.to_dict(),
            "quality": self.quality.to_dict(),
            "seconds": self.seconds,
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw how far each column moved."""
        return self.drift.plot(ax)

    def _title(self) -> str:
        title = _TITLES[self.action]
        if self.action == "keep":
            title += f" ({self.after})" if self.after else ""
            return title + (", the retrained one was turned down" if self.retrained else "")
        return f"{title} ({self.before} → {self.after})"

    def _footer(self) -> str:
        missing = f" ({self.labels_missing:,} missing)" if self.labels_missing else ""
        return (
            f"{plural(self.drift.rows, 'new row')}, {plural(self.labels, 'label')}{missing}, "
            f"{self.seconds:.1f} s"
        )


def _sentence(reason: str) -> str:
    """Begin a reason with a capital letter, unless it begins with the name of a metric."""
    first = reason.split(" ", 1)[0]
    plain = first.isalpha() and first.islower()
    return reason[0].upper() + reason[1:] if plain else reason
