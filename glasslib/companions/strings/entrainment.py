r"""Does a rearrangement raise its neighbours' rate? Comparing a particle with itself.

Particles near a rearrangement rearrange more often for two reasons: because of the rearrangement, and because
both sit in a soft place. In draws from one configuration the structure around a particle is the same in each;
only the event beside it differs. So compare, for every particle, draws with an event nearby to draws without.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from glasslib.errors import GlassError
from glasslib.glass import FloatArray, wrap


class RateRatio(NamedTuple):
    """How many times as often exposed particles respond: all together, and each compared with itself."""

    crude: float
    within: float


def distance_to(positions: ArrayLike, chosen: ArrayLike, box: ArrayLike) -> FloatArray:
    """Distance ``(n,)`` of each particle to the nearest *other* one that is chosen; inf where there is none.

    Parameters
    ----------
    positions : (n, 3)
        In sigma_AA, in any periodic image.
    chosen : (n,)
        Mask.
    box : (3,)
        Edge lengths.
    """
    positions, chosen = wrap(positions, box), np.asarray(chosen, dtype=bool)
    if not chosen.any():
        return np.full(len(positions), np.inf)
    near, _ = cKDTree(positions[chosen], boxsize=np.asarray(box)).query(positions, k=[1, 2])
    distance: FloatArray = np.where(chosen, near[:, 1], near[:, 0])  # the first of a chosen one is itself
    return distance


def rate_ratio(
    exposed: ArrayLike, responded: ArrayLike, at_risk: ArrayLike, weights: ArrayLike | None = None
) -> RateRatio:
    r"""Rate of responding when exposed over the rate when not.

    Parameters
    ----------
    exposed, responded, at_risk : (n_draws, n_particles)
        Masks; who is not at risk does not count.
    weights : (n_draws,)
        How often each draw counts, for a bootstrap; by default once.

    Returns
    -------
    RateRatio
        ``within`` is Mantel and Haenszel's ratio with every particle a stratum of its own,
        :math:`\sum_i a_i n_{0i}/n_i \,/\, \sum_i b_i n_{1i}/n_i` (J. Natl. Cancer Inst. 22, 719 (1959); for
        risks, Nurminen, Biometrika 68, 525 (1981)): of the :math:`n_i` draws with particle i at risk,
        :math:`n_{1i}` are exposed and :math:`n_{0i}` are not; :math:`a_i` of the former respond, and
        :math:`b_i` of the latter. nan where nobody unexposed responds.

    Raises
    ------
    GlassError
        When the shapes differ.
    """
    e, r, risk = (np.asarray(mask, dtype=bool) for mask in (exposed, responded, at_risk))
    if e.ndim != 2 or not e.shape == r.shape == risk.shape:
        raise GlassError(
            f"expected three masks (n_draws, n_particles), got {e.shape}, {r.shape}, {risk.shape}"
        )
    w = np.ones(len(e)) if weights is None else np.asarray(weights, dtype=float)
    a, b, n1, n0 = (w @ (mask & risk) for mask in (e & r, ~e & r, e, ~e))
    n = np.maximum(n1 + n0, 1e-300)
    return RateRatio(
        crude=_over(a.sum() * n0.sum(), b.sum() * n1.sum()), within=_over(a @ (n0 / n), b @ (n1 / n))
    )


def _over(a: float, b: float) -> float:
    return float(a / b) if b > 0 else float("nan")


def resampled(n_draws: int, n_bootstrap: int = 500, seed: int = 0) -> NDArray[np.int64]:
    """How often each of the draws is drawn again ``(n_bootstrap, n_draws)``, with replacement."""
    generator = np.random.default_rng(seed)
    weights: NDArray[np.int64] = generator.multinomial(
        n_draws, np.full(n_draws, 1 / n_draws), size=n_bootstrap
    )
    return weights
