"""What the generator measures, and judges itself by."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glasslib.glass import FloatArray, minimum_image
from glasslib.neighbors import pairs_within
from glasslib.simulate import potential

#: Wave number at the first peak of the structure factor of A, in 1/sigma_AA.
WAVE_NUMBER = 7.25


def self_scattering(displacements: ArrayLike) -> float:
    r"""Self-intermediate scattering function, averaged over directions.

    :math:`F_s(k, t) = \langle \sin(k d)/(k d) \rangle` with k = 7.25 and d the distance moved.

    Parameters
    ----------
    displacements : (..., 3)
        Unwrapped displacements of the A particles over the time t, in sigma_AA.
    """
    distances = np.linalg.norm(np.asarray(displacements, dtype=float), axis=-1)
    return float(np.sinc(WAVE_NUMBER * distances / np.pi).mean())


def scattering_curve(frames: ArrayLike, lags: ArrayLike) -> FloatArray:
    """F_s ``(n_lags,)`` of a trajectory ``frames`` ``(n_frames, n_particles, 3)``, over all origins."""
    frames = np.asarray(frames)
    return np.array([self_scattering(frames[lag:] - frames[:-lag]) for lag in np.asarray(lags, dtype=int)])


def relaxation_time(times: ArrayLike, curve: ArrayLike) -> float:
    """tau_alpha: where F_s falls to 1/e, log-interpolated; NaN where the curve does not reach it."""
    times, curve = np.asarray(times, dtype=float), np.asarray(curve, dtype=float)
    below = np.flatnonzero(curve < np.exp(-1))
    if len(below) == 0 or below[0] == 0:
        return float("nan")
    span = slice(below[0] - 1, below[0] + 1)
    return float(np.exp(np.interp(-np.exp(-1), -curve[span], np.log(times[span]))))


def pair_energies(positions: ArrayLike, types: ArrayLike, box: ArrayLike) -> FloatArray:
    """Potential energy ``(n_particles,)`` of each particle, half of each of its pairs, in numpy."""
    types = np.asarray(types)
    i, j, vectors = pairs_within(positions, box, potential.CUTOFF.max())
    half = potential.pair_terms(np.linalg.norm(vectors, axis=1), types[i], types[j])[0] / 2
    n = len(types)
    return _per_particle(i, j, half, n)


def _per_particle(i: NDArray[np.int64], j: NDArray[np.int64], values: ArrayLike, n: int) -> FloatArray:
    """Sum (n,) of pair values at both partners."""
    weights = np.asarray(values, dtype=float)
    total: FloatArray = (np.bincount(i, weights, n) + np.bincount(j, weights, n)).astype(float)
    return total


def force_and_curvature(
    positions: ArrayLike, types: ArrayLike, box: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Forces ``(n_particles, 3)`` and, per particle, the Laplacian of the energy ``(n_particles,)``."""
    types = np.asarray(types)
    i, j, vectors = pairs_within(positions, box, potential.CUTOFF.max())
    r = np.linalg.norm(vectors, axis=1)
    _, slope, curvature = potential.pair_terms(r, types[i], types[j])
    on_i = (slope / r)[:, None] * vectors
    n = len(types)
    forces = np.stack([np.bincount(i, f, n) - np.bincount(j, f, n) for f in on_i.T], axis=1)
    laplacian = curvature + 2 * slope / r
    return forces, _per_particle(i, j, laplacian, n)


def configurational_temperature(positions: ArrayLike, types: ArrayLike, box: ArrayLike) -> float:
    r"""Temperature read from positions alone, :math:`\sum|\nabla U|^2 / \sum\nabla^2 U`.

    Source: Rugh, PRL 78, 772 (1997); Butler et al., J. Chem. Phys. 109, 6519 (1998).
    """
    forces, laplacian = force_and_curvature(positions, types, box)
    return float((forces**2).sum() / laplacian.sum())


def timestep_shift(positions: ArrayLike, types: ArrayLike, box: ArrayLike, timestep: float) -> float:
    r"""How far a finite time step raises the configurational temperature (relative).

    Velocity-Verlet at kinetic temperature T samples a harmonic mode of frequency w at
    :math:`T / (1 - w^2 \Delta t^2 / 4)`. In :func:`configurational_temperature` modes weigh
    :math:`w^2`, so to leading order the shift is
    :math:`(\Delta t^2/4)\,\mathrm{tr} H^2 / \mathrm{tr} H`, H the Hessian of the
    energy: at a time step of 0.005 about 0.7 %, nearly all of it in the stiffest collisions.
    """
    types = np.asarray(types)
    i, j, vectors = pairs_within(positions, box, potential.CUTOFF.max())
    r = np.linalg.norm(vectors, axis=1)
    _, slope, curvature = potential.pair_terms(r, types[i], types[j])
    along = vectors / r[:, None]
    blocks = (curvature - slope / r)[:, None, None] * along[:, :, None] * along[:, None, :]
    blocks += (slope / r)[:, None, None] * np.eye(3)
    own = np.zeros((len(types), 3, 3))
    np.add.at(own, i, blocks)
    np.add.at(own, j, blocks)
    trace_of_square = (own**2).sum() + 2 * (blocks**2).sum()
    return float(timestep**2 / 4 * trace_of_square / np.trace(own, axis1=1, axis2=2).sum())


def broken_bonds(
    bonds: tuple[NDArray[np.int64], NDArray[np.int64], FloatArray],
    positions: ArrayLike,
    box: ArrayLike,
) -> FloatArray:
    """Fraction ``(n_particles,)`` of each particle's first neighbours that it has lost.

    Parameters
    ----------
    bonds :
        From :func:`first_shell`: indices of both partners, and the distance beyond which they count
        as parted.
    positions : (n_particles, 3)
        Later positions, in any image.
    """
    i, j, limit = bonds
    positions = np.asarray(positions, dtype=float)
    lost = np.linalg.norm(minimum_image(positions[j] - positions[i], box), axis=1) > limit
    n = len(positions)
    total = _per_particle(i, j, np.ones(len(i)), n)
    return _per_particle(i, j, lost, n) / np.maximum(total, 1)


def first_shell(
    positions: ArrayLike, types: ArrayLike, box: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]:
    """First neighbours: pairs closer than 1.35 (AA), 1.25 (AB), 1.07 (BB), which part at 1.25 times that.

    The gap between the two distances keeps rattling about the first minimum of g(r) from counting.
    Both are this project's choice.
    """
    types = np.asarray(types)
    i, j, vectors = pairs_within(positions, box, potential.FIRST_SHELL.max())
    limit = potential.FIRST_SHELL[types[i], types[j]]
    near = np.linalg.norm(vectors, axis=1) < limit
    return i[near], j[near], 1.25 * limit[near]
