"""Neighbour pairs against brute force over all periodic images."""

from __future__ import annotations

import itertools

import freud
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glasslib import GlassError
from glasslib.neighbors import neighbor_pairs


def brute_force(positions: np.ndarray, box: np.ndarray, cutoff: float) -> set[tuple[int, int]]:
    """All ordered pairs with any image in range."""
    found = set()
    for image in itertools.product((-1, 0, 1), repeat=3):
        vectors = positions[None, :] - positions[:, None] + np.array(image) * box
        near = np.linalg.norm(vectors, axis=-1) <= cutoff
        np.fill_diagonal(near, False)
        found |= {(int(i), int(j)) for i, j in zip(*np.nonzero(near), strict=True)}
    return found


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    n=st.integers(1, 40),
    edges=st.tuples(*[st.floats(1.0, 9.0)] * 3),
    fraction=st.floats(0.05, 1.0),
    seed=st.integers(0, 2**31),
)
def test_equal_to_brute_force_in_any_box_and_up_to_half_of_it(n, edges, fraction, seed):
    box = np.array(edges)
    cutoff = fraction * box.min() / 2
    positions = np.random.default_rng(seed).uniform(0, 1, (n, 3)) * box
    edge_index, vectors = neighbor_pairs(positions, box, cutoff)
    pairs = [(int(i), int(j)) for j, i in edge_index.T]
    assert len(set(pairs)) == len(pairs)
    assert set(pairs) == brute_force(positions, box, cutoff)
    # the vector points from the centre to the neighbour, up to a whole number of boxes
    images = (vectors - (positions[edge_index[0]] - positions[edge_index[1]])) / box
    np.testing.assert_allclose(images, np.round(images), atol=1e-9)
    assert (np.linalg.norm(vectors, axis=1) <= cutoff * (1 + 1e-12)).all()


def test_equal_to_freud_on_a_liquid(glass):
    edge_index, vectors = neighbor_pairs(glass.positions, glass.box, 1.5)
    box = freud.box.Box(*glass.box)
    query = freud.locality.AABBQuery(box, box.wrap(glass.positions))
    listed = query.query(box.wrap(glass.positions), {"r_max": 1.5, "exclude_ii": True}).toNeighborList()
    assert {tuple(p) for p in edge_index[::-1].T.tolist()} == {tuple(p) for p in listed[:].tolist()}
    np.testing.assert_allclose(np.sort(np.linalg.norm(vectors, axis=1)), np.sort(listed.distances), rtol=1e-5)


def test_sorted_by_centre_and_symmetric(glass):
    edge_index, _ = neighbor_pairs(glass.positions, glass.box, 1.7)
    assert (np.diff(edge_index[1]) >= 0).all()
    pairs = set(map(tuple, edge_index.T.tolist()))
    assert {(j, i) for i, j in pairs} == pairs


def test_positions_in_another_image_make_no_difference(glass):
    there = neighbor_pairs(glass.positions, glass.box, 1.7)
    moved = neighbor_pairs(glass.positions + 3 * glass.box, glass.box, 1.7)
    np.testing.assert_array_equal(there[0], moved[0])
    np.testing.assert_allclose(there[1], moved[1], atol=1e-12)


@pytest.mark.parametrize("cutoff", [2.5, 100.0])
def test_cutoff_beyond_half_the_box_is_refused(cutoff):
    with pytest.raises(GlassError, match="half of the shortest box edge"):
        neighbor_pairs(np.zeros((1, 3)), [4.9, 6, 7], cutoff)


@pytest.mark.parametrize("cutoff", [0.0, -1.0, np.nan, np.inf])
def test_cutoff_that_is_no_length_is_refused(cutoff):
    with pytest.raises(GlassError, match="positive cutoff"):
        neighbor_pairs(np.zeros((1, 3)), [5, 6, 7], cutoff)
