from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from headrace.errors import SettingError
from headrace.maintain.drift import ColumnDrift, DriftReport
from headrace.maintain.finding import Finding
from headrace.maintain.policy import Evidence, Policy, decide, judge
from headrace.maintain.quality import QualityReport
from headrace.maintain.score import Score

if TYPE_CHECKING:
    from headrace.maintain.policy import Decision

AT_DEPLOYMENT = Score("roc_auc", 0.92, 0.91, 0.93, 5_000)
AS_BEFORE = Score("roc_auc", 0.915, 0.90, 0.93, 1_000)
DROPPED = Score("roc_auc", 0.80, 0.78, 0.82, 1_000)


def drifted(*alarmed: str, rows: int = 1_000) -> DriftReport:
    columns = tuple(
        ColumnDrift(name, "number", name in alarmed, (), "") for name in ("age", "city", "hours")
    )
    return DriftReport(rows, 5_000, columns, 0.01, 0.05, 0.0)


def quality_of(*errors: str) -> QualityReport:
    findings = tuple(Finding("column gone", "error", name, 9, "gone") for name in errors)
    return QualityReport(1_000, 3, findings, 0.0)


def compared(verdict: str, difference: float = -0.03) -> Any:
    return SimpleNamespace(
        verdict=verdict,
        metric="roc_auc",
        value=0.88,
        reference=0.91,
        difference=difference,
        low=difference - 0.01,
        high=difference + 0.01,
    )


def decision(policy: Policy | None = None, **known: Any) -> Decision:
    evidence = {"drift": drifted(), "quality": quality_of(), "deployed": AT_DEPLOYMENT} | known
    return decide(policy or Policy(), Evidence(**evidence))


def test_nothing_new_keeps_the_model_and_says_what_was_seen() -> None:
    kept = decision(score=AS_BEFORE, labels=1_000)
    assert kept.action == "keep"
    assert kept.reasons == (
        (
            "roc_auc 0.915 (0.9 to 0.93) on 1,000 labelled rows, roc_auc 0.92 (0.91 to 0.93) at "
            "deployment: not proven worse by more than the allowed 2 %"
        ),
        "none of 3 columns drifted (1,000 new rows against 5,000)",
    )


def test_no_rows_keep() -> None:
    assert str(decision(drift=drifted(rows=0))) == (
        "keep: no rows came, so there is nothing to judge"
    )


def test_a_proven_drop_retrains() -> None:
    found = decision(score=DROPPED, labels=1_000)
    assert found.action == "retrain"
    assert found.reasons[0].endswith("proven worse by more than the allowed 2 %")
    assert "roc_auc 0.8 (0.78 to 0.82)" in found.reasons[0]


def test_drift_retrains_when_there_are_labels() -> None:
    found = decision(drift=drifted("age", "hours"), score=AS_BEFORE, labels=1_000)
    assert found.action == "retrain"
    assert found.reasons[0] == (
        "2 of 3 columns drifted: 'age', 'hours' (1,000 new rows against 5,000)"
    )


@pytest.mark.parametrize(
    ("policy", "known", "reason"),
    [
        ({}, {}, "not retrained, because there are 0 of the 200 labels that it needs"),
        ({}, {"labels": 50}, "not retrained, because there are 50 of the 200 labels"),
        (
            {},
            {"labels": 1_000, "quality": quality_of("city")},
            "not retrained, because the data itself is broken ('city'): repair the source",
        ),
    ],
)
def test_what_holds_up_a_retraining_is_said(
    policy: dict[str, Any], known: dict[str, Any], reason: str
) -> None:
    found = decision(Policy(**policy), drift=drifted("age"), **known)
    assert found.action == "keep"
    assert reason in found.reasons[0]
    assert "1 of 3 columns drifted" in found.reasons[1]


def test_broken_data_can_be_overruled() -> None:
    policy = Policy(stop_on_errors=False)
    known = {"drift": drifted("age"), "labels": 1_000, "quality": quality_of("city")}
    assert decision(policy, **known).action == "retrain"


@pytest.mark.parametrize("retrain_on", [(), ("score",)])
def test_drift_that_the_policy_does_not_act_on(retrain_on: tuple[Any, ...]) -> None:
    policy = Policy(retrain_on=retrain_on)
    found = decision(policy, drift=drifted("age"), score=AS_BEFORE, labels=1_000)
    assert found.action == "keep"
    assert any("1 of 3 columns drifted" in reason for reason in found.reasons)


def test_a_drop_that_the_policy_does_not_act_on() -> None:
    policy = Policy(retrain_on=("drift",))
    assert decision(policy, score=DROPPED, labels=1_000).action == "keep"


def test_drift_of_few_rows_is_told_but_not_acted_on() -> None:
    found = decision(drift=drifted("age", rows=40), score=AS_BEFORE, labels=1_000)
    assert found.action == "keep"
    assert found.reasons[1].endswith("too few to act on (100 are needed)")


def test_few_labels_do_not_judge() -> None:
    found = decision(score=DROPPED, labels=30)
    assert found.action == "keep"
    assert found.reasons[0].endswith("under 200 labels this is not judged")


def test_without_a_recorded_score_nothing_can_drop() -> None:
    found = decision(score=DROPPED, labels=1_000, deployed=None)
    assert found.action == "keep"
    assert found.reasons[0].endswith("no roc_auc was recorded at deployment")


def test_scores_of_different_metrics_are_not_compared() -> None:
    accuracy = Score("accuracy", 0.80, 0.78, 0.82, 1_000)
    found = decision(score=accuracy, labels=1_000)
    assert found.action == "keep"
    assert found.reasons[0].endswith("no accuracy was recorded at deployment")


def test_a_champion_proven_worse_than_the_release_before_is_rolled_back() -> None:
    found = decision(score=DROPPED, labels=1_000, drift=drifted("age"), previous=compared("worse"))
    assert found.action == "rollback"
    assert found.reasons[0] == (
        "the champion does worse than the release before it on the same 1,000 labelled rows: "
        "roc_auc 0.88 against 0.91, difference -0.03 (-0.04 to -0.02)"
    )
    assert len(found.reasons) == 3


@pytest.mark.parametrize(
    ("policy", "verdict", "labels"),
    [
        ({}, "better", 1_000),
        ({}, "not enough data to tell", 1_000),
        ({}, "worse", 50),
        ({"rollback": False}, "worse", 1_000),
    ],
)
def test_what_does_not_roll_back(policy: dict[str, Any], verdict: str, labels: int) -> None:
    found = decision(Policy(**policy), score=AS_BEFORE, labels=labels, previous=compared(verdict))
    assert found.action == "keep"


@pytest.mark.parametrize(
    ("verdict", "action", "words"),
    [
        ("better", "promote", "the retrained model proves better on 300 rows kept for judging"),
        ("worse", "keep", "the retrained model proves worse on"),
        ("not enough data to tell", "keep", "the retrained model is not proven better on"),
        ("no relevant difference", "keep", "the retrained model is not proven better on"),
    ],
)
def test_only_a_proven_challenger_is_promoted(verdict: str, action: str, words: str) -> None:
    found = judge(compared(verdict, 0.03), rows=300)
    assert found.action == action
    assert found.reasons[0].startswith(words)
    assert "difference +0.03 (+0.02 to +0.04)" in found.reasons[0]


def test_round_trip_through_json() -> None:
    policy = Policy(retrain_on=("drift",), gate="random", min_labels=7)
    assert Policy.from_dict(json.loads(json.dumps(policy.to_dict()))) == policy


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"false_alarm_rate": 0}, "false_alarm_rate must be over 0 and under 1, received 0"),
        ({"gate_confidence": 1}, "gate_confidence must be over 0 and under 1, received 1"),
        ({"min_labels": -1}, "min_labels must not be negative, received -1"),
        ({"retrain_on": ("scores",)}, "received 'scores'; did you mean 'score'"),
        ({"smallest_effect": 1.0}, "smallest_effect is a distance and must be under 1, received 1"),
        ({"gate": "newest"}, "gate knows latest, random, received 'newest'"),
        ({"smallest_effect": float("nan")}, "smallest_effect must not be negative, received nan"),
    ],
)
def test_rules_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Policy(**settings)


def test_an_unknown_rule_names_the_nearest() -> None:
    with pytest.raises(SettingError, match="received 'min_label'; did you mean 'min_labels'"):
        Policy.from_dict({"min_label": 3})
