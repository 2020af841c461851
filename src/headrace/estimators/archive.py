"""A trained pipeline as bytes, in the format of a saved pipeline, for copies and other processes.

Estimators travel between processes by Python's own protocol for objects. What travels of the
pipeline are these bytes: JSON and plain arrays, read with the checks of every release.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from zipfile import ZipFile

if TYPE_CHECKING:
    from headrace.pipeline import Pipeline

__all__ = ["packed", "unpacked"]

_NAME = "pipeline"


def packed(pipeline: Pipeline) -> bytes:
    """Answer a trained pipeline as the bytes of a zip file: what `save` writes.

    Raises:
        NotTrainedError: If it has learnt nothing.
    """
    content = BytesIO()
    with TemporaryDirectory() as folder:
        saved = pipeline.save(Path(folder) / _NAME)
        with ZipFile(content, "w") as archive:
            for path in sorted(saved.rglob("*")):
                archive.write(path, path.relative_to(saved))
    return content.getvalue()


def unpacked(content: bytes) -> Pipeline:
    """Answer the pipeline that `packed` made bytes of.

    Raises:
        ReleaseError: If the bytes were altered.
    """
    from headrace.loading import load

    with TemporaryDirectory() as folder:
        saved = Path(folder) / _NAME
        with ZipFile(BytesIO(content)) as archive:
            archive.extractall(saved)
        return load(saved)
