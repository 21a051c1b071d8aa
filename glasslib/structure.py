"""Pair structure: how many particles lie at which distance of one another."""

from __future__ import annotations

import numpy as np

from glasslib.errors import GlassError
from glasslib.glass import TYPE_NAMES, FloatArray, Glass
from glasslib.neighbors import neighbor_pairs


def partial_rdf(
    glass: Glass,
    first: str = "A",
    second: str = "A",
    *,
    structure: str = "thermal",
    r_max: float = 4.0,
    width: float = 0.02,
) -> tuple[FloatArray, FloatArray]:
    r"""Radial distribution function between two types of particles.

    .. math::

        g_{ab}(r) = \frac{V}{N_a N_b'} \,
            \frac{\#\{(i, j) : i \in a,\ j \in b,\ r < r_{ij} < r + \Delta\}}
                 {\frac{4\pi}{3}((r+\Delta)^3 - r^3)}

    with :math:`N_b' = N_b`, or :math:`N_b - 1` for :math:`a = b`: 1 where particles ignore each other.
    Symmetric in its two types.

    Parameters
    ----------
    glass :
        The configuration.
    first, second :
        ``"A"`` or ``"B"``.
    structure :
        ``"thermal"`` or ``"inherent"`` positions.
    r_max :
        Largest distance, in sigma_AA; at most half the shortest box edge.
    width :
        Of a bin, in sigma_AA.

    Returns
    -------
    r : (n_bins,)
        Centres of the bins, in sigma_AA.
    g : (n_bins,)
        Dimensionless.

    Raises
    ------
    GlassError
        For an unknown type or structure, missing inherent positions, fewer than two particles of a type, a
        range beyond half the box, or bins that are not positive.

    References
    ----------
    Hansen and McDonald, *Theory of Simple Liquids*, section 2.5.
    """
    if not 0 < width <= r_max:
        raise GlassError(f"expected 0 < width <= r_max, got {width} and {r_max}", field="width")
    positions = glass.positions_in(structure)
    is_first, is_second = glass.is_type(first), glass.is_type(second)
    n_pairs = int(is_first.sum()) * int(is_second.sum() - (first == second))
    if n_pairs <= 0:
        raise GlassError(f"holds too few particles for pairs {first}{second}", source=glass.source)

    chosen = is_first | is_second
    index, vectors = neighbor_pairs(positions[chosen], glass.box, r_max, source=glass.source)
    types = glass.types[chosen]
    wanted = (types[index[1]] == TYPE_NAMES.index(first)) & (types[index[0]] == TYPE_NAMES.index(second))
    edges = width * np.arange(round(r_max / width) + 1)
    counts, _ = np.histogram(np.linalg.norm(vectors[wanted], axis=1), edges)
    ideal = n_pairs / glass.box.prod() * 4 * np.pi / 3 * np.diff(edges**3)
    return (edges[1:] + edges[:-1]) / 2, counts / ideal
