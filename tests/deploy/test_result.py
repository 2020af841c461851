from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from headrace.deploy.parity import verify_paths
from headrace.deploy.result import DeployResult

if TYPE_CHECKING:
    from headrace.deploy.release import Release


def test_it_tells_where_the_release_is_and_how_the_paths_agreed(price_release: Release) -> None:
    answers = np.ones((4, 1))
    result = DeployResult.of(price_release, verify_paths(answers, {"ONNX": lambda: answers}))
    assert result.path == price_release.path
    assert result.version == price_release.version
    text = result.summary()
    assert text.startswith(f"release {price_release.version}\n")
    assert str(price_release.path) in text
    assert "KiB in " in text
    assert "all paths agree" in text
    plain = json.loads(json.dumps(result.to_dict()))
    assert plain["version"] == result.version
    assert plain["verification"]["passed"] is True
    assert sum(plain["sizes"].values()) == result.size
    assert result.plot().get_title(loc="left") == "Agreement of the paths"
    assert "<pre>" in result._repr_html_()


def test_a_pipeline_with_python_in_it_has_one_path(price_release: Release) -> None:
    result = DeployResult.of(price_release, None, portable=False)
    assert "use hr.load(path), not hr.Runtime" in result.summary()
    assert result.to_dict()["verification"] is None
    assert result.plot().get_xlabel() == "size (KiB)"


@pytest.mark.parametrize(
    ("size", "text"), [(10, "10 bytes"), (2048, "2.0 KiB"), (3 << 20, "3.0 MiB")]
)
def test_sizes_have_units(price_release: Release, size: int, text: str) -> None:
    result = DeployResult(price_release.path, "v", "champion", {"model.onnx": size}, None)
    assert f"size    {text} in 1 files" in result.summary()
    assert result.summary().startswith("release v (champion)")
