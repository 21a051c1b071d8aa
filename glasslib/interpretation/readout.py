"""Linear read-outs: ridge regression with a penalty chosen on data set aside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from glasslib.glass import FloatArray
from glasslib.linear import LinearFit, Moments, Part, fit_choosing

#: Penalties that are tried, in units of the number of particles; the least of them is next to none.
ALPHAS = tuple(10.0**exponent for exponent in np.arange(-8.0, 1.01, 1.0))


def fit_readout(parts: Sequence[Part], aside: Part, alphas: Sequence[float] = ALPHAS) -> LinearFit:
    """Fit to parts with every penalty; with the one that does best on what was set aside, fit to all.

    Parameters
    ----------
    parts :
        What is fitted.
    aside :
        What the penalty of each target is chosen on (largest :func:`r_squared`).
    alphas :
        Penalties tried.
    """
    return fit_choosing([Moments.of(*part) for part in parts], [aside], alphas, r_squared)


def r_squared(guess: NDArray[np.floating], truth: NDArray[np.floating]) -> FloatArray:
    r"""Explained share of the variance, :math:`1 - \sum (y - \hat y)^2 / \sum (y - \bar y)^2`.

    Parameters
    ----------
    guess, truth : (n, n_targets)
        Any units.

    Returns
    -------
    (n_targets,)
        1 is perfect, 0 no better than the mean of ``truth``, which is negative when it is worse; nan for a
        target that does not vary.
    """
    truth = np.asarray(truth, dtype=float)
    deviations = ((truth - truth.mean(0)) ** 2).sum(0)
    varies = deviations > 1e-12 * len(truth) * np.maximum((truth**2).mean(0), 1e-300)
    errors = ((truth - guess) ** 2).sum(0)
    share: FloatArray = np.where(varies, 1 - errors / np.where(varies, deviations, 1), np.nan)
    return share
