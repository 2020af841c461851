"""Tables held in files: CSV, Parquet, NDJSON, JSON and Arrow IPC, one file or many."""

from __future__ import annotations

import csv
import glob
import gzip
import io
import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from headrace.data.objects import from_columns, from_rows, unique_names
from headrace.data.scan import raise_unreadable
from headrace.errors import DataError, Problem, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["EAGER_BYTES", "from_paths", "list_files"]

EAGER_BYTES = 64 * 2**20
"""Text files up to this size together are read at once; larger ones stay on disk."""

_COMPRESSIONS = (".gz", ".zst", ".zlib")
_SEPARATORS = (",", ";", "\t", "|")
_HEADER_LINES = 50


def from_paths(paths: Sequence[str | Path]) -> pl.LazyFrame:
    """Make a lazy table of files.

    Args:
        paths: Files, folders and patterns such as `data/*.parquet`; the files must be of one
            format and, stacked in the order given, of one set of columns.

    Raises:
        DataError: A path that is not there (the nearest is named), an unknown or a mixed format,
            or a file that cannot be read.
    """
    kind, files = list_files(paths)
    try:
        frame = _READERS[kind](files)
        unique_names(frame.collect_schema().names())
    except (pl.exceptions.PolarsError, OSError) as error:
        raise_unreadable(error, files)
    return frame


def list_files(paths: Sequence[str | Path]) -> tuple[str, list[Path]]:
    """Answer the format and the files, in order, that paths stand for.

    Raises:
        DataError: A path that is not there, or an unknown or a mixed format.
    """
    files = [file for path in paths for file in _expand(path)]
    formats = {_format(file) for file in files}
    if len(formats) > 1:
        listed = ", ".join(sorted(formats))
        raise DataError([Problem(f"the files are of several formats: {listed}")])
    return formats.pop(), files


def _expand(path: str | Path) -> list[Path]:
    """Answer the files that a path stands for."""
    text = str(path)
    if "://" in text:
        hint = "Download it, or give a Polars scan of it: pl.scan_parquet(address)"
        raise DataError([Problem(f"expected a path, received the address {text!r}", hint=hint)])
    place = Path(text).expanduser()
    if place.is_file():
        return [place]
    if place.is_dir():
        return _folder(place)
    if glob.has_magic(text):
        found = sorted(Path(match) for match in glob.glob(str(place), recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
        if files := [match for match in found if match.is_file()]:
            return files
        raise DataError([Problem(f"no file matches the pattern {text!r}")])
    raise DataError([_no_file(place)])


def _folder(folder: Path) -> list[Path]:
    inside = sorted(path for path in folder.rglob("*") if path.is_file())
    files = [path for path in inside if path.name[0] not in "._" and _suffix(path) in _SUFFIXES]
    if not files:
        text = f"the folder {str(folder)!r} holds no file of a known format"
        raise DataError([Problem(text, hint=_known_formats())])
    return files


def _no_file(path: Path) -> Problem:
    folder = path.parent
    if not folder.is_dir():
        return Problem(f"there is no file {str(path)!r}, and no folder {str(folder)!r}")
    meant = nearest(path.name, [other.name for other in folder.iterdir()])
    hint = f"Did you mean {str(folder / meant)!r}?" if meant else None
    return Problem(f"there is no file {str(path)!r}", hint=hint)


def _suffix(path: Path) -> str:
    name = path.name.lower()
    for compression in _COMPRESSIONS:
        name = name.removesuffix(compression)
    return Path(name).suffix


def _format(path: Path) -> str:
    suffix = _suffix(path)
    if suffix not in _SUFFIXES:
        raise DataError([Problem(f"{path.name!r} is of no known format", hint=_known_formats())])
    return _SUFFIXES[suffix]


def _known_formats() -> str:
    return f"Known are {', '.join(sorted(_SUFFIXES))}; text formats also with .gz and .zst"


def _is_small(files: Sequence[Path]) -> bool:
    return sum(file.stat().st_size for file in files) <= EAGER_BYTES


# ---------------------------------------------------------------- CSV


def _csv(files: Sequence[Path]) -> pl.LazyFrame:
    """Read every column as text: what is a number is decided by the schema, from all values."""
    heads = [_header(file) for file in files]
    for file, (names, _) in zip(files, heads, strict=True):
        if names != heads[0][0]:
            text = f"the columns of {file.name!r} differ from those of {files[0].name!r}"
            raise DataError([Problem(text, value=names, hint=f"Expected {heads[0][0]}")])
    parts = list(zip(files, heads, strict=True))
    if _is_small(files):
        return pl.concat([_read_csv(file, *head) for file, head in parts]).lazy()
    return pl.concat([_scan_csv(file, *head) for file, head in parts])


def _header(file: Path) -> tuple[list[str], str]:
    """Answer a CSV file's column names and its separator."""
    try:
        lines = pl.read_lines(file, n_rows=_HEADER_LINES, glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise_unreadable(error, [file])
    start = "\n".join(line or "" for line in lines.to_series().to_list())
    start = start.removeprefix("\ufeff").lstrip("\r\n")
    if not start:
        raise DataError([Problem(f"{file.name!r} is empty", hint="Expected a line of names")])
    separator = _separator(start, file)
    names = next(csv.reader(io.StringIO(start, newline=""), delimiter=separator))
    return unique_names(names), separator


def _separator(start: str, file: Path) -> str:
    """Answer a comma (a tab for .tsv), or what separates the header if it holds no comma."""
    if _suffix(file) == ".tsv":
        return "\t"
    line = next(csv.reader(io.StringIO(start, newline=""), delimiter="\0"), [""])[0]
    if "," in line or start.startswith('"'):
        return ","
    return next((mark for mark in _SEPARATORS if mark in line), ",")


def _scan_csv(file: Path, names: list[str], separator: str) -> pl.LazyFrame:
    return pl.scan_csv(file, infer_schema=False, separator=separator, new_columns=names, glob=False)


def _read_csv(file: Path, names: list[str], separator: str) -> pl.DataFrame:
    frame = pl.read_csv(
        file, infer_schema=False, separator=separator, new_columns=names, glob=False
    )
    if frame.width > 1 and frame.to_series(-1).null_count():
        return _without_blank_lines(frame, file, separator)
    return frame


def _without_blank_lines(frame: pl.DataFrame, file: Path, separator: str) -> pl.DataFrame:
    """Drop blank lines and refuse short ones; Polars fills both with nulls.

    Only reached when the last column has gaps, since a short row always leaves one there.
    """
    widths = _field_counts(file, separator)
    if widths is None:
        return frame
    widths = widths.slice((widths > 0).arg_max() or 0)[1:]
    if widths.len() != frame.height:  # quoted line breaks that the two readers see differently
        return frame
    short = (widths > 0) & (widths < frame.width)
    if short.any():
        raise DataError([_short_row(file, short, widths, frame.width)])
    return frame.filter(widths > 0)


def _field_counts(file: Path, separator: str) -> pl.Series | None:
    """Answer how many fields each line has, 0 when blank; None when Python cannot read the file."""
    content = _decompressed(file)
    if content is None:
        return None
    records = csv.reader(io.StringIO(content.decode(), newline=""), delimiter=separator)
    try:
        return pl.Series([len(record) for record in records], dtype=pl.UInt32)
    except csv.Error:  # a field longer than it takes
        return None


def _short_row(file: Path, short: pl.Series, widths: pl.Series, width: int) -> Problem:
    row = int(short.arg_max() or 0)
    others = int(short.sum()) - 1
    more = f"; {others:,} more too short" if others else ""
    text = f"{file.name!r}: expected {width} fields, received {widths[row]}{more}"
    return Problem(text, row=row, hint="Write every separator, also behind empty fields")


def _decompressed(file: Path) -> bytes | None:
    """Answer a file's bytes; None for compressions that Python cannot read."""
    if file.name.lower().endswith((".zst", ".zlib")):
        return None
    try:
        raw = gzip.decompress(file.read_bytes()) if _is_gzip(file) else file.read_bytes()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        text = f"{file.name!r}: the compressed file is cut off or damaged ({error})"
        raise DataError([Problem(text, hint="Copy or download it again")]) from error
    return raw.removeprefix(b"\xef\xbb\xbf")


def _is_gzip(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(2) == b"\x1f\x8b"


# ---------------------------------------------------------------- JSON


def _ndjson(files: Sequence[Path]) -> pl.LazyFrame:
    """Read small files value by value, so that mixtures of types are kept; scan large ones."""
    contents = [_decompressed(file) for file in files] if _is_small(files) else [None]
    if any(content is None for content in contents):
        return pl.scan_ndjson([glob.escape(str(file)) for file in files], infer_schema_length=None)
    rows = [
        row
        for file, content in zip(files, contents, strict=True)
        for row in _json_lines(file, content or b"")
    ]
    return from_rows(rows).lazy()


def _json_lines(file: Path, content: bytes) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(_text(file, content).splitlines(), start=1):
        if not line.strip():
            continue
        row = _parsed(file, line, f"line {number:,}")
        if not isinstance(row, dict):
            text = f"{file.name!r}, line {number:,}: expected a JSON object"
            raise DataError([Problem(text, value=row)])
        rows.append(row)
    return rows


def _json(files: Sequence[Path]) -> pl.LazyFrame:
    """Read an array of objects, or an object of arrays."""
    frames = []
    for file in files:
        held = _parsed(file, _text(file, _decompressed(file) or b""), "the file")
        if isinstance(held, list) and all(isinstance(row, dict) for row in held):
            frames.append(from_rows(held))
        elif isinstance(held, dict) and all(isinstance(v, list) for v in held.values()):
            frames.append(from_columns(held))
        else:
            text = f"{file.name!r}: expected an array of objects, or an object of arrays"
            raise DataError([Problem(text)])
    return pl.concat(frames, how="vertical_relaxed").lazy()


def _text(file: Path, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise_unreadable(ValueError(f"invalid utf-8: {error}"), [file])


def _parsed(file: Path, text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        problem = Problem(
            f"{file.name!r}: {place} is not valid JSON: {error.msg} (column {error.colno})"
        )
        raise DataError([problem]) from error


# ---------------------------------------------------------------- columnar formats


def _parquet(files: Sequence[Path]) -> pl.LazyFrame:
    return pl.scan_parquet(list(files), glob=False)


def _ipc(files: Sequence[Path]) -> pl.LazyFrame:
    return pl.scan_ipc(list(files), glob=False)


def _ipc_stream(files: Sequence[Path]) -> pl.LazyFrame:
    return pl.concat([pl.read_ipc_stream(file) for file in files]).lazy()


_SUFFIXES = {
    ".csv": "CSV",
    ".tsv": "CSV",
    ".txt": "CSV",
    ".parquet": "Parquet",
    ".pq": "Parquet",
    ".ndjson": "NDJSON",
    ".jsonl": "NDJSON",
    ".json": "JSON",
    ".arrow": "Arrow IPC",
    ".feather": "Arrow IPC",
    ".ipc": "Arrow IPC",
    ".arrows": "Arrow IPC stream",
}
_READERS: dict[str, Callable[[Sequence[Path]], pl.LazyFrame]] = {
    "CSV": _csv,
    "Parquet": _parquet,
    "NDJSON": _ndjson,
    "JSON": _json,
    "Arrow IPC": _ipc,
    "Arrow IPC stream": _ipc_stream,
}
