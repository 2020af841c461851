from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from headrace.data import files
from headrace.data.files import from_paths
from headrace.data.scan import collect
from headrace.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def load(*paths: str | Path) -> dict[str, list[Any]]:
    return collect(from_paths(paths)).to_dict(as_series=False)


@pytest.fixture(params=["read at once", "scanned"])
def both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Small files are read at once and large ones scanned; both must do the same."""
    if request.param == "scanned":
        monkeypatch.setattr(files, "EAGER_BYTES", -1)
    return str(request.param)


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a,b\n007,1e400\n1_0,nan\n", {"a": ["007", "1_0"], "b": ["1e400", "nan"]}),
        ("a,b\r\n1,\r\n", {"a": ["1"], "b": [None]}),
        ("\ufeffa,b\n1,2\n", {"a": ["1"], "b": ["2"]}),
        ("a;b\n1,5;2\n", {"a": ["1,5"], "b": ["2"]}),
        ("a|b\n1|2\n", {"a": ["1"], "b": ["2"]}),
        ("a\tb\n1\t2\n", {"a": ["1"], "b": ["2"]}),
        ('"x;y"\n1\n', {"x;y": ["1"]}),
        ('"a\nb","c""d"\n1,"x\ny"\n', {"a\nb": ["1"], 'c"d': ["x\ny"]}),
        ("Größe,年龄\nä,八\n", {"Größe": ["ä"], "年龄": ["八"]}),
        ("a, b\n 1 , 2\n", {"a": [" 1 "], " b": [" 2"]}),
        ("\n\na,b\n1,2", {"a": ["1"], "b": ["2"]}),
        ("a\n1\n", {"a": ["1"]}),
        (",b\n0,2\n", {"": ["0"], "b": ["2"]}),
        ("12345678901234567890123,b\n1,2\n", {"12345678901234567890123": ["1"], "b": ["2"]}),
    ],
)
def test_csv_is_read_as_text_without_loss(
    tmp_path: Path, content: str, expected: dict[str, Any]
) -> None:
    assert load(write(tmp_path, "t.csv", content)) == expected
    zipped = write(tmp_path, "t.csv.gz", gzip.compress(content.encode()))
    assert load(zipped) == expected


def test_tab_separated_files(tmp_path: Path) -> None:
    assert load(write(tmp_path, "t.tsv", "a,b\tc\n1\t2\n")) == {"a,b": ["1"], "c": ["2"]}


def test_zstandard(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.zst"
    pl.DataFrame({"a": [1], "b": [None]}).lazy().sink_csv(path, compression="zstd")
    assert load(path) == {"a": ["1"], "b": [None]}


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    path = write(tmp_path, "t.csv", "a,b\n\n1,2\n\n,\n3,\n\n")
    assert load(path) == {"a": ["1", None, "3"], "b": ["2", None, None]}
    assert load(write(tmp_path, "one.csv", "a\n1\n\n3\n")) == {"a": ["1", None, "3"]}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("a,b,c\n1,2,3\n4,5\n6\n7,,\n", "row 1: 't.csv': expected 3 fields, received 2; 1 more too short"),
        ("a,b\n1,2,3\n", "'t.csv': a row has more fields than the header. Quote fields"),
        ('a,b\n1,"x\n3,4\n', "'t.csv': a quoted field is not closed. Look for a lone"),
        ("", "'t.csv' is empty. Expected a line of names"),
        ("\n\n", "'t.csv' is empty. Expected a line of names"),
        ("a,b,a\n1,2,3\n", "column 'a': 2 columns have this name. Rename them"),
        ("0,1,0\n1,2,3\n", "column '0': 2 columns have this name. Does the file lack a line of names"),
        ("a,,\n1,2,3\n", "column '': 2 columns have this name"),
        (b"a,b\nx,y\n1,\xe9t\xe9\n", r"'t.csv' is not UTF-8: byte 10 .line 3. is 0xe9. Save it as UTF-8.*iconv -f latin-1"),
        (b"\xe9,b\n1,2\n", "is not UTF-8: byte 0 .line 1. is 0xe9"),
        ("a,b\n1,2\n".encode("utf-16"), "is not UTF-8: byte 0 .line 1..*iconv -f utf-16"),
        (b"a,b\n1,2\n\xe2\x82", "is not UTF-8: byte 8 .line 3. is 0xe2"),
    ],
)  # fmt: skip
def test_damaged_csv_is_refused_in_words(tmp_path: Path, content: str | bytes, text: str) -> None:
    with pytest.raises(DataError, match=text):
        load(write(tmp_path, "t.csv", content))


@pytest.mark.parametrize("content", ["a,b\n1,2,3\n", b"a,b\nx,y\n1,\xe9t\xe9\n"])
def test_damage_in_a_large_file_is_said_when_it_is_met(
    tmp_path: Path, content: str | bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "EAGER_BYTES", -1)
    with pytest.raises(
        DataError, match="'t.csv': a row has more|'t.csv' is not UTF-8: byte 10 .line 3."
    ):
        load(write(tmp_path, "t.csv", content))


@pytest.mark.usefixtures("both_ways")
def test_a_truncated_or_altered_gzip_file_is_refused(tmp_path: Path) -> None:
    rows = "".join(f"{i},{i * 7}\n" for i in range(20_000))
    whole = gzip.compress(f"a,b\n{rows}".encode())
    assert len(load(write(tmp_path, "t.csv.gz", whole))["a"]) == 20_000
    for damaged in (whole[: len(whole) // 2], whole[:-8] + b"\0\0\0\0" + whole[-4:], whole[:5]):
        with pytest.raises(DataError, match="cut off or damaged|is empty"):
            load(write(tmp_path, "t.csv.gz", damaged))


def test_paths_that_are_not_there(tmp_path: Path) -> None:
    write(tmp_path, "adult.csv", "a\n1\n")
    with pytest.raises(
        DataError, match=r"there is no file '.*adlt\.csv'\. Did you mean '.*adult\.csv'\?"
    ):
        load(tmp_path / "adlt.csv")
    with pytest.raises(DataError, match="and no folder '.*nowhere'"):
        load(tmp_path / "nowhere" / "a.csv")
    with pytest.raises(DataError, match=r"no file matches the pattern '.*\*\.parquet'"):
        load(tmp_path / "*.parquet")
    with pytest.raises(DataError, match="received the address 's3://bucket/a.csv'. Download it"):
        load("s3://bucket/a.csv")
    with pytest.raises(
        DataError, match="'t.xlsx' is of no known format. Known are .arrow, .arrows, .csv"
    ):
        load(write(tmp_path, "t.xlsx", b"x"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="the folder '.*empty' holds no file of a known format"):
        load(tmp_path / "empty")


def test_many_files(tmp_path: Path) -> None:
    for i in range(3):
        write(tmp_path, f"part {i}.csv", f"a,b\n{i},x\n")
    write(tmp_path, ".hidden.csv", "z\n1\n")
    write(tmp_path, "_SUCCESS", "")
    expected = {"a": ["0", "1", "2"], "b": ["x", "x", "x"]}
    assert load(tmp_path / "part*.csv") == expected
    assert load(tmp_path) == expected
    assert load(*sorted(tmp_path.glob("part*"))) == expected
    literal = write(tmp_path, "odd[1].csv", "a\n1\n")
    assert load(literal) == {"a": ["1"]}
    write(tmp_path, "part 3.csv", "b,a\n1,2\n")
    with pytest.raises(
        DataError, match=r"the columns of 'part 3.csv' differ from those of 'part 0.csv'"
    ):
        load(tmp_path / "part*.csv")
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "part 4.parquet")
    with pytest.raises(DataError, match="the files are of several formats: CSV, Parquet"):
        load(tmp_path / "part*")


def test_a_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path, "t.csv", "a\n1\n")
    assert load("~/t.csv") == {"a": ["1"]}


@pytest.mark.parametrize("suffix", ["parquet", "pq", "arrow", "feather", "ipc", "arrows"])
def test_columnar_formats(tmp_path: Path, suffix: str) -> None:
    frame = pl.DataFrame({"a": [1, 2], "Größe": ["x", None]})
    path = tmp_path / f"t.{suffix}"
    if suffix in ("parquet", "pq"):
        frame.write_parquet(path)
    elif suffix == "arrows":
        frame.write_ipc_stream(path)
    else:
        frame.write_ipc(path)
    assert load(path) == frame.to_dict(as_series=False)


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_a_damaged_columnar_file(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path, f"t.{suffix}", b"PAR1" + b"rubbish" * 20)
    with pytest.raises(
        DataError, match=f"'t.{suffix}': the file is cut off or damaged, or not of the"
    ):
        load(path)


@pytest.mark.usefixtures("both_ways")
def test_ndjson(tmp_path: Path) -> None:
    rows = [{"a": 1, "b": "ü"}, {"b": None}, {"a": 3, "b": "x"}]
    path = write(tmp_path, "t.ndjson", "\n".join(map(json.dumps, rows)))
    assert load(path) == {"a": [1, None, 3], "b": ["ü", None, "x"]}


def test_ndjson_keeps_mixtures_and_large_integers(tmp_path: Path) -> None:
    content = '{"a":1,"b":9007199254740993}\n\n{"a":"z","b":12345678901234567890123}\n{"a":2.5}\n'
    path = write(tmp_path, "t.jsonl.gz", gzip.compress(content.encode()))
    expected = {"a": ["1", "z", "2.5"], "b": [9007199254740993, 12345678901234567890123, None]}
    assert load(path) == expected


def test_json_records_and_json_columns(tmp_path: Path) -> None:
    expected = {"a": [1, 2], "b": ["x", None]}
    assert load(write(tmp_path, "r.json", '[{"a":1,"b":"x"},{"a":2}]')) == expected
    assert load(write(tmp_path, "c.json", json.dumps(expected))) == expected


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("t.ndjson", '{"a":1}\n{"a":\n', r"'t.ndjson': line 2 is not valid JSON: Expecting value"),
        (
            "t.ndjson",
            '{"a":1}\n[1]\n',
            r"'t.ndjson', line 2: expected a JSON object, received \[1\]",
        ),
        ("t.ndjson", b'{"a":"\xe9"}\n', "'t.ndjson' is not UTF-8: byte 6"),
        ("t.json", "5", "'t.json': expected an array of objects, or an object of arrays"),
        ("t.json", "[1]", "'t.json': expected an array of objects"),
        ("t.json", "{", "'t.json': the file is not valid JSON"),
    ],
)
def test_damaged_json(tmp_path: Path, name: str, content: str | bytes, text: str) -> None:
    with pytest.raises(DataError, match=text):
        load(write(tmp_path, name, content))


def test_large_files_stay_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "EAGER_BYTES", 10)
    path = write(tmp_path, "t.csv", "a,b\n" + "1,2\n" * 10)
    assert "SCAN" in from_paths([path]).explain()
    monkeypatch.setattr(files, "EAGER_BYTES", 1000)
    assert "SCAN" not in from_paths([path]).explain()
