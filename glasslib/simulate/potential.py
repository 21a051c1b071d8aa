r"""The force-shifted Kob-Andersen mixture.

.. math::
    U_{ab}(r) = V_{ab}(r) - V_{ab}(r_c) - (r - r_c)\,V_{ab}'(r_c), \qquad
    V_{ab}(r) = 4\epsilon_{ab}\left[(\sigma_{ab}/r)^{12} - (\sigma_{ab}/r)^6\right],
    \quad r_c = 2.5\,\sigma_{ab},

80:20 at number density 1.2 (Kob and Andersen, PRE 51, 4626 (1995); the force shift is that of the
BOTAN and GlassBench data). LAMMPS calls it ``pair_style lj/smooth/linear``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from glasslib.errors import GlassError
from glasslib.glass import FloatArray

#: Lengths and energies of the pairs, by the types (A, B) of both partners.
SIGMA = np.array([[1.0, 0.8], [0.8, 0.88]])
EPSILON = np.array([[1.0, 1.5], [1.5, 0.5]])
CUTOFF = 2.5 * SIGMA
DENSITY = 1.2
FRACTION_A = 0.8

#: First-neighbour distances, near the first minima of g_AA, g_AB and g_BB (this project's choice).
FIRST_SHELL = np.array([[1.35, 1.25], [1.25, 1.07]])

SKIN = 0.2
COMMANDS = (
    f"pair_style lj/smooth/linear {CUTOFF.max():g}",
    *(
        f"pair_coeff {a + 1} {b + 1} {EPSILON[a, b]:g} {SIGMA[a, b]:g} {CUTOFF[a, b]:g}"
        for a, b in ((0, 0), (0, 1), (1, 1))
    ),
    f"neighbor {SKIN:g} bin",
    "neigh_modify every 1 delay 0 check yes",
)


def box_of(n_particles: int) -> FloatArray:
    """Edges ``(3,)`` of the cubic box that holds ``n_particles`` at density 1.2, in sigma_AA."""
    return np.full(3, (n_particles / DENSITY) ** (1 / 3))


def require_box(box: ArrayLike, *, source: str | None = None) -> None:
    """Refuse a box in which a pair would meet two images of itself."""
    shortest = float(np.min(box))
    if CUTOFF.max() > shortest / 2:
        raise GlassError(
            f"the cutoff {CUTOFF.max():g} exceeds half of the shortest box edge ({shortest / 2:.4g})",
            source=source,
            field="box",
            remedy=f"Use at least {int(np.ceil(DENSITY * (2 * CUTOFF.max()) ** 3))} particles",
        )


def pair_terms(distances: ArrayLike, a: ArrayLike, b: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Energy of pairs ``(n_pairs,)`` and its first and second derivative by the distance.

    Parameters
    ----------
    distances : (n_pairs,)
        In sigma_AA; beyond the cutoff all three are 0.
    a, b : (n_pairs,)
        Types of both partners.
    """
    r, a, b = np.asarray(distances, dtype=float), np.asarray(a, dtype=int), np.asarray(b, dtype=int)
    sigma, epsilon, cutoff = SIGMA[a, b], EPSILON[a, b], CUTOFF[a, b]

    def lennard_jones(r: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        s6 = (sigma / r) ** 6
        return (
            4 * epsilon * (s6**2 - s6),
            -24 * epsilon * (2 * s6**2 - s6) / r,
            24 * epsilon * (26 * s6**2 - 7 * s6) / r**2,
        )

    value, slope, curvature = lennard_jones(r)
    value_c, slope_c, _ = lennard_jones(cutoff)
    inside = r < cutoff
    return (
        np.where(inside, value - value_c - (r - cutoff) * slope_c, 0.0),
        np.where(inside, slope - slope_c, 0.0),
        np.where(inside, curvature, 0.0),
    )
