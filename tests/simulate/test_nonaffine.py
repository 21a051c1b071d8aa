"""Non-affine displacements against affine maps, brute force and least squares."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from glasslib import GlassError
from glasslib.simulate.shear import d2min

BOX = np.array([5.2, 5.6, 6.0])


@pytest.fixture(scope="module")
def before() -> np.ndarray:
    """120 particles, no two close."""
    sites = np.stack(np.meshgrid(*[np.arange(5)] * 3, indexing="ij"), -1).reshape(-1, 3)[:120]
    return (sites + 0.5 + np.random.default_rng(0).uniform(-0.3, 0.3, (120, 3))) / 5 * BOX


def lees_edwards(xy: float = 0.0, xz: float = 0.0, yz: float = 0.0) -> np.ndarray:
    """The deformation gradient of shears, which maps rows from the right."""
    return np.array([[1, 0, 0], [xy, 1, 0], [xz, yz, 1]], dtype=float)


def by_force(before, after, cell, cutoff):
    """All 27 images of every pair, and scipy's least squares for each particle."""
    found = []
    images = np.array(list(itertools.product((-1, 0, 1), repeat=3)))
    for i in range(len(before)):
        old, new = [], []
        for j in range(len(before)):
            if j == i:
                continue
            ways = before[j] - before[i] + images * BOX
            lengths = np.linalg.norm(ways, axis=1)
            if lengths.min() < cutoff:
                old.append(ways[lengths.argmin()])
                ways = after[j] - after[i] + images @ cell
                new.append(ways[np.linalg.norm(ways, axis=1).argmin()])
        best = scipy.linalg.lstsq(np.array(old), np.array(new))[0]
        found.append(((np.array(new) - np.array(old) @ best) ** 2).sum() / len(old))
    return np.array(found)


@settings(max_examples=25, deadline=None)
@given(
    shear=arrays(float, 3, elements=st.floats(-0.15, 0.15)),
    stretch=arrays(float, 3, elements=st.floats(0.9, 1.1)),
    hops=arrays(int, (120, 3), elements=st.integers(-2, 2)),
)
def test_an_affine_deformation_leaves_nothing(before, shear, stretch, hops):
    """Also when particles are listed in other periodic images."""
    gradient = lees_edwards(*shear) * stretch
    cell = np.diag(BOX) @ gradient
    after = before @ gradient + hops @ cell + 0.3
    assert d2min(before, after, BOX, cell, cutoff=1.8).max() < 1e-12


def test_what_is_added_at_random_is_found_by_force(before):
    rng = np.random.default_rng(1)
    gradient = lees_edwards(0.1, -0.05, 0.07)
    cell = np.diag(BOX) @ gradient
    after = before @ gradient + rng.normal(0, 0.1, before.shape)
    expected = by_force(before, after, cell, 1.8)
    assert expected.min() > 1e-3
    hopped = after + rng.integers(-2, 3, before.shape) @ cell
    np.testing.assert_allclose(d2min(before, hopped, BOX, cell, cutoff=1.8), expected, rtol=1e-10)


def test_one_particle_that_moves_is_seen_most_by_itself(before):
    """All its vectors change by the same step, which only by chance looks like a deformation."""
    after = before.copy()
    after[17] += [0.3, 0, 0]
    found = d2min(before, after, BOX, cutoff=1.8)
    assert found.argmax() == 17
    assert 0.5 * 0.09 < found[17] < 0.09
    distance = np.linalg.norm((before - before[17] + BOX / 2) % BOX - BOX / 2, axis=1)
    assert (found[distance > 1.8] < 1e-12).all()


def test_a_turned_box_leaves_nothing(before):
    """The same cell, turned as a whole."""
    turn = scipy.linalg.expm(np.array([[0, 0.3, 0], [-0.3, 0, 0.2], [0, -0.2, 0]]))
    assert d2min(before, before @ turn, BOX, np.diag(BOX) @ turn, cutoff=1.8).max() < 1e-12


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"after": np.zeros((119, 3))}, "after: expected shape"),
        ({"cell": np.zeros((3, 3))}, "cell: expected three independent edges"),
        ({"cell": np.zeros(3)}, "cell: expected shape"),
        ({"cutoff": 3.0}, "exceeds half of the shortest box edge"),
        ({"cutoff": -1.0}, "expected a positive cutoff"),
        ({"cutoff": 0.9}, "fewer than 4 neighbours"),
        ({"before": np.full((120, 3), np.nan)}, "before: 360 of 360 values are NaN"),
    ],
)
def test_bad_arguments(before, changes, message):
    arguments = {"before": before, "after": before, "box": BOX, "cutoff": 1.8, **changes}
    with pytest.raises(GlassError, match=message) as caught:
        d2min(**arguments)
    assert "\n" not in str(caught.value)
