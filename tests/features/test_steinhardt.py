"""Steinhardt parameters against freud and perfect crystals, as they are and averaged.

Perfect crystals: Mickel et al., J. Chem. Phys. 138, 044501 (2013), table I; fcc with 12 neighbours also in
Steinhardt, Nelson and Ronchetti, Phys. Rev. B 28, 784 (1983).
"""

from __future__ import annotations

import freud
import numpy as np
import pytest
import torch
from e3nn import o3

from glasslib import GlassError
from glasslib.features import averaged_steinhardt, nearest_neighbors, steinhardt
from glasslib.neighbors import neighbor_pairs

FORMS = {False: steinhardt, True: averaged_steinhardt}


@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("degree", [2, 4, 6, 8])
@pytest.mark.parametrize("cutoff", [None, 1.4])
def test_agrees_with_freud(glass, degree, cutoff, average):
    if cutoff is None:
        pairs = nearest_neighbors(glass.positions, glass.box, 12)
    else:
        pairs, _ = neighbor_pairs(glass.positions, glass.box, cutoff)
    ours = FORMS[average](glass.positions, glass.box, degree, pairs)
    j, i = pairs
    box = freud.box.Box(*glass.box)
    centred = glass.positions - glass.box / 2
    vectors = box.wrap(centred[j] - centred[i])
    theirs = freud.order.Steinhardt(degree, average=average)
    theirs.compute((box, centred), freud.locality.NeighborList.from_arrays(120, 120, i, j, vectors))
    np.testing.assert_allclose(ours, theirs.particle_order, atol=1e-5)


def test_the_nearest_are_those_of_freud(glass):
    found = nearest_neighbors(glass.positions, glass.box, 6)
    query = freud.locality.AABBQuery(freud.box.Box(*glass.box), glass.positions - glass.box / 2)
    theirs = query.query(glass.positions - glass.box / 2, {"num_neighbors": 6, "exclude_ii": True})
    theirs = theirs.toNeighborList()
    pairs = set(zip(found[1], found[0], strict=True))
    assert pairs == set(zip(theirs.query_point_indices, theirs.point_indices, strict=True))


def crystal(basis: np.ndarray, cell: np.ndarray, cells: int = 4) -> tuple[np.ndarray, np.ndarray]:
    grid = np.stack(np.meshgrid(*3 * [np.arange(cells)], indexing="ij"), -1).reshape(-1, 1, 3)
    return ((grid + basis) * cell).reshape(-1, 3), cell * cells


FCC = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
HCP = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 5 / 6, 0.5], [0, 1 / 3, 0.5]])
CRYSTALS = {
    "fcc": (FCC, np.ones(3) * np.sqrt(2), 12, 0.19094, 0.57452),
    "hcp": (HCP, np.array([1, np.sqrt(3), np.sqrt(8 / 3)]), 12, 0.09722, 0.48476),
    "bcc, 8 neighbours": (np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.ones(3), 8, 0.50918, 0.62854),
    "bcc, 14 neighbours": (np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.ones(3), 14, 0.03637, 0.51069),
    "sc": (np.zeros((1, 3)), np.ones(3), 6, 0.76376, 0.35355),
}


@pytest.mark.parametrize("name", CRYSTALS)
def test_perfect_crystals_have_their_known_values(name):
    basis, cell, number, q4, q6 = CRYSTALS[name]
    positions, box = crystal(basis, cell)
    pairs = nearest_neighbors(positions, box, number)
    q = steinhardt(positions, box, [4, 6], pairs)
    np.testing.assert_allclose(q, np.tile([q4, q6], (len(positions), 1)), atol=1e-5)
    if name != "hcp":  # one particle a primitive cell: the average changes nothing
        np.testing.assert_allclose(averaged_steinhardt(positions, box, [4, 6], pairs), q, atol=1e-10)


def test_do_not_change_when_the_cluster_turns():
    rng = np.random.default_rng(2)
    cluster, box = rng.uniform(-2, 2, (30, 3)), np.full(3, 20.0)
    turn = o3.rand_matrix(dtype=torch.float64).numpy()
    for form in FORMS.values():
        pairs = nearest_neighbors(cluster + 10, box, 5)
        before = form(cluster + 10, box, range(1, 9), pairs)
        after = form(cluster @ turn.T + 10, box, range(1, 9), pairs)
        np.testing.assert_allclose(after, before, atol=1e-10)


def test_no_neighbours_give_zero(glass):
    none = np.zeros((2, 0), dtype=int)
    assert (steinhardt(glass.positions, glass.box, 6, none) == 0).all()
    assert (averaged_steinhardt(glass.positions, glass.box, 6, none) == 0).all()


def test_bad_input_is_refused(glass):
    pairs = np.array([[0], [1]])
    with pytest.raises(GlassError, match="degrees"):
        steinhardt(glass.positions, glass.box, -1, pairs)
    with pytest.raises(GlassError, match="n_pairs"):
        steinhardt(glass.positions, glass.box, 6, pairs.T.astype(float))
    with pytest.raises(GlassError, match="120 particles"):
        steinhardt(glass.positions, glass.box, 6, pairs + 119)
    with pytest.raises(GlassError, match="1 to 119"):
        nearest_neighbors(glass.positions, glass.box, 120)
    with pytest.raises(GlassError, match="half the box"):
        nearest_neighbors(glass.positions, glass.box, 119)
