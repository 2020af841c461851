from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

from headrace import visualization


@pytest.mark.parametrize("name", visualization.__all__)
def test_every_name_is_what_it_says(name: str) -> None:
    assert callable(getattr(visualization, name))
    assert name in dir(visualization)


def test_no_module_has_the_name_of_a_function() -> None:
    modules = {module.name for module in pkgutil.iter_modules(visualization.__path__)}
    for module in modules:
        importlib.import_module(f"headrace.visualization.{module}")
    assert not modules & set(visualization.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'piechart'"):
        _ = visualization.piechart


def test_drawing_does_not_need_pyplot() -> None:
    code = (
        "import sys; from headrace.visualization import report, training_curves;"
        "report({'a': training_curves({'loss': [1.0]})});"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    source = Path(visualization.__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=source)
