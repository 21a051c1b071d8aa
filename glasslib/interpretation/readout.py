"""Linear read-outs: ridge regression with a penalty chosen on data set aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from glasslib.glass import FloatArray

#: Penalties that are tried, in units of the number of particles; the least of them is next to none.
ALPHAS = tuple(10.0**exponent for exponent in np.arange(-8.0, 1.01, 1.0))


class Part(NamedTuple):
    """Inputs ``(n, n_inputs)`` and targets ``(n, n_targets)``."""

    x: NDArray[np.floating]
    y: NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Readout:
    """A linear map, one penalty for each target.

    Attributes
    ----------
    center, offset : (n_inputs,), (n_targets,)
        Means.
    weights : (n_inputs, n_targets)
        Of the inputs as they are.
    alphas : (n_targets,)
        Penalties, in units of the number of particles, for inputs in units of their spread.
    """

    center: FloatArray
    offset: FloatArray
    weights: FloatArray
    alphas: FloatArray

    def __call__(self, x: NDArray[np.floating]) -> FloatArray:
        """Inputs ``(n, n_inputs)`` to guesses ``(n, n_targets)``."""
        guess: FloatArray = self.offset + (x - self.center) @ self.weights
        return guess


def fit_readout(parts: Sequence[Part], aside: Part, alphas: Sequence[float] = ALPHAS) -> Readout:
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
    tried = _Solver(parts)
    scores = [r_squared(tried.solve(np.full(aside.y.shape[1], alpha))(aside.x), aside.y) for alpha in alphas]
    best = np.array(alphas)[np.nan_to_num(np.array(scores), nan=-np.inf).argmax(axis=0)]
    return _Solver([*parts, aside]).solve(best)


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


class _Solver:
    """Least squares with any penalty, from one eigenvalue decomposition."""

    def __init__(self, parts: Sequence[Part]) -> None:
        x = np.concatenate([part.x for part in parts]).astype(float)
        y = np.concatenate([part.y for part in parts]).astype(float)
        self.center, self.offset = x.mean(0), y.mean(0)
        x -= self.center
        scale = np.sqrt((x**2).mean(0))
        self.scale = np.where(scale > 1e-6 * np.maximum(np.abs(self.center), 1e-6), scale, np.inf)
        x /= self.scale  # an input that does not vary is out
        self.values, self.vectors = np.linalg.eigh(x.T @ x / len(x))
        self.slope = self.vectors.T @ (x.T @ (y - self.offset)) / len(x)

    def solve(self, alphas: FloatArray) -> Readout:
        """With one penalty for each target."""
        rotated = self.slope / (self.values.clip(min=0)[:, None] + alphas)
        weights = self.vectors @ rotated / self.scale[:, None]
        return Readout(self.center, self.offset, weights, alphas)
