"""Averages over neighbours against a dense matrix."""

from __future__ import annotations

import numpy as np
import pytest

from glasslib import GlassError
from glasslib.features import coarse_grain
from glasslib.glass import minimum_image


def dense(glass, length: float, cutoff: float) -> np.ndarray:
    r = np.linalg.norm(minimum_image(glass.positions[None] - glass.positions[:, None], glass.box), axis=2)
    weights = np.exp(-r / length) * (r < cutoff)
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("length", "cutoff"), [(2.0, 2.3), (0.7, 1.5)])
def test_equal_a_dense_matrix(glass, length, cutoff):
    values = np.random.default_rng(0).normal(size=(120, 5))
    found = coarse_grain(values, glass.positions, glass.box, generations=3, length=length, cutoff=cutoff)
    matrix = dense(glass, length, cutoff)
    assert len(found) == 4
    for n, generation in enumerate(found):
        np.testing.assert_allclose(generation, np.linalg.matrix_power(matrix, n) @ values, atol=1e-12)


def test_a_constant_stays(glass):
    found = coarse_grain(np.ones((120, 2), dtype=np.float32), glass.positions, glass.box, cutoff=2.0)
    np.testing.assert_allclose(found[3], 1, rtol=1e-5)
    assert found[3].dtype == np.float32


def test_no_generation_is_the_values_themselves(glass):
    values = np.random.default_rng(0).normal(size=(120, 5))
    (found,) = coarse_grain(values, glass.positions, glass.box, generations=0, cutoff=2.0)
    np.testing.assert_array_equal(found, values)


def test_bad_shapes_and_small_boxes_are_refused(glass):
    with pytest.raises(GlassError, match="values"):
        coarse_grain(np.ones((119, 2)), glass.positions, glass.box, cutoff=2.0)
    with pytest.raises(GlassError, match="box"):
        coarse_grain(np.ones((120, 2)), glass.positions, glass.box, cutoff=2.5)
