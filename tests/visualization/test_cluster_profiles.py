from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from headrace.errors import SettingError
from headrace.visualization import cluster_profile, cluster_tree


def test_a_profile_has_a_column_for_each_cluster() -> None:
    matrix = np.array([[0.0, 5.0], [0.0, 5.0], [9.0, 5.0], [9.0, 5.0]])
    labels = np.array([0, 0, 1, 1])
    axes = cluster_profile(SimpleNamespace(matrix=matrix, labels=labels, columns=("a", "same")))
    assert [text.get_text() for text in axes.texts] == ["−1.0", "+1.0", "0", "0"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["a", "same"]


def test_wide_tables_show_the_columns_that_differ_most() -> None:
    random = np.random.default_rng(0)
    matrix, labels = random.normal(size=(200, 60)), np.repeat([0, 1], 100)
    matrix[labels == 1, 41] += 50
    axes = cluster_profile(SimpleNamespace(matrix=matrix, labels=labels, columns=()))
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert len(names) == 24
    assert "column 41" in names


def test_a_tree_joins_near_clusters_first() -> None:
    axes = cluster_tree(np.array([[0.0], [1.0], [50.0]]), [10, 20, 30])
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert abs(names.index("0 · 10") - names.index("1 · 20")) == 1


def test_one_cluster_is_no_tree() -> None:
    with pytest.raises(SettingError, match="needs two or more, received 1"):
        cluster_tree(np.zeros((1, 2)))
