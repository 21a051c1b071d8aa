"""Radial densities against the sum as it is written, and where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from glasslib import GlassError
from glasslib.features import Shells, radial_densities
from glasslib.testing import assert_periodic, assert_permutation_equivariant


def test_equal_a_double_loop(glass, shells, neighbors, gaussian):
    found = radial_densities(glass.positions, glass.types, glass.box, shells)
    assert found.shape == (120, 2, sum(len(each) for each in shells))
    for i in range(0, len(glass), 7):
        vectors, others = neighbors(glass, i)
        r = np.linalg.norm(vectors, axis=1)
        for kind in (0, 1):
            column = 0
            for each in shells:
                for radius in each.radii:
                    expected = gaussian(r, radius, each.width)[glass.types[others] == kind].sum()
                    # beyond 5 widths a particle counts by less than 4e-6
                    assert found[i, kind, column] == pytest.approx(expected, abs=1e-5, rel=1e-6)
                    column += 1


def test_the_series_in_bins_is_as_good_as_it_says():
    """Two particles at every distance: no more than 5e-8 from the Gaussian within its reach."""
    shells = Shells(1.0, 2.0, 0.1)
    for r in np.random.default_rng(0).uniform(0.51, 2.49, 200):
        found = radial_densities([[1.0, 1, 1], [1 + r, 1, 1]], [0, 0], [9.0] * 3, [shells])[0, 0]
        expected = np.exp(-((r - shells.radii) ** 2) / (2 * 0.1**2))
        near = np.abs(r - shells.radii) < 0.5
        assert np.abs(found - expected)[near].max() < 5e-8


def test_a_lattice_has_its_known_numbers_of_neighbours():
    """Simple cubic: 6, 12, 8 at 1, sqrt 2, sqrt 3; narrow shells there see them and nothing else."""
    positions = np.stack(np.meshgrid(*3 * [np.arange(6.0)], indexing="ij"), -1).reshape(-1, 3)
    shells = [Shells(np.sqrt(k), np.sqrt(k), 0.01) for k in (1, 2, 3)]
    found = radial_densities(positions, np.zeros(216, dtype=int), [6.0] * 3, shells)
    np.testing.assert_allclose(found[:, 0], np.tile([6, 12, 8], (216, 1)), rtol=1e-6)
    assert (found[:, 1] == 0).all()


def test_follow_relabelling_and_ignore_the_origin(glass, shells):
    def densities(g):
        return radial_densities(g.positions, g.types, g.box, shells).reshape(len(g), -1).T

    assert_permutation_equivariant(densities, glass, tolerance=1e-10)
    assert_periodic(densities, glass, tolerance=1e-10)


def test_a_lonely_particle_has_none(shells):
    assert (radial_densities([[1.0, 1, 1]], [0], [9.0] * 3, shells) == 0).all()


def test_a_box_that_is_too_small_is_refused(glass):
    with pytest.raises(GlassError, match="within"):
        radial_densities(glass.positions, glass.types, glass.box, [Shells(1.0, 3.0, 0.1)])


@pytest.mark.parametrize("values", [(0.0, 1.0, 0.1), (1.0, 0.5, 0.1), (1.0, 2.0, 0.0), (0.05, 2.0, 0.1)])
def test_bad_shells_are_refused(values):
    with pytest.raises(GlassError, match="width <= first <= last"):
        Shells(*values)
