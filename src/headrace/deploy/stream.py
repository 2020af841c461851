"""Scoring lines: one JSON object in, one JSON object out, in order, without end.

    headrace score models/income < rows.jsonl > answers.jsonl

A line that cannot be answered gets `{"error": …, "line": n}` in its place, and the stream goes on.
Lines are answered together, as many as have arrived: a file in large batches, a person or a slow
source line by line.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

import msgspec

from headrace.data.rows import RowDoor
from headrace.deploy.body import Refusal, decode
from headrace.deploy.runtime import Runtime, by_row
from headrace.errors import DataError, SettingError
from headrace.model.predicted import interval_notes
from headrace.model.targets import Targets

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from headrace.data.rows import Blocks

__all__ = ["StreamCount", "score"]

_CHUNK = 1 << 18
_LONGEST_LINE = 16 << 20
_MOST_NAMES = 10_000

_encode_lines = msgspec.json.Encoder().encode_lines


@dataclass(frozen=True)
class StreamCount:
    """How many lines were answered, and how many of them with an error."""

    lines: int
    errors: int


@runtime_checkable
class _Arriving(Protocol):
    """A stream that can say what has arrived, such as `sys.stdin.buffer`."""

    def read1(self, size: int = -1, /) -> bytes: ...


@dataclass(frozen=True)
class _Line:
    """A line with its number, and the row in it or what is wrong with it."""

    number: int
    row: dict[str, Any] | None
    error: str = ""


def score(
    path: str | os.PathLike[str] | Runtime,
    lines_in: IO[bytes] | Iterable[str | bytes],
    lines_out: IO[bytes],
    *,
    batch: int = 1024,
    interval: float | None = None,
) -> StreamCount:
    """Answer JSON lines until there are no more.

    Each answer holds `prediction`, and `probabilities` where there are classes.

    Args:
        path: A release folder, a registry, or a `Runtime`.
        lines_in: A binary stream, or any iterable of lines. Lines of more than 16 MiB are errors.
        lines_out: A binary stream; it is flushed after each batch.
        batch: The largest number of rows that are answered together.
        interval: The level of an interval (`low`, `high`; null for no end) or a `set` in each
            answer; None for none.

    Returns:
        How many lines were answered, with how many errors.

    Raises:
        SettingError: `batch` is not positive, or the release has no intervals of this level.
    """
    if batch < 1:
        raise SettingError(f"batch must be 1 or more, received {batch}")
    scorer = _Scorer(path if isinstance(path, Runtime) else Runtime(path), interval)
    lines = errors = 0
    for group in _groups(lines_in, batch):
        read = [_read(text, lines + place) for place, text in enumerate(group, start=1)]
        answers = scorer.answers(read)
        lines_out.write(_encode_lines(answers))
        lines_out.flush()
        lines += len(group)
        errors += sum("error" in answer for answer in answers)
    return StreamCount(lines, errors)


class _Scorer:
    """Answers groups of lines."""

    def __init__(self, runtime: Runtime, interval: float | None) -> None:
        self.runtime = runtime
        self._interval = interval
        if interval is not None:
            for note in interval_notes(runtime.conformal, runtime.target, interval):
                warnings.warn(note, stacklevel=3)
        self._known = set(runtime.schema.names)
        self._door = runtime.door

    def answers(self, lines: list[_Line]) -> list[dict[str, Any]]:
        """Answer each line, in order."""
        self._learn_unknown(lines)
        good = [line for line in lines if line.row is not None]
        found = iter(self._rows(good))
        return [next(found) if line.row is not None else _error(line) for line in lines]

    def _rows(self, lines: list[_Line]) -> list[dict[str, Any]]:
        """Answer lines that hold a row; a group with a bad row is halved until it stands alone."""
        if not lines:
            return []
        try:
            blocks = self._door([cast("dict[str, Any]", line.row) for line in lines])
        except DataError as error:
            if len(lines) == 1:
                return [_error(replace(lines[0], error=_text(error)))]
            half = len(lines) // 2
            return self._rows(lines[:half]) + self._rows(lines[half:])
        answers = self.runtime.answers(blocks)
        both = zip(self._found(answers), self._ends(answers, blocks), strict=True)
        return [found | ends for found, ends in both]

    def _ends(self, answers: dict[str, NDArray[Any]], blocks: Blocks) -> list[dict[str, Any]]:
        """Answer the interval or set of each row; nothing where none are asked for."""
        if self._interval is None:
            return [{}] * len(blocks.numbers)
        return by_row(self.runtime.ends(answers, self._interval, blocks))

    def _found(self, answers: dict[str, NDArray[Any]]) -> list[dict[str, Any]]:
        """Answer the prediction of each row, and what is known of its spread."""
        if isinstance(self.runtime.target, Targets):
            return _of_several(self.runtime, self.runtime.target, answers)
        output = answers[self.runtime.answer_names[0]]
        predictions = self.runtime.decode(output).tolist()
        if not self.runtime.classes:
            return _with_distribution(self.runtime, predictions, answers)
        return [
            {"prediction": label, "probabilities": row}
            for label, row in zip(predictions, output.tolist(), strict=True)
        ]

    def _learn_unknown(self, lines: list[_Line]) -> None:
        """Take a door that knows the columns which the release does not; they are ignored."""
        found = set[str]().union(
            *(line.row.keys() for line in lines if line.row and not line.row.keys() <= self._known)
        )
        if not found:
            return
        names = self.runtime.schema.names
        # A source that makes up new names for ever must not fill the memory.
        kept = self._known if len(self._known) < _MOST_NAMES else set(names)
        self._known = kept | found
        self._door = RowDoor(self.runtime.schema, ignore=self._known)


def _with_distribution(
    runtime: Runtime, predictions: list[Any], answers: dict[str, NDArray[Any]]
) -> list[dict[str, Any]]:
    """Answer values or clusters, with each row's distribution where the network answers one."""
    if len(answers) == 1:
        return [{"prediction": value} for value in predictions]
    rows = by_row(runtime.distribution(answers))
    return [
        {"prediction": value, "distribution": row}
        for value, row in zip(predictions, rows, strict=True)
    ]


def _of_several(
    runtime: Runtime, targets: Targets, answers: dict[str, NDArray[Any]]
) -> list[dict[str, Any]]:
    predictions = by_row(targets.decode_answers(answers))
    return _with_distribution(runtime, predictions, answers)


def _read(text: bytes | None, number: int) -> _Line:
    if text is None:
        return _Line(number, None, f"the line is longer than {_LONGEST_LINE:,} bytes")
    if not text.strip():
        return _Line(number, None, "the line is empty")
    try:
        row = decode(text)
    except Refusal as refusal:
        return _Line(number, None, str(refusal))
    if not isinstance(row, dict):
        return _Line(number, None, "expected a JSON object, one row")
    return _Line(number, row)


def _error(line: _Line) -> dict[str, Any]:
    return {"error": line.error, "line": line.number}


def _text(error: DataError) -> str:
    """Say what is wrong with the only row; its number means nothing in a stream."""
    return "; ".join(str(replace(problem, row=None)) for problem in error.problems)


def _groups(source: IO[bytes] | Iterable[str | bytes], batch: int) -> Iterator[list[bytes | None]]:
    """Answer the lines in groups, as they arrive; None stands for a line that is too long."""
    lines = _arriving(source) if isinstance(source, _Arriving) else _listed(source, batch)
    for group in lines:
        for start in range(0, len(group), batch):
            yield group[start : start + batch]


def _listed(source: Iterable[str | bytes], batch: int) -> Iterator[list[bytes | None]]:
    lines = iter(source)
    while group := list(islice(lines, batch)):
        texts = [_utf8(line) if isinstance(line, str) else line for line in group]
        yield [text if len(text) <= _LONGEST_LINE else None for text in texts]


def _utf8(line: str) -> bytes:
    # Half a surrogate pair becomes bytes that are not UTF-8, and the line an error.
    return line.encode("utf-8", "surrogatepass")


def _arriving(source: _Arriving) -> Iterator[list[bytes | None]]:
    """Split what has arrived into lines; the piece behind the last line feed waits for more."""
    pieces: list[bytes] = []
    size = 0
    while chunk := source.read1(_CHUNK):
        *whole, rest = chunk.split(b"\n")
        lines: list[bytes | None] = list(whole)
        if whole:
            lines[0] = _joined(pieces, size, whole[0])
            pieces, size = [], 0
            yield lines
        size += len(rest)
        if size <= _LONGEST_LINE:
            pieces.append(rest)
        else:  # what is too long is not kept
            pieces.clear()
    if size:
        yield [_joined(pieces, size, b"")]


def _joined(pieces: list[bytes], size: int, last: bytes) -> bytes | None:
    return b"".join([*pieces, last]) if size + len(last) <= _LONGEST_LINE else None
