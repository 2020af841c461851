from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.deploy import stream
from headrace.deploy.runtime import Runtime
from headrace.deploy.stream import score
from headrace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.deploy.release import Release


@pytest.fixture(scope="module")
def price(price_release: Release) -> Runtime:
    return Runtime(price_release.path)


def scored(runtime: Runtime, *lines: str | bytes, **settings: Any) -> list[dict[str, Any]]:
    out = io.BytesIO()
    count = score(runtime, lines, out, **settings)
    answers = [json.loads(line) for line in out.getvalue().splitlines()]
    assert count.lines == len(answers) == len(lines)
    assert count.errors == sum("error" in answer for answer in answers)
    return answers


def test_one_answer_a_line_in_order(price: Runtime) -> None:
    lines = [json.dumps({"area": area, "new": area % 2}) for area in range(50)]
    expected = [{"prediction": 2.0 * area + area % 2} for area in range(50)]
    for batch in (1, 7, 1024):
        assert scored(price, *lines, batch=batch) == expected


def test_classes_come_with_their_probabilities(
    wide_release: Release, wide_row: Callable[[int], dict[str, Any]]
) -> None:
    runtime = Runtime(wide_release.path)
    (answer,) = scored(runtime, json.dumps(wide_row(0)) + "\n")
    assert answer["prediction"] == runtime.predict(wide_row(0))[0]
    assert answer["probabilities"] == runtime.predict_proba(wide_row(0))[0].tolist()


GOOD = '{"area": 1, "new": true}'


@pytest.mark.parametrize(
    ("line", "text"),
    [("", "the line is empty"), ("  \t", "the line is empty"), ("{", "expected JSON"),
     ("[1]", "expected a JSON object"), ('{"area": 1, "area": 2}', "given twice"),
     ('{"area": NaN, "new": 1}', "NaN is not"), (b"\xff", "expected UTF-8"),
     ("[" * 100_000, "nested too deeply"), ("\ud800", "expected UTF-8"),
     ('{"area": "big", "new": 1}', "column 'area': expected a number, received 'big'"),
     ('{"area": 1}', "column 'new': the column is missing"),
     ('{"area": 1e999, "new": 1}', "column 'area': expected a finite number")],
)  # fmt: skip
def test_a_bad_line_is_answered_in_its_place_and_the_stream_goes_on(
    price: Runtime, line: str | bytes, text: str
) -> None:
    answers = scored(price, GOOD, GOOD, line, GOOD)
    assert [answer.get("prediction") for answer in answers] == [3.0, 3.0, None, 3.0]
    assert text in answers[2]["error"]
    assert answers[2]["line"] == 3


@settings(max_examples=30, deadline=None)
@given(st.lists(st.booleans(), max_size=40), st.integers(1, 9))
def test_any_mixture_of_good_and_bad_lines(price: Runtime, good: list[bool], batch: int) -> None:
    lines = [GOOD if fine else '{"area": "?!"}' for fine in good]
    answers = scored(price, *lines, batch=batch)
    assert ["prediction" in answer for answer in answers] == good
    assert [a["line"] for a in answers if "line" in a] == [
        place for place, fine in enumerate(good, start=1) if not fine
    ]


def test_unknown_columns_are_ignored_without_a_warning(
    price: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_MOST_NAMES", 5)
    lines = [json.dumps({"area": 1, "new": True, f"note {i}": i}) for i in range(30)]
    assert scored(price, *lines, batch=2) == [{"prediction": 3.0}] * 30


def test_a_batch_has_at_least_one_row(price: Runtime) -> None:
    with pytest.raises(SettingError, match="batch must be 1 or more, received 0"):
        score(price, [], io.BytesIO(), batch=0)


class Pieces(io.RawIOBase):
    """A stream that arrives in given pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)

    def readable(self) -> bool:
        return True

    def read1(self, size: int = -1) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 200), max_size=8), st.booleans())
def test_lines_are_put_together_however_they_arrive(
    price: Runtime, cuts: list[int], ended: bool
) -> None:
    data = f'{GOOD}\n{{"area": "é"}}\n\n{GOOD}'.encode() + b"\n" * ended
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[a:b] for a, b in pairwise(places)]
    out = io.BytesIO()
    count = score(price, Pieces(*pieces), out)
    assert (count.lines, count.errors) == (4, 2)
    answers = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [answer.get("prediction") for answer in answers] == [3.0, None, None, 3.0]


def test_a_line_without_end_is_an_error_and_is_not_kept(
    price: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_LONGEST_LINE", 1000)
    endless = [b"x" * 600] * 50
    out = io.BytesIO()
    source = Pieces(GOOD.encode() + b"\n", *endless, b"\n" + GOOD.encode() + b"\n", *endless)
    assert score(price, source, out).errors == 2
    answers = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [answer.get("prediction") for answer in answers] == [3.0, None, 3.0, None]
    assert answers[1] == {"error": "the line is longer than 1,000 bytes", "line": 2}
    assert "longer" in scored(price, "x" * 1001)[0]["error"]


PROGRAM = """
import sys
from headrace.deploy.stream import score

score(sys.argv[1], sys.stdin.buffer, sys.stdout.buffer)
assert not {"tensorflow", "polars", "pandas", "starlette"} & set(sys.modules)
"""


def test_a_pipe_is_answered_line_by_line_while_it_is_open(price_release: Release) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", PROGRAM, str(price_release.path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(3):
            process.stdin.write(GOOD.encode() + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline()) == {"prediction": 3.0}
        process.stdin.close()
        assert process.stdout.read() == b""
    assert process.returncode == 0
