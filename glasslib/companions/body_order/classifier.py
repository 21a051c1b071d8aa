"""Active against inactive particles, told apart by linear classifiers.

After Rottler and Ortner, arXiv:2410.03216, who put invariants of the atomic cluster expansion, one body order
after another, into such classifiers. The functions take any features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glasslib.errors import GlassError
from glasslib.evaluation import pearson
from glasslib.features import Shells
from glasslib.glass import TYPE_NAMES, FloatArray
from glasslib.linear import LinearFit, Moments, Part, fit_choosing

#: Penalties tried, in units of the number of particles.
ALPHAS = tuple(10.0**exponent for exponent in np.arange(-4.0, 1.01, 0.5))


class Extremes(NamedTuple):
    """The active and the inactive ones of some particles.

    Attributes
    ----------
    particles : (n,)
        Their indices: inactive ones first.
    signs : (n,)
        -1 for inactive, +1 for active.
    """

    particles: NDArray[np.int64]
    signs: FloatArray


def extremes(values: ArrayLike, fraction: float) -> Extremes:
    """The particles with the smallest and the largest values, as many of each.

    Parameters
    ----------
    values : (n_particles,)
        Such as a propensity or D2min, of one configuration.
    fraction :
        Of the particles that are active, and of those that are inactive; up to a half.

    Raises
    ------
    GlassError
        When values are not finite numbers, or the fraction leaves no particle or takes one twice.
    """
    array = np.asarray(values, dtype=float)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise GlassError(f"expected finite numbers (n_particles,), got shape {array.shape}", field="values")
    n = round(fraction * len(array)) if 0 < fraction <= 0.5 else 0
    if not 1 <= n <= len(array) // 2:
        raise GlassError(
            f"expected between 0 and 0.5, and one particle or more, got {fraction} of {len(array)}",
            field="fraction",
        )
    order = np.argsort(array, kind="stable")
    return Extremes(np.concatenate([order[:n], order[-n:]]), np.repeat([-1.0, 1.0], n))


def discriminant(
    fitted: Sequence[Part], aside: Sequence[Part], alphas: Sequence[float] = ALPHAS
) -> LinearFit:
    r"""A linear classifier by least squares: ridge regression of the signs -1 and +1.

    With as many of either class, this is Fisher's discriminant: its weights are :math:`S^{-1}(m_+ - m_-)` up
    to a factor, with m the means of the classes and S the covariance within them (plus the penalty).

    Parameters
    ----------
    fitted, aside :
        Features ``(n, n_features)`` and signs ``(n, 1)`` of each configuration; the penalty is the one whose
        output correlates best with the signs of those set aside, and then all are fitted.
    alphas :
        Penalties tried.

    Raises
    ------
    GlassError
        Without configurations on either side, or with shapes that do not fit.
    """
    if not fitted or not aside or not alphas:
        raise GlassError("expected configurations to fit to, one or more set aside, and penalties")
    for part in (*fitted, *aside):
        if part.x.ndim != 2 or part.y.shape != (len(part.x), 1) or part.x.shape[1] != fitted[0].x.shape[1]:
            raise GlassError(f"expected (n, n_features) and (n, 1), got {part.x.shape} and {part.y.shape}")
    return fit_choosing([Moments.of(*part) for part in fitted], aside, alphas, correlations)


def correlations(guess: NDArray[np.floating], truth: NDArray[np.floating]) -> FloatArray:
    """Pearson's r ``(n_targets,)`` of the columns of two ``(n, n_targets)`` arrays."""
    return np.array([pearson(*columns) for columns in zip(guess.T, truth.T, strict=True)])


def accuracy(scores: ArrayLike, chosen: Extremes) -> float:
    """Share of the extremes that lie on their side of the median score.

    Labels are relative to the configuration, hence the threshold is: the median of all its particles, which
    any predictor has, also one that was not trained as a classifier. 0.5 is chance; whoever ties with the
    median counts as wrong, so that scores of few different values do worse than that.

    Parameters
    ----------
    scores : (n_particles,)
        Of all particles that :func:`extremes` chose from; large for active ones.
    chosen :
        Its result.
    """
    scores = np.asarray(scores, dtype=float)
    if scores.ndim != 1 or len(scores) <= chosen.particles.max():
        raise GlassError(f"expected one for each particle, got shape {scores.shape}", field="scores")
    return float((np.sign(scores[chosen.particles] - np.median(scores)) == chosen.signs).mean())


def pair_weights(fit: LinearFit, shells: Sequence[Shells], r: ArrayLike) -> FloatArray:
    r"""What a two-body classifier makes of a neighbour at some distance.

    It is linear in radial densities, :math:`f_i = b + \sum_{s,k} w_{sk} G_i(r_k, \delta_k, s)`, and these are
    sums over neighbours, so it is a sum over neighbours itself:

    .. math:: f_i = b + \sum_j u_{s_j}(r_{ij}), \qquad u_s(r) = \sum_k w_{sk} e^{-(r - r_k)^2 / 2 \delta_k^2}.

    Parameters
    ----------
    fit :
        Of one target, fitted to :func:`glasslib.features.radial_densities` of all types, A first.
    shells :
        Of those densities.
    r : (n_r,)
        Distances, in sigma_AA.

    Returns
    -------
    (n_types, n_r)
        u for neighbours of type A and B.
    """
    radii = np.concatenate([each.radii for each in shells])
    widths = np.concatenate([np.full(len(each), each.width) for each in shells])
    if fit.weights.shape != (len(TYPE_NAMES) * len(radii), 1):
        raise GlassError(
            f"expected {len(TYPE_NAMES) * len(radii)} weights of one target, got {fit.weights.shape}",
            field="fit",
        )
    weights = (fit.weights[:, 0] / fit.scale).reshape(len(TYPE_NAMES), -1)
    gaussians = np.exp(-((np.asarray(r, dtype=float) - radii[:, None]) ** 2) / (2 * widths[:, None] ** 2))
    weighted: FloatArray = weights @ gaussians
    return weighted
