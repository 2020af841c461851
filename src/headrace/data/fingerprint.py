"""What a table is known by: a hash that changes when its files do."""

from __future__ import annotations

import hashlib
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from headrace.data.scan import in_memory
from headrace.storage.documents import canonical_json

if TYPE_CHECKING:
    import polars as pl

__all__ = ["fingerprint"]


def fingerprint(lazy: pl.LazyFrame) -> str:
    """Answer a hash of a lazy table, without reading it where it is in files.

    Files are known by path, size and time of change; what is done to them by the query's plan. A
    table in memory is known by the hashes of its rows.

    Args:
        lazy: The table, as `headrace.data.source.read` answers it.
    """
    columns = {name: str(dtype) for name, dtype in lazy.collect_schema().items()}
    if in_memory(lazy):
        rows = lazy.collect().hash_rows(seed=0)
        content = hashlib.sha256(rows.to_numpy().tobytes()).hexdigest()
        return _digest({"columns": columns, "rows": content})
    plan = lazy.explain(optimized=False)
    return _digest({"columns": columns, "plan": plan, "files": [_state(f) for f in _files(lazy)]})


def _digest(about: object) -> str:
    return hashlib.sha256(canonical_json(about)).hexdigest()


def _state(path: Path) -> list[object]:
    status = path.stat()
    return [str(path), status.st_size, status.st_mtime_ns]


def _files(lazy: pl.LazyFrame) -> list[Path]:
    """Answer the files of a query, from its serialised form, which names all of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the text is only searched for paths, never read back
        text = lazy.serialize(format="json")
    named = re.findall(r'"(?:file://)?(/[^"]+)"', text)
    return sorted({path for name in named if (path := Path(name)).is_file()})
