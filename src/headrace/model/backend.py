"""The one door to TensorFlow and Keras: imported when a network is built, and without chatter."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from headrace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["keras", "tensorflow"]

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_CHATTER = re.compile(
    rb"^([IW]\d{4} |WARNING: All log messages before absl|E\d{4} .* cuda_platform\.cc.* cuInit)"
)
"""Notes about CPU features and missing GPUs, written before any log level is obeyed."""


@cache
def tensorflow() -> Any:
    """Answer the `tensorflow` module; the first call takes seconds.

    The notes that TensorFlow prints while it is imported are left out, unless the user has set
    `TF_CPP_MIN_LOG_LEVEL`; errors are shown in any case, and no Python logger is touched.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if _LEVEL in os.environ or "tensorflow" in sys.modules:
        import tensorflow as tf

        return tf
    os.environ[_LEVEL] = "2"
    with _without_chatter():
        import tensorflow as tf

        tf.config.list_physical_devices()  # where there is no GPU, that is told here
    return tf


@cache
def keras() -> Any:
    """Answer the `keras` module.

    Raises:
        SettingError: Keras was set up for another backend than TensorFlow.
    """
    tensorflow()
    import keras as module

    if module.backend.backend() != "tensorflow":
        raise SettingError(
            "headrace trains with Keras on TensorFlow, but Keras uses the backend "
            f"{module.backend.backend()!r}: set KERAS_BACKEND=tensorflow before Keras is imported"
        )
    return module


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Hold back what native code writes to the standard error stream; pass on all but chatter."""
    sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:  # no standard error stream at all
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            held.seek(0)
            kept = [line for line in held if not _CHATTER.match(line)]
            os.write(2, b"".join(kept))
