"""Loading: a saved pipeline or a release as a pipeline again."""

from __future__ import annotations

from pathlib import Path

from headrace.pipeline import Pipeline

__all__ = ["load"]


def load(path: str | Path) -> Pipeline:
    """Load a saved pipeline or a release with everything it learnt; it can be trained on.

    Args:
        path: A folder written by `save`, a release, or a registry (its champion is loaded).

    Returns:
        The pipeline.

    Raises:
        ReleaseError: If the folder is no release, was altered, or is of an unknown format.
    """
    from headrace.deploy.parts import open_release

    opened = open_release(Path(path))
    pipe = Pipeline(opened.steps, **opened.settings)
    pipe.adopt(opened.fitted, opened.release.version)
    pipe.home = opened.registry
    return pipe
