"""Ridge regression from sums over particles, for any number of targets and penalties."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from glasslib.glass import FloatArray


class Part(NamedTuple):
    """Inputs ``(n, n_inputs)`` and targets ``(n, n_targets)`` of some particles."""

    x: NDArray[np.floating]
    y: NDArray[np.floating]


class Moments(NamedTuple):
    """Sums over particles, which are all that least squares needs of them; those of parts add up."""

    n: int
    x: FloatArray
    y: FloatArray
    xx: FloatArray
    xy: FloatArray

    @classmethod
    def of(cls, x: NDArray[np.floating], y: NDArray[np.floating]) -> Moments:
        """From inputs ``(n, n_inputs)`` and targets ``(n, n_targets)``."""
        x, y = x.astype(float), y.astype(float)
        return cls(len(x), x.sum(0), y.sum(0), x.T @ x, x.T @ y)


class Standardised(NamedTuple):
    """Means over particles whose inputs have been centred and scaled.

    Attributes
    ----------
    offset : (n_targets,)
        Mean of the targets.
    center, scale : (n_inputs,)
        Mean and standard deviation of the inputs; the scale of one that does not vary is 1.
    gram : (n_inputs, n_inputs)
        Their correlations; 0 for one that does not vary.
    slope : (n_inputs, n_targets)
        Mean product of standardised inputs with targets.
    """

    offset: FloatArray
    center: FloatArray
    scale: FloatArray
    gram: FloatArray
    slope: FloatArray

    @classmethod
    def of(cls, parts: Sequence[Moments]) -> Standardised:
        """From sums over the particles of all parts."""
        n = sum(part.n for part in parts)
        # one after the other, so that many parts need the memory of two
        center, offset, xx, xy = (
            sum(getattr(part, name) for part in parts) / n for name in ("x", "y", "xx", "xy")
        )
        scale = np.sqrt(np.maximum(np.diag(xx) - center**2, 0))
        varies = scale > 1e-6 * np.maximum(np.abs(center), 1e-6)
        scale = np.where(varies, scale, 1.0)
        keep = varies / scale
        gram = (xx - np.outer(center, center)) * np.outer(keep, keep)
        return cls(offset, center, scale, gram, (xy - np.outer(center, offset)) * keep[:, None])


@dataclass(frozen=True, eq=False)
class LinearFit:
    """A linear model.

    Attributes
    ----------
    offset : (n_targets,)
        Mean of the targets.
    center, scale : (n_inputs,)
        Mean and standard deviation of the inputs; the scale of one that does not vary is 1.
    weights : (n_inputs, n_targets)
        Of the inputs so standardised; 0 for one that does not vary.
    alphas : (n_targets,)
        Penalties, in units of the number of particles.
    """

    offset: FloatArray
    center: FloatArray
    scale: FloatArray
    weights: FloatArray
    alphas: FloatArray

    def predict(self, x: NDArray[np.floating]) -> FloatArray:
        """Inputs ``(n, n_inputs)`` to targets ``(n, n_targets)``."""
        predicted: FloatArray = self.offset + ((x - self.center) / self.scale) @ self.weights
        return predicted


class Ridge:
    r"""Minimises :math:`\sum_i (y_i - b - w \cdot z_i)^2 + \alpha N |w|^2`, z the standardised inputs.

    One eigenvalue decomposition serves every penalty.

    Parameters
    ----------
    parts :
        Sums over the particles that are fitted.
    """

    def __init__(self, parts: Sequence[Moments]) -> None:
        self.offset, self.center, self.scale, gram, slope = Standardised.of(parts)
        self.values, self.vectors = np.linalg.eigh(gram)
        self.slope = self.vectors.T @ slope

    def solve(self, alphas: float | FloatArray) -> LinearFit:
        """The model with one penalty for all targets, or one for each ``(n_targets,)``."""
        each = np.broadcast_to(alphas, self.offset.shape).astype(float)
        rotated = self.slope / (self.values.clip(min=0)[:, None] + each)
        return LinearFit(self.offset, self.center, self.scale, self.vectors @ rotated, each)


def fit_choosing(
    fitted: Sequence[Moments],
    aside: Sequence[Part],
    alphas: Sequence[float],
    score: Callable[[FloatArray, NDArray[np.floating]], FloatArray],
) -> LinearFit:
    """Fit with every penalty; with the one that does best on what was set aside, fit to all.

    Parameters
    ----------
    fitted :
        What is fitted.
    aside :
        What the penalty of each target is chosen on: the largest mean of the scores over these.
    alphas :
        Penalties tried.
    score :
        Of guess and truth ``(n, n_targets)``, ``(n_targets,)``; nan counts as worst.
    """
    ridge = Ridge(fitted)
    tried = [ridge.solve(alpha) for alpha in alphas]
    scores = np.mean([[score(fit.predict(part.x), part.y) for part in aside] for fit in tried], axis=1)
    best = np.array(alphas)[np.nan_to_num(scores, nan=-np.inf).argmax(axis=0)]
    return Ridge([*fitted, *(Moments.of(*part) for part in aside)]).solve(best)
