"""How many particles of each type lie at which distance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.polynomial import hermite_e
from numpy.typing import ArrayLike, NDArray

from glasslib.features.options import REACH, Shells
from glasslib.features.surroundings import Surroundings, surroundings
from glasslib.features.threads import in_threads
from glasslib.glass import TYPE_NAMES, FloatArray

#: Bins in the width of a shell, and terms of the Gaussian's Taylor series about the middle of a bin: an
#: error of at most 5e-8 a particle, the Gaussian's peak being 1.
BINS, TERMS = 8, 5
#: Particles handled at once.
BLOCK = 128


def radial_densities(
    positions: ArrayLike,
    types: ArrayLike,
    box: ArrayLike,
    shells: Sequence[Shells],
    *,
    source: str | None = None,
) -> FloatArray:
    r"""Density of each type in Gaussian shells around each particle.

    .. math::
        G_i(r, \delta, s) = \sum_{j \neq i,\ j \in s} \exp\!\left(-\frac{(r_{ij} - r)^2}{2\delta^2}\right)

    Invariant under rotations, reflections and translations.

    Parameters
    ----------
    positions : (n_particles, 3)
        In any periodic image, in sigma_AA.
    types : (n_particles,)
        0 (A) or 1 (B).
    box : (3,)
        In sigma_AA.
    shells :
        Radii r and widths :math:`\delta`.
    source :
        Named in errors.

    Returns
    -------
    (n_particles, n_types, n_shells)

    Raises
    ------
    GlassError
        When the box is too small for the shells.

    Notes
    -----
    Particles beyond 5 widths from a shell are left out or count by less than 4e-6 of the peak each. The
    sum is over narrow bins of distance, in each of which the Gaussian is a polynomial, so that particles
    enter by their number in the bin and the moments of their distances: a pair costs five additions
    instead of one exponential for each shell.

    References
    ----------
    Boattini, Smallenburg and Filion, Phys. Rev. Lett. 127, 088007 (2021).
    """
    cutoff = max(each.cutoff for each in shells)
    around = surroundings(positions, box, cutoff, source=source)
    return densities(around, np.asarray(types), shells)


def densities(around: Surroundings, types: NDArray[np.integer], shells: Sequence[Shells]) -> FloatArray:
    """:func:`radial_densities` of particles whose neighbours have been found."""
    values = np.zeros((len(types), len(TYPE_NAMES), sum(len(each) for each in shells)))
    ends = np.cumsum([len(each) for each in shells])

    def fill(rows: slice) -> None:
        entry, r = _neighbors(around, types, rows)
        for each, end in zip(shells, ends, strict=True):
            near = (r >= each.first - REACH * each.width) & (r < each.cutoff)
            sums = _sums(entry[near], r[near], each, rows.stop - rows.start)
            values[rows, :, end - len(each) : end] = sums

    starts = range(0, len(types), BLOCK)
    in_threads(fill, [(slice(start, min(start + BLOCK, len(types))),) for start in starts])
    return values


def _neighbors(
    around: Surroundings, types: NDArray[np.integer], rows: slice
) -> tuple[NDArray[np.int64], FloatArray]:
    """Of each neighbour of some particles, as what it counts (a number made from the particle and the
    neighbour's type) and its distance."""
    first = around.distances.indptr[rows.start : rows.stop + 1]
    pairs = slice(first[0], first[-1])
    center = np.repeat(np.arange(len(first) - 1), np.diff(first))
    return len(TYPE_NAMES) * center + types[around.distances.indices[pairs]], around.distances.data[pairs]


def _sums(entry: NDArray[np.int64], r: FloatArray, shells: Shells, n_rows: int) -> FloatArray:
    """Sums of Gaussians ``(n_rows, n_types, n_shells)`` over particles at distances r."""
    table = _series(shells)
    n_bins = table.shape[1]
    n_entries = n_rows * len(TYPE_NAMES)
    place = (r - (shells.first - REACH * shells.width)) * (BINS / shells.width)
    number = np.minimum(place.astype(np.int64), n_bins - 1)
    offset = place - number - 0.5
    index = entry * n_bins + number
    total = torch.zeros(n_entries, len(shells), dtype=torch.float64)
    power = np.ones_like(offset)
    for term in table:
        # of no pairs bincount makes integers
        moments = np.bincount(index, power, n_entries * n_bins).astype(np.float64, copy=False)
        total.addmm_(torch.from_numpy(moments).view(n_entries, n_bins), term)
        power *= offset
    return total.numpy().reshape(n_rows, len(TYPE_NAMES), len(shells))


@lru_cache(maxsize=64)
def _series(shells: Shells) -> torch.Tensor:
    """Taylor coefficients ``(TERMS, n_bins, n_shells)`` of the Gaussians in the offset from a bin's middle,
    in units of bins: the k-th derivative of exp(-x^2/2) is (-1)^k He_k(x) exp(-x^2/2)."""
    low = shells.first - REACH * shells.width
    n_bins = math.ceil((shells.cutoff - low) / shells.width * BINS - 1e-9)
    middle = low + (np.arange(n_bins) + 0.5) * shells.width / BINS
    x = (middle[:, None] - shells.radii) / shells.width
    terms = [
        hermite_e.hermeval(x, [0.0] * k + [(-1 / BINS) ** k / math.factorial(k)]) * np.exp(-(x**2) / 2)
        for k in range(TERMS)
    ]
    return torch.from_numpy(np.stack(terms))
