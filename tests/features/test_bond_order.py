"""Bond-order parameters of shells against a double loop, freud, and rotations."""

from __future__ import annotations

import freud
import numpy as np
import pytest
import torch
from e3nn import o3
from scipy.special import sph_harm_y

from glasslib import Glass
from glasslib.features import Shells, bond_order_parameters
from glasslib.features.expansion import harmonics
from glasslib.neighbors import neighbor_pairs
from glasslib.testing import assert_periodic, assert_permutation_equivariant


def test_harmonics_are_those_of_e3nn():
    vectors = np.random.default_rng(0).normal(size=(50, 3))
    theirs = o3.spherical_harmonics(list(range(9)), torch.from_numpy(vectors), True, "integral")
    np.testing.assert_allclose(harmonics(vectors, 8), theirs.numpy(), atol=1e-12)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 2e-5)])
def test_equal_a_double_loop(glass, shells, neighbors, gaussian, dtype, tolerance):
    """With scipy's complex harmonics."""
    found = bond_order_parameters(glass.positions, glass.box, shells, 4, dtype=dtype)
    radii = [(radius, each.width) for each in shells for radius in each.radii]
    assert found.shape == (120, 4, len(radii))
    for i in range(0, len(glass), 23):
        vectors, _ = neighbors(glass, i)
        r = np.linalg.norm(vectors, axis=1)
        polar, azimuth = np.arccos(vectors[:, 2] / r), np.arctan2(vectors[:, 1], vectors[:, 0])
        for k, (radius, width) in enumerate(radii):
            weight = gaussian(r, radius, width)
            for degree in range(1, 5):
                q = [
                    (weight * sph_harm_y(degree, m, polar, azimuth)).sum() / weight.sum()
                    for m in range(-degree, degree + 1)
                ]
                expected = np.sqrt(4 * np.pi / (2 * degree + 1) * np.sum(np.abs(q) ** 2))
                assert found[i, degree - 1, k] == pytest.approx(expected, abs=tolerance)


def test_agree_with_freud_where_all_weights_are_given(glass):
    """freud's Steinhardt parameters, weighted by the same Gaussian."""
    shells = Shells(1.1, 1.4, 0.1)
    found = bond_order_parameters(glass.positions, glass.box, [shells], 6, dtype=torch.float64)
    (j, i), vectors = neighbor_pairs(glass.positions, glass.box, shells.cutoff)
    r = np.linalg.norm(vectors, axis=1)
    box = freud.box.Box(*glass.box)
    for k, radius in enumerate(shells.radii):
        weights = np.exp(-((r - radius) ** 2) / (2 * shells.width**2))
        pairs = freud.locality.NeighborList.from_arrays(120, 120, i, j, vectors, weights)
        q = freud.order.Steinhardt(6, weighted=True)
        q.compute((box, glass.positions - glass.box / 2), pairs)
        np.testing.assert_allclose(found[:, 5, k], q.particle_order, atol=2e-5)  # freud works in float32


def test_do_not_change_when_the_cluster_turns(neighbors):
    rng = np.random.default_rng(1)
    cluster = np.stack(np.meshgrid(*3 * [np.arange(3.0)], indexing="ij"), -1).reshape(-1, 3) - 1
    cluster += rng.uniform(-0.2, 0.2, cluster.shape)
    shells, box = [Shells(0.7, 2.0, 0.1)], np.full(3, 20.0)
    before = bond_order_parameters(cluster + 10, box, shells, 8, dtype=torch.float64)
    for seed in range(3):
        torch.manual_seed(seed)
        turn = o3.rand_matrix(dtype=torch.float64).numpy() * (-1) ** seed
        after = bond_order_parameters(cluster @ turn.T + 10, box, shells, 8, dtype=torch.float64)
        np.testing.assert_allclose(after, before, atol=1e-10)


def test_follow_relabelling_and_ignore_the_origin(glass, shells):
    def parameters(g: Glass):
        q = bond_order_parameters(g.positions, g.box, shells, 5, dtype=torch.float64)
        return q.reshape(len(g), -1).T

    assert_permutation_equivariant(parameters, glass, tolerance=1e-10)
    assert_periodic(parameters, glass, tolerance=1e-10)


def test_one_neighbour_is_perfect_order_and_none_is_zero():
    positions = [[1.0, 1, 1], [2.0, 1.2, 0.9], [9.0, 9, 9]]
    q = bond_order_parameters(positions, [16.0] * 3, [Shells(0.8, 1.4, 0.1)], 8)
    np.testing.assert_allclose(q[:2], 1, rtol=1e-5)
    assert (q[2] == 0).all()


def test_threads_do_not_disturb_one_another():
    """Many blocks of particles in four threads, against one thread."""
    rng = np.random.default_rng(4)
    grid = np.stack(np.meshgrid(*3 * [np.arange(12.0)], indexing="ij"), -1).reshape(-1, 3)
    positions, before = grid + rng.uniform(-0.3, 0.3, grid.shape), torch.get_num_threads()
    results = []
    try:
        for n_threads in (1, 4, 4, 4):
            torch.set_num_threads(n_threads)
            results.append(bond_order_parameters(positions, [12.0] * 3, [Shells(0.8, 1.6, 0.1)], 8))
    finally:
        torch.set_num_threads(before)
    for result in results[1:]:
        np.testing.assert_allclose(result, results[0], atol=1e-6)
