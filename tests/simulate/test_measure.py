"""Potential and measurements against brute force, analytic values and freud."""

from __future__ import annotations

import freud
import numpy as np
import pytest
from scipy.optimize import approx_fprime

from glasslib.errors import GlassError
from glasslib.glass import Glass, minimum_image
from glasslib.neighbors import pairs_within
from glasslib.simulate import measure, potential
from glasslib.simulate.lammps import Liquid, instance
from glasslib.structure import partial_rdf

N = 200
BOX = potential.box_of(N)
TYPES = (np.arange(N) >= 160).astype(np.int8)


@pytest.fixture(scope="module")
def liquid_positions() -> np.ndarray:
    """A lattice run for five time units at T = 1."""
    rng = np.random.default_rng(3)
    sites = np.stack(np.unravel_index(rng.permutation(216)[:N], (6, 6, 6)), axis=1)
    with instance() as lmp:
        liquid = Liquid(lmp, TYPES, BOX)
        liquid.place((sites + 0.5) / 6 * BOX, rng.normal(size=(N, 3)))
        liquid.thermostat(1.0, 1.0, 0.5)
        assert sum(liquid.advance(1000, 0.005)) == 1000
        return liquid.unwrapped()


def brute_energy(positions: np.ndarray) -> np.ndarray:
    """Per-particle energies from all pairs and all neighbouring images, written out anew."""
    shifts = BOX * np.stack(np.meshgrid(*[[-1, 0, 1]] * 3), -1).reshape(-1, 3)
    vectors = positions[None, :, None] - positions[:, None, None] + shifts
    r = np.linalg.norm(np.mod(vectors + 1.5 * BOX, 3 * BOX) - 1.5 * BOX, axis=-1)
    sigma = np.array([[1.0, 0.8], [0.8, 0.88]])[TYPES[:, None], TYPES[None]][..., None]
    epsilon = np.array([[1.0, 1.5], [1.5, 0.5]])[TYPES[:, None], TYPES[None]][..., None]
    r = np.where(r < 1e-9, np.inf, r)

    def lj(x):
        return 4 * epsilon * (x**-12 - x**-6)

    slope = -24 * epsilon * (2 * 2.5**-12 - 2.5**-6) / (2.5 * sigma)
    shifted = np.where(r < 2.5 * sigma, lj(r / sigma) - lj(2.5) - (r - 2.5 * sigma) * slope, 0.0)
    return shifted.sum(axis=(1, 2)) / 2


def test_energy_is_that_of_all_pairs(liquid_positions):
    energies = measure.pair_energies(liquid_positions, TYPES, BOX)
    np.testing.assert_allclose(energies, brute_energy(liquid_positions), rtol=1e-11)


def test_lammps_energies_and_forces_are_those_of_numpy(liquid_positions):
    with instance() as lmp:
        liquid = Liquid(lmp, TYPES, BOX)
        liquid.place(liquid_positions)
        energies = liquid.energies()
        forces = liquid.forces()
    np.testing.assert_allclose(energies, measure.pair_energies(liquid_positions, TYPES, BOX), rtol=1e-10)
    ours = measure.force_and_curvature(liquid_positions, TYPES, BOX)[0]
    np.testing.assert_allclose(forces, ours, rtol=1e-10, atol=1e-10)


def test_forces_are_the_gradient_and_curvature_the_laplacian(liquid_positions):
    def moved(i: int, x: np.ndarray) -> np.ndarray:
        changed = liquid_positions.copy()
        changed[i] = x
        return changed

    forces, laplacian = measure.force_and_curvature(liquid_positions, TYPES, BOX)
    for i in (0, 77, 180):
        gradient = approx_fprime(
            liquid_positions[i],
            lambda x, i=i: measure.pair_energies(moved(i, x), TYPES, BOX).sum(),
            1e-7,
        )
        np.testing.assert_allclose(forces[i], -gradient, rtol=1e-4, atol=1e-3)
        own = 0.0
        for axis in np.eye(3):
            sides = [
                measure.force_and_curvature(moved(i, liquid_positions[i] + h * axis), TYPES, BOX)[0][i]
                for h in (1e-5, -1e-5)
            ]
            own -= (sides[0] - sides[1]) @ axis / 2e-5
        assert laplacian[i] == pytest.approx(own, rel=1e-5)


@pytest.mark.parametrize(("a", "b"), [(0, 0), (0, 1), (1, 1)])
def test_potential_ends_smoothly_at_its_cutoff(a, b):
    inside = potential.CUTOFF[a, b] - 1e-7
    value, slope, _ = potential.pair_terms(np.array([inside]), np.array([a]), np.array([b]))
    assert abs(value[0]) < 1e-12
    assert abs(slope[0]) < 1e-6


def test_radial_distribution_is_freuds(liquid_positions):
    system = (freud.box.Box.cube(BOX[0]), minimum_image(liquid_positions, BOX))
    reference = freud.density.RDF(bins=50, r_max=2.5)
    # freud wants one query set for AA; it normalises with N where we take N - 1
    a = system[1][TYPES == 0]
    reference.compute((system[0], a), neighbors={"r_max": 2.5, "exclude_ii": True})
    glass = Glass(positions=liquid_positions, types=TYPES, box=BOX)
    r, g = partial_rdf(glass, "A", "A", r_max=2.5, width=0.05)
    np.testing.assert_allclose(r, reference.bin_centers, rtol=1e-5)
    np.testing.assert_allclose(g * (len(a) - 1) / len(a), reference.rdf, rtol=1e-4, atol=1e-6)
    b = system[1][TYPES == 1]
    reference.compute((system[0], a), query_points=b, neighbors={"r_max": 2.5})
    np.testing.assert_allclose(
        partial_rdf(glass, "A", "B", r_max=2.5, width=0.05)[1],
        reference.rdf,
        rtol=1e-4,
        atol=1e-6,
    )


def test_self_scattering_of_gaussian_displacements_is_a_gaussian():
    width = 0.15
    moves = np.random.default_rng(0).normal(0, width, size=(200_000, 3))
    assert measure.self_scattering(moves) == pytest.approx(np.exp(-((7.25 * width) ** 2) / 2), abs=0.004)
    assert measure.self_scattering(np.zeros((4, 3))) == 1.0


def test_self_scattering_is_the_average_over_directions():
    rng = np.random.default_rng(1)
    moves = rng.normal(0, 0.3, size=(20, 3))
    directions = rng.normal(size=(100_000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    assert measure.self_scattering(moves) == pytest.approx(
        np.cos(7.25 * directions @ moves.T).mean(), abs=0.003
    )


def test_scattering_curve_takes_every_origin():
    frames = np.random.default_rng(2).normal(0, 0.1, size=(6, 30, 3)).cumsum(axis=0)
    expected = [
        np.mean([measure.self_scattering(frames[i + lag] - frames[i]) for i in range(6 - lag)])
        for lag in (1, 4)
    ]
    np.testing.assert_allclose(measure.scattering_curve(frames, [1, 4]), expected)


def test_relaxation_time_of_a_stretched_exponential():
    times = np.arange(1, 40) * 0.1
    assert measure.relaxation_time(times, np.exp(-((times / 1.7) ** 0.7))) == pytest.approx(1.7, rel=2e-3)
    assert np.isnan(measure.relaxation_time(times, np.full(39, 0.9)))


def test_configurational_temperature_of_an_equilibrium_liquid():
    """At T = 1, averaged over time; the statistical error is about 1 %."""
    rng = np.random.default_rng(5)
    sites = np.stack(np.unravel_index(rng.permutation(216)[:N], (6, 6, 6)), axis=1)
    measured = []
    with instance() as lmp:
        liquid = Liquid(lmp, TYPES, BOX)
        liquid.place((sites + 0.5) / 6 * BOX, rng.normal(size=(N, 3)))
        liquid.thermostat(1.0, 1.0, 0.5)
        for _ in range(60):
            list(liquid.advance(100, 0.005))
            measured.append(measure.configurational_temperature(liquid.unwrapped(), TYPES, BOX))
    assert np.mean(measured[10:]) == pytest.approx(1.0, abs=0.05)


def test_timestep_shift_is_that_of_the_hessian(liquid_positions):
    def forces(x):
        return measure.force_and_curvature(x.reshape(-1, 3), TYPES, BOX)[0].ravel()

    flat, h = liquid_positions.ravel(), 1e-6
    hessian = np.empty((3 * N, 3 * N))
    for k in range(3 * N):
        step = np.zeros(3 * N)
        step[k] = h
        hessian[k] = (forces(flat - step) - forces(flat + step)) / (2 * h)
    expected = 0.005**2 / 4 * np.trace(hessian @ hessian) / np.trace(hessian)
    assert measure.timestep_shift(liquid_positions, TYPES, BOX, 0.005) == pytest.approx(expected, rel=1e-5)


def test_broken_bonds_against_brute_force(liquid_positions):
    later = liquid_positions + np.random.default_rng(8).normal(0, 0.2, size=(N, 3))
    bonds = measure.first_shell(liquid_positions, TYPES, BOX)
    limits = np.array([[1.35, 1.25], [1.25, 1.07]])[TYPES[:, None], TYPES[None]]

    def distances(x):
        return np.linalg.norm(minimum_image(x[None] - x[:, None], BOX), axis=-1)

    bonded = (distances(liquid_positions) < limits) & ~np.eye(N, dtype=bool)
    lost = (bonded & (distances(later) > 1.25 * limits)).sum(axis=1) / bonded.sum(axis=1)
    np.testing.assert_allclose(measure.broken_bonds(bonds, later, BOX), lost)
    assert lost.max() > 0
    assert not measure.broken_bonds(bonds, liquid_positions + BOX, BOX).any()


def test_pairs_refuse_a_cutoff_beyond_half_the_box(liquid_positions):
    with pytest.raises(GlassError, match="half of the"):
        pairs_within(liquid_positions, BOX, BOX[0] / 2 + 0.01)
