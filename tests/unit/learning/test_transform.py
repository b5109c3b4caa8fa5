"""The design matrix: by rows as by batches, finite whatever comes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from stream_app.learning.transform import CLIP, Design, compress, expand

VECTORS = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=20),
    elements=st.floats(allow_nan=True, allow_infinity=True),
)


@given(VECTORS)
def test_a_row_is_exactly_that_of_the_matrix(values):
    design = Design([f"c{i}" for i in range(values.shape[1])])
    matrix = design.matrix(values)
    rows = [design.row(vector) for vector in values]
    assert [list(row) for row in rows] == [list(design.names)] * len(values)
    assert np.array([list(row.values()) for row in rows]).tobytes() == matrix.tobytes()


@given(VECTORS)
def test_strides_do_not_matter(values):
    design = Design([f"c{i}" for i in range(values.shape[1])])
    assert design.matrix(np.asfortranarray(values)).tobytes() == design.matrix(values).tobytes()


@given(VECTORS)
def test_every_entry_is_within_the_clip(values):
    matrix = Design([f"c{i}" for i in range(values.shape[1])]).matrix(values)
    assert np.all(np.abs(matrix) <= CLIP)


@given(st.floats(-1e8, 1e8))
def test_expand_undoes_compress(x):
    assert expand(compress(np.array([x])))[0] == pytest.approx(x, rel=1e-12, abs=1e-300)


def test_expand_leads_no_further_than_the_clip() -> None:
    most = np.expm1(CLIP)
    assert expand(np.array([1e9, -1e9, CLIP])).tolist() == [most, -most, most]


def test_values_signs_and_indicators():
    matrix = Design(["a", "b", "c"]).matrix(np.array([[np.e - 1, -(np.e - 1), np.nan]]))
    assert matrix.tolist() == [[1.0, -1.0, 0.0, 0.0, 0.0, 1.0]]


def test_names_are_unique_and_widths_agree():
    assert Design(["a", "b"]).names == ("a", "b", "a?", "b?")
    for columns in (["a", "a"], ["a", "a?"]):
        with pytest.raises(ValueError, match="twice"):
            Design(columns)
    with pytest.raises(ValueError, match="3 columns"):
        Design(["a", "b", "c"]).matrix(np.zeros((2, 2)))
