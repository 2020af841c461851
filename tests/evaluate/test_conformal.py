from __future__ import annotations

from typing import TYPE_CHECKING

import headrace as hr
from headrace.evaluate.conformal import calibrate

if TYPE_CHECKING:
    import polars as pl


def test_the_result_says_how_far_each_group_reaches(
    graded: hr.Pipeline, spare: pl.DataFrame
) -> None:
    fitted, result = calibrate(graded.fitted, spare, by=["member", "grade"], least=80)
    assert fitted.conformal["grade"].rows == result.rows == 700
    assert result.methods == {"grade": "lac"}
    assert [one.group for one in result.reaches][:2] == [
        "member false, grade 0",
        "member false, grade 1",
    ]
    text = result.summary()
    assert text.startswith("700 calibration rows; grade: lac, reach in probability that is missing")
    assert "*" in text
    assert "are too small to be judged by their own rows alone and get the widest of all" in text
    assert len(result.to_dict()["reaches"]) == 6


def test_a_reach_without_end_is_shown_as_such(regression: hr.Pipeline, spare: pl.DataFrame) -> None:
    _, result = calibrate(regression.fitted, spare.head(30))
    assert "no end" in result.summary()
    assert "too few for the level 0.99, which needs 99 at least" in result.summary()
    assert result.to_dict()["reaches"][0]["reach"][3] is None
    assert "<table" in result._repr_html_()


def test_rows_of_small_groups_are_counted(regression: hr.Pipeline, spare: pl.DataFrame) -> None:
    _, result = calibrate(regression.fitted, spare, by="job", least=100, fallback="pooled")
    small = [note for note in result.notes if "are in groups of fewer than 100" in note]
    assert len(small) == 1
    assert "get those of all rows together" in small[0]


def test_a_settings_object_says_the_same(regression: hr.Pipeline, spare: pl.DataFrame) -> None:
    _, first = calibrate(regression.fitted, spare, hr.Conformal(by="member"))
    _, second = calibrate(regression.fitted, spare, by="member")
    assert first == second
