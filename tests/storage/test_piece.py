"""Pieces travel as bytes, and other bytes are refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from headrace.errors import ReleaseError
from headrace.storage.arrays import arrays_bytes
from headrace.storage.checkpoint import Piece, piece_bytes, piece_from_bytes


def test_a_piece_comes_back_as_it_was() -> None:
    piece = Piece({"value": math.inf, "names": ["a", "größer"]}, {"w/0": np.arange(3)})
    found = piece_from_bytes(piece_bytes(piece), "state")
    assert found.document == piece.document
    assert found.arrays["w/0"].tolist() == [0, 1, 2]


def test_arrays_without_a_document_are_no_piece() -> None:
    with pytest.raises(ReleaseError, match="state: the array 'document' is missing"):
        piece_from_bytes(arrays_bytes({"w": np.zeros(2)}), "state")
