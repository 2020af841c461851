"""The policy: when to keep, retrain, promote or roll back, as data; and the decision from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from headrace.errors import SettingError, nearest
from headrace.maintain.score import in_figures
from headrace.maintain.wording import listing, percent, plural

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.maintain.drift import DriftReport
    from headrace.maintain.quality import QualityReport
    from headrace.maintain.score import Score, Verdict

__all__ = ["Action", "Decision", "Evidence", "Policy", "decide", "judge"]

Action = Literal["keep", "retrain", "promote", "rollback"]
"""What is done: nothing, train a challenger, put it in place, or go back to the last release."""

Trigger = Literal["drift", "score"]
"""What a retraining can answer to."""

Gate = Literal["latest", "random"]
"""Which labelled rows judge a challenger: those that came last, or any."""


@dataclass(frozen=True)
class Policy:
    """The rules of maintenance.

    Attributes:
        false_alarm_rate: The chance of one or more false drift alarms in a report.
        smallest_effect: Drift under this Jensen–Shannon distance (0 to 1) raises no alarm.
        min_rows: With fewer new rows drift is reported but not acted upon.
        min_labels: With fewer labels the score is reported but not acted upon, and nothing is
            retrained.
        allowed_drop: How much worse than at deployment the score may be, as a share of its value
            at deployment.
        retrain_on: What leads to a retraining: "drift", "score" or both; empty for never.
        gate: Which labelled rows judge a challenger: the "latest" (rows come in the order of
            time) or a "random" choice.
        gate_share: The share of the labelled rows kept for judging the challenger; it is not
            trained on them.
        gate_confidence: The confidence at which a challenger must prove better, and at which a
            champion must prove worse than the release before it.
        rollback: Whether to return to the previous release when it proves better.
        stop_on_errors: Whether errors in the data (a column gone, numbers that became text) hold
            up retraining: the source needs repair, not the model.
        seed: For the random gate.

    Raises:
        SettingError: A value that cannot be used.

    Example:
        >>> Policy(min_labels=500).to_dict()["min_labels"]
        500
        >>> Policy(gate_share=1.5)
        Traceback (most recent call last):
        headrace.errors.SettingError: gate_share must be over 0 and under 1, received 1.5
    """

    false_alarm_rate: float = 0.01
    smallest_effect: float = 0.05
    min_rows: int = 100
    min_labels: int = 200
    allowed_drop: float = 0.02
    retrain_on: tuple[Trigger, ...] = ("score", "drift")
    gate: Gate = "latest"
    gate_share: float = 0.3
    gate_confidence: float = 0.95
    rollback: bool = True
    stop_on_errors: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be used; lists (from JSON) become tuples."""
        object.__setattr__(self, "retrain_on", tuple(self.retrain_on))
        _check_share("false_alarm_rate", self.false_alarm_rate)
        _check_share("gate_share", self.gate_share)
        _check_share("gate_confidence", self.gate_confidence)
        for name in ("smallest_effect", "allowed_drop", "min_rows", "min_labels"):
            if not getattr(self, name) >= 0:
                raise SettingError(f"{name} must not be negative, received {getattr(self, name)!r}")
        if self.smallest_effect >= 1:
            raise SettingError(
                "smallest_effect is a distance and must be under 1, "
                f"received {self.smallest_effect!r}"
            )
        for trigger in self.retrain_on:
            _check_choice("retrain_on", trigger, get_args(Trigger))
        _check_choice("gate", self.gate, get_args(Gate))

    def to_dict(self) -> dict[str, Any]:
        """Answer the rules as plain values.

        Example:
            >>> Policy.from_dict(Policy(rollback=False).to_dict()) == Policy(rollback=False)
            True
        """
        return asdict(self) | {"retrain_on": list(self.retrain_on)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Policy:
        """Make the policy that `to_dict` described; rules that are left out have their defaults.

        Raises:
            SettingError: A rule that does not exist, or a value that cannot be used.
        """
        known = {field.name for field in fields(cls)}
        for name in values:
            _check_choice("a policy", name, tuple(known))
        return cls(**values)


@dataclass(frozen=True)
class Decision:
    """What to do, and why.

    Attributes:
        action: "keep", "retrain", "promote" or "rollback".
        reasons: Sentences with the figures that led there; the deciding one first.

    Example:
        >>> print(Decision("keep", ("nothing changed",)))
        keep: nothing changed
    """

    action: Action
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.action}: {'; '.join(self.reasons)}"

    def to_dict(self) -> dict[str, Any]:
        """Answer the decision as plain values."""
        return {"action": self.action, "reasons": list(self.reasons)}


@dataclass(frozen=True)
class Evidence:
    """What is known of the deployed model when it is judged.

    Attributes:
        drift: The new rows against the reference.
        quality: What is wrong with the new rows.
        labels: New rows whose label is known.
        score: The champion's score on them.
        deployed: Its score when it was deployed.
        previous: The champion against the release before it, on the same labelled rows; its
            verdict "worse" means that the champion is worse.
    """

    drift: DriftReport
    quality: QualityReport
    labels: int = 0
    score: Score | None = None
    deployed: Score | None = None
    previous: Verdict | None = None


def decide(policy: Policy, evidence: Evidence) -> Decision:
    """Decide on the deployed model from what the new rows show: keep, retrain or roll back.

    Args:
        policy: The rules.
        evidence: What is known.

    Returns:
        The decision; every fact that was looked at is among the reasons.
    """
    if not evidence.drift.rows:
        return Decision("keep", ("no rows came, so there is nothing to judge",))
    facts = [_score_fact(policy, evidence), _drift_fact(policy, evidence.drift)]
    facts += [evidence.quality.sentence()] if evidence.quality.findings else []
    if _rolls_back(policy, evidence):
        return Decision("rollback", (_rollback_fact(evidence), *facts))
    triggers = _triggers(policy, evidence)
    others = [fact for fact in facts if fact not in triggers]
    if not triggers:
        return Decision("keep", tuple(facts))
    hindrance = _hindrance(policy, evidence)
    if hindrance:
        return Decision("keep", (hindrance, *triggers, *others))
    return Decision("retrain", (*triggers, *others))


def judge(challenger: Verdict, *, rows: int) -> Decision:
    """Decide on a challenger after its paired comparison with the champion: promote or keep.

    Args:
        challenger: The challenger against the champion on rows that neither was trained on.
        rows: How many rows that were.

    Example:
        >>> from types import SimpleNamespace
        >>> draw = SimpleNamespace(
        ...     verdict="not enough data to tell", metric="roc_auc", value=0.91, reference=0.909,
        ...     difference=0.001, low=-0.01, high=0.012,
        ... )
        >>> print(judge(draw, rows=300))
        keep: the retrained model is not proven better on 300 rows kept for judging: roc_auc \
0.91 against 0.909, difference +0.001 (-0.01 to +0.012)
    """
    proven = {"better": "proves better", "worse": "proves worse"}
    verdict = proven.get(challenger.verdict, "is not proven better")
    there = f"{plural(rows, 'row')} kept for judging"
    reason = f"the retrained model {verdict} on {there}: {in_figures(challenger)}"
    return Decision("promote" if challenger.verdict == "better" else "keep", (reason,))


def _drift_fact(policy: Policy, drift: DriftReport) -> str:
    few = drift.rows < policy.min_rows
    note = f", too few to act on ({policy.min_rows:,} are needed)" if few and drift.alarmed else ""
    return drift.sentence() + note


def _score_fact(policy: Policy, evidence: Evidence) -> str:
    if evidence.score is None:
        return "no labels, so the score is not known"
    there = f"{evidence.score} on {plural(evidence.labels, 'labelled row')}"
    if evidence.deployed is None or evidence.deployed.metric != evidence.score.metric:
        return f"{there}; no {evidence.score.metric} was recorded at deployment"
    there = f"{there}, {evidence.deployed} at deployment"
    if evidence.labels < policy.min_labels:
        return f"{there}; under {policy.min_labels:,} labels this is not judged"
    proven = "proven" if _has_dropped(policy, evidence) else "not proven"
    return f"{there}: {proven} worse by more than the allowed {percent(policy.allowed_drop)}"


def _has_dropped(policy: Policy, evidence: Evidence) -> bool:
    score, deployed = evidence.score, evidence.deployed
    if score is None or deployed is None or score.metric != deployed.metric:
        return False
    if evidence.labels < policy.min_labels:
        return False
    return score.worse_than(deployed, allowed=policy.allowed_drop)


def _triggers(policy: Policy, evidence: Evidence) -> list[str]:
    drift, found = evidence.drift, []
    if "score" in policy.retrain_on and _has_dropped(policy, evidence):
        found.append(_score_fact(policy, evidence))
    if "drift" in policy.retrain_on and drift.alarmed and drift.rows >= policy.min_rows:
        found.append(_drift_fact(policy, drift))
    return found


def _hindrance(policy: Policy, evidence: Evidence) -> str | None:
    errors = evidence.quality.errors
    if errors and policy.stop_on_errors:
        broken = listing([finding.column or "rows" for finding in errors])
        return f"not retrained, because the data itself is broken ({broken}): repair the source"
    if evidence.labels < policy.min_labels:
        there = f"{evidence.labels:,} of the {policy.min_labels:,} labels that it needs"
        return f"not retrained, because there are {there}"
    return None


def _rolls_back(policy: Policy, evidence: Evidence) -> bool:
    previous = evidence.previous
    enough = evidence.labels >= policy.min_labels
    return policy.rollback and enough and previous is not None and previous.verdict == "worse"


def _rollback_fact(evidence: Evidence) -> str:
    there = f"the same {plural(evidence.labels, 'labelled row')}"
    figures = in_figures(evidence.previous) if evidence.previous else ""
    return f"the champion does worse than the release before it on {there}: {figures}"


def _check_share(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise SettingError(f"{name} must be over 0 and under 1, received {value!r}")


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value in choices:
        return
    meant = nearest(str(value), choices)
    guess = f"; did you mean {meant!r}?" if meant else ""
    raise SettingError(f"{name} knows {', '.join(sorted(choices))}, received {value!r}{guess}")
