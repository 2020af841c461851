from __future__ import annotations

import json

from headrace.maintain.drift import DriftReport
from headrace.maintain.finding import Finding
from headrace.maintain.policy import Decision
from headrace.maintain.quality import QualityReport
from headrace.maintain.result import MaintainResult
from headrace.maintain.score import Score

DRIFT = DriftReport(1_200, 5_000, (), 0.01, 0.05, 0.1)
CLEAN = QualityReport(1_200, 3, (), 0.1)


def test_a_kept_model_in_words() -> None:
    result = MaintainResult(
        Decision("keep", ("none of 3 columns drifted", "roc_auc 0.9 (0.88 to 0.92) is fine")),
        DRIFT,
        CLEAN,
        labels=1_000,
        before="3f9a",
        after="3f9a",
        seconds=0.26,
    )
    assert result.summary() == (
        "Kept: the model stays as it is (3f9a)\n"
        "  - None of 3 columns drifted\n"
        "  - roc_auc 0.9 (0.88 to 0.92) is fine\n"
        "\n"
        "Drift: none of no columns drifted (1,200 new rows against 5,000)\n"
        "no tests; the chance of even one false alarm in this report is at most 1 % (Holm); "
        "changes under 0.05 Jensen–Shannon distance raise none\n"
        "\n"
        "1,200 new rows, 1,000 labels, 0.3 s"
    )


def test_the_action_and_the_reasons_are_at_hand() -> None:
    result = MaintainResult(
        Decision("rollback", ("worse",)), DRIFT, CLEAN, before="new", after="old"
    )
    assert (result.action, result.reasons) == ("rollback", ("worse",))
    assert result.summary().startswith(
        "Rolled back: the release before is in place again (new → old)\n  - Worse\n"
    )


def test_what_is_wrong_with_the_data_is_told() -> None:
    gone = Finding("column gone", "error", "age", 1_200, "the column is gone")
    result = MaintainResult(
        Decision("keep", ("repair the source",)), DRIFT, QualityReport(1_200, 3, (gone,), 0.1)
    )
    assert "  error    'age': the column is gone" in result.summary()
    assert "Kept: the model stays as it is\n" in result.summary()


def test_plain_values() -> None:
    score = Score("rmse", 3.0, 2.0, 4.0, 100, higher_is_better=False)
    result = MaintainResult(Decision("keep", ("fine",)), DRIFT, CLEAN, score=score)
    plain = result.to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["score"]["higher_is_better"] is False
    assert plain["challenger"] is None
