"""Invariants of the atomic cluster expansion against sums over neighbours, pairs and triples of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from e3nn import o3
from scipy.special import eval_legendre

from glasslib import Glass, GlassError
from glasslib.features import Shells, ace_invariants, bond_order_parameters, radial_densities
from glasslib.testing import assert_periodic, assert_permutation_equivariant

SHELLS = [Shells(0.9, 1.2, 0.3)]
#: The cluster has no boundary, and the tails of its shells are cut at 2.7 by no particle
BOX = np.full(3, 30.0)


@pytest.fixture
def cluster() -> Glass:
    """Seven particles, all within reach of one another."""
    rng = np.random.default_rng(3)
    corners = np.array(list(itertools.product((0, 1), repeat=3)))[:7]
    return Glass(corners + rng.uniform(-0.1, 0.1, (7, 3)) + 15, np.array([0, 0, 1, 0, 1, 0, 0]), BOX)


def invariants(glass: Glass, body_order: int, l_max: int = 2, shells=SHELLS):
    return ace_invariants(
        glass.positions, glass.types, glass.box, shells, l_max, body_order, dtype=torch.float64
    )


def channels(glass: Glass, i: int):
    """Weights (n_channels, n) of the neighbours of i, and the directions to them."""
    others = np.delete(np.arange(len(glass)), i)
    vectors = glass.positions[others] - glass.positions[i]
    r = np.linalg.norm(vectors, axis=1)
    weights = [
        np.exp(-((r - radius) ** 2) / (2 * each.width**2)) * (glass.types[others] == kind)
        for kind in (0, 1)
        for each in SHELLS
        for radius in each.radii
    ]
    return np.array(weights), vectors / r[:, None]


def test_two_bodies_are_the_radial_densities(cluster):
    found = invariants(cluster, 2)
    expected = radial_densities(cluster.positions, cluster.types, BOX, SHELLS).reshape(7, -1)
    np.testing.assert_allclose(found.values, expected, atol=1e-6)
    assert found.names == ["2-body A r=0.9", "2-body A r=1.2", "2-body B r=0.9", "2-body B r=1.2"]


def test_three_bodies_are_a_sum_over_pairs_of_neighbours(cluster):
    """With Legendre polynomials of the angle between them."""
    found = invariants(cluster, 3, l_max=4)
    assert found.values.shape == (7, 5 * 10)
    for i in range(7):
        weights, along = channels(cluster, i)
        column = 0
        for degree in range(5):
            legendre = eval_legendre(degree, np.clip(along @ along.T, -1, 1)) * (2 * degree + 1) / (4 * np.pi)
            for c, d in itertools.combinations_with_replacement(range(4), 2):
                expected = weights[c] @ legendre @ weights[d]
                assert found.values[i, column] == pytest.approx(expected, rel=1e-10, abs=1e-12)
                column += 1


def test_four_bodies_are_a_sum_over_triples_of_neighbours(cluster):
    """The coupling of three directions, worked out for one triple of neighbours after the other."""
    found = invariants(cluster, 4)
    names = found.names
    for i in (0, 3):
        weights, along = channels(cluster, i)
        y = o3.spherical_harmonics([0, 1, 2], torch.from_numpy(along), False, "integral").numpy()
        for degrees in [(0, 0, 0), (0, 1, 1), (1, 1, 2), (2, 2, 2)]:
            table = o3.wigner_3j(*degrees, dtype=torch.float64).numpy()
            parts = [y[:, degree**2 : (degree + 1) ** 2] for degree in degrees]
            chosen = [(0, 0, 0), (0, 1, 3), (1, 2, 2)]
            for triple in chosen:
                expected = 0.0
                for j, k, h in itertools.product(range(6), repeat=3):
                    weight = weights[triple[0]][j] * weights[triple[1]][k] * weights[triple[2]][h]
                    if weight:
                        coupled = np.einsum("abc,a,b,c", table, parts[0][j], parts[1][k], parts[2][h])
                        expected += weight * coupled
                radii = ", ".join(("A r=0.9", "A r=1.2", "B r=0.9", "B r=1.2")[c] for c in triple)
                column = names.index(f"4-body l={' '.join(map(str, degrees))} {radii}")
                assert found.values[i, column] == pytest.approx(expected, rel=1e-10, abs=1e-12)


def test_four_bodies_with_degrees_1_1_2_have_a_formula(cluster):
    """Y1 Y1 Y2 coupled to a scalar: proportional to (3 (a.c)(b.c) - a.b) / 2 for unit vectors a, b, c."""
    found = invariants(cluster, 4)
    column = found.names.index("4-body l=1 1 2 A r=0.9, A r=0.9, A r=0.9")
    ratios = []
    for i in range(7):
        weights, along = channels(cluster, i)
        dots, w = along @ along.T, weights[0]
        explicit = np.einsum("a,b,c,ac,bc", w, w, w, dots, dots) * 1.5 - 0.5 * w.sum() * (w @ dots @ w)
        ratios.append(found.values[i, column] / explicit)
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-8)


def test_the_power_spectrum_contains_the_bond_order_parameters(cluster):
    """For particles of one type: sum_m A_lm^2 = (2l+1)/(4 pi) Z^2 q_l^2."""
    one = cluster.replace(types=np.zeros(7, dtype=int))
    found = invariants(one, 3, l_max=3)
    q = bond_order_parameters(one.positions, BOX, SHELLS, 3, dtype=torch.float64)
    z = invariants(one, 2).values[:, :2]
    for degree in (1, 2, 3):
        for k, radius in enumerate(("0.9", "1.2")):
            expected = (2 * degree + 1) / (4 * np.pi) * (z[:, k] * q[:, degree - 1, k]) ** 2
            column = found.column(f"3-body l={degree} A r={radius}, A r={radius}")
            np.testing.assert_allclose(column, expected, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("body_order", [2, 3, 4])
def test_do_not_change_when_the_cluster_turns(cluster, body_order):
    before = invariants(cluster, body_order, l_max=3).values
    middle = cluster.positions.mean(axis=0)
    for seed in range(4):
        torch.manual_seed(seed)
        turn = o3.rand_matrix(dtype=torch.float64).numpy() * (-1) ** seed
        turned = cluster.replace(positions=(cluster.positions - middle) @ turn.T + middle)
        after = invariants(turned, body_order, l_max=3).values
        assert np.abs(after - before).max() < 1e-10 * np.abs(before).max()


@pytest.mark.parametrize("body_order", [2, 3, 4])
def test_follow_relabelling_and_ignore_the_origin(glass, body_order):
    def values(g):
        return invariants(g, body_order, shells=[Shells(0.9, 1.2, 0.1)]).values.T

    assert_permutation_equivariant(values, glass, tolerance=1e-10)
    assert_periodic(values, glass, tolerance=1e-10)


@pytest.mark.parametrize("body_order", [2, 3, 4])
def test_names_are_all_different(cluster, body_order):
    found = invariants(cluster, body_order, l_max=3)
    assert len(set(found.names)) == len(found.names) == found.values.shape[1]


def test_bodies_must_be_two_three_or_four(cluster):
    with pytest.raises(GlassError, match="2, 3 or 4"):
        invariants(cluster, 5)


@pytest.mark.parametrize("body_order", [2, 3, 4])
def test_of_some_particles_only(glass, body_order):
    """The same numbers, in the order asked for."""
    shells = [Shells(0.9, 1.2, 0.15)]
    some = [7, 100, 3]
    arguments = (glass.positions, glass.types, glass.box, shells, 1, body_order)
    found = ace_invariants(*arguments, particles=some, dtype=torch.float64)
    np.testing.assert_allclose(
        found.values, ace_invariants(*arguments, dtype=torch.float64).values[some], rtol=1e-12, atol=1e-14
    )
    assert ace_invariants(*arguments, particles=np.array([], dtype=int)).values.shape[0] == 0


@pytest.mark.parametrize("particles", [[0, 0], [7], [-1], [0.5], [[1]]])
def test_particles_are_checked(cluster, particles):
    with pytest.raises(GlassError, match="particles"):
        ace_invariants(cluster.positions, cluster.types, BOX, SHELLS, 2, 2, particles=particles)
