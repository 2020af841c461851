"""TensorFlow comes when it is needed, and comes quietly."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src"


def python(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=SOURCE,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_tensorflow_comes_without_chatter_and_the_error_stream_comes_back() -> None:
    done = python(
        "import os, logging\n"
        "from headrace.model.backend import keras\n"
        "module = keras()\n"
        "os.write(2, b'after\\n')\n"
        "print(module.__name__, logging.getLogger('tensorflow').level)"
    )
    assert done.stderr == "after\n"
    assert done.stdout.startswith("keras ")


def test_another_backend_of_keras_is_an_error() -> None:
    code = (
        "import types, headrace.model.backend as backend\n"
        "backend.tensorflow = lambda: None\n"
        "import sys; sys.modules['keras'] = types.SimpleNamespace(\n"
        "    backend=types.SimpleNamespace(backend=lambda: 'jax'))\n"
        "backend.keras()"
    )
    assert "Keras uses the backend 'jax': set KERAS_BACKEND=tensorflow" in python(code).stderr


def test_the_network_step_can_be_written_without_tensorflow() -> None:
    done = python("import sys\nfrom headrace.model.network import Network\nprint(*sys.modules)")
    assert not {"tensorflow", "keras", "sklearn", "pandas"} & set(done.stdout.split())
