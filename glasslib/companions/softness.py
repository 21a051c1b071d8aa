r"""Softness, and whether it is an energy barrier.

A linear classifier separates particles that are about to rearrange from those that are not; *softness* is the
distance from its hyperplane (Cubuk et al., Phys. Rev. Lett. 114, 108001 (2015)). Where particles of the same
softness S rearrange with a probability :math:`P_R(S) = e^{\Sigma(S) - \Delta E(S)/T}`, the slope
:math:`\Delta E(S)` is read as their barrier (Schoenholz et al., Nat. Phys. 12, 469 (2016)). When this reading
fails: Swain, Ridout and Nemenman, arXiv:2403.00751. The functions work for any other number per particle in
place of the softness.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.svm import LinearSVC  # type: ignore[import-untyped]

from glasslib.errors import GlassError
from glasslib.glass import FloatArray


@dataclass(frozen=True, eq=False)
class Hyperplane:
    """A linear classifier.

    Attributes
    ----------
    weights : (n_features,)
        Normal of the hyperplane; it points to the active side.
    offset :
        ``x @ weights + offset`` is 0 on the hyperplane and 1 on the margin of the active side.
    """

    weights: FloatArray
    offset: float

    def softness(self, x: ArrayLike) -> FloatArray:
        """Distance ``(n,)`` of features ``(n, n_features)`` from the plane, positive on the active side."""
        distance: FloatArray = (np.asarray(x) @ self.weights + self.offset) / np.linalg.norm(self.weights)
        return distance

    def accuracy(self, x: ArrayLike, active: ArrayLike) -> float:
        """Share of particles on their own side, active ones and others counting half each."""
        right = (self.softness(x) > 0) == (is_active := np.asarray(active, dtype=bool))
        return float(right[is_active].mean() + right[~is_active].mean()) / 2


def separate(x: ArrayLike, active: ArrayLike, c: float = 1.0) -> Hyperplane:
    r"""Linear support vector machine with squared hinge loss.

    Minimises :math:`\tfrac12 |w|^2 + c \sum_i \max(0,\, 1 - y_i (w \cdot x_i + b))^2` over w and b, where y
    is 1 for active particles and -1 for others; by scikit-learn's ``LinearSVC``, which is liblinear (Fan et
    al., J. Mach. Learn. Res. 9, 1871 (2008)), told not to penalise the offset.

    Parameters
    ----------
    x : (n, n_features)
        Features, of comparable size; as many active particles as others, as in the papers.
    active : (n,)
        Whether each particle rearranges.
    c :
        Cost of particles on the wrong side of their margin.

    Raises
    ------
    GlassError
        When shapes do not fit, numbers are not finite, c is not positive, or one of the classes is empty.
    """
    x, active = np.asarray(x, dtype=float), np.asarray(active, dtype=bool)
    if x.ndim != 2 or active.shape != (len(x),):
        raise GlassError(f"expected features (n, n_features) and (n,), got {x.shape} and {active.shape}")
    if not np.isfinite(x).all():
        raise GlassError("some are NaN or infinite", field="x")
    if not 0 < active.sum() < len(x):
        raise GlassError(f"expected particles of both kinds, got {active.sum()} of {len(x)}", field="active")
    if not c > 0:
        raise GlassError(f"expected a positive number, got {c}", field="c")
    # the offset is a weight of a column of this number, so large that its penalty does not count
    offsets = {"fit_intercept": True, "intercept_scaling": 1000.0}
    svm = LinearSVC(C=c, loss="squared_hinge", dual=False, tol=1e-10, max_iter=10_000, **offsets)
    svm.fit(x, active)
    return Hyperplane(svm.coef_[0], float(svm.intercept_[0]))


def equal_bins(values: ArrayLike, n_bins: int) -> NDArray[np.int64]:
    """Bin ``(n,)`` of each value, from 0 for the lowest; all bins hold (nearly) as many particles."""
    values = np.asarray(values)
    if values.ndim != 1 or not 1 <= n_bins <= len(values):
        raise GlassError(f"cannot sort values of shape {values.shape} into {n_bins} bins", field="n_bins")
    bins = np.empty(len(values), dtype=np.int64)
    bins[values.argsort(kind="stable")] = np.arange(len(values)) * n_bins // len(values)
    return bins


def bin_means(values: ArrayLike, bins: ArrayLike) -> FloatArray:
    """Means ``(..., n_bins)`` of values ``(..., n)`` over the particles of each bin."""
    values, bins = np.asarray(values, dtype=float), np.asarray(bins)
    size = np.bincount(bins)
    order = bins.argsort(kind="stable")
    means: FloatArray = np.add.reduceat(values[..., order], np.cumsum(size) - size, axis=-1) / size
    return means


class Arrhenius(NamedTuple):
    """Straight lines ln P = log_prefactor - barrier / T, one for each bin; all (n_bins,)."""

    barrier: FloatArray
    log_prefactor: FloatArray
    r_squared: FloatArray


def arrhenius(probability: ArrayLike, temperatures: ArrayLike) -> Arrhenius:
    r"""Fit :math:`\ln P = \Sigma - \Delta E / T`.

    However straight, the line gives the barrier only where all particles of a bin have the same one. If they
    rearrange at rates :math:`\nu e^{-E_i/T}`, its slope is the mean of E over those that *do rearrange*
    (Tolman, J. Am. Chem. Soc. 42, 2506 (1920)), which is less than the mean over all: by :math:`s^2/T` for
    barriers spread normally with standard deviation s.

    Parameters
    ----------
    probability : (n_temperatures, n_bins)
        Positive.
    temperatures : (n_temperatures,)
        At least two.

    Raises
    ------
    GlassError
        When shapes do not fit, or a probability or temperature is not positive.
    """
    p, t = np.asarray(probability, dtype=float), np.asarray(temperatures, dtype=float)
    if p.ndim != 2 or t.shape != (len(p),) or len(t) < 2:
        raise GlassError(
            f"expected (n_temperatures, n_bins) and (n_temperatures,), got {p.shape} and {t.shape}"
        )
    if not ((p > 0).all() and (t > 0).all()):
        raise GlassError(
            "expected positive numbers",
            field="probability, temperatures",
            remedy="Take fewer bins or more replicas",
        )
    y = np.log(p)
    slope, intercept = np.polyfit(1 / t, y, 1)
    rest = ((y - intercept - slope / t[:, None]) ** 2).sum(0)
    return Arrhenius(-slope, intercept, 1 - rest / ((y - y.mean(0)) ** 2).sum(0))


def rate_spread(counts: ArrayLike, replicas: int, bins: ArrayLike) -> FloatArray:
    r"""How much the rates of particles differ within a bin, chance taken out.

    A particle that rearranges with probability p does so in n of R replicas; :math:`n(n-1)/R(R-1)` is
    :math:`p^2` on average, without the chance that :math:`(n/R)^2` would add. So the mean and the mean square
    of p over the particles of a bin are known however few the replicas. Their ratio is given as the standard
    deviation of ln p that it would have for normally spread ln p: :math:`s = \sqrt{\ln(\langle p^2\rangle /
    \langle p\rangle^2)}`. Barriers that spread by :math:`\sigma` make :math:`s = \sigma/T`, prefactors a
    constant.

    Parameters
    ----------
    counts : (..., n)
        In how many replicas each particle rearranged.
    replicas :
        How many there were, at least two.
    bins : (n,)
        As by :func:`equal_bins`.

    Returns
    -------
    (..., n_bins)
        0 where the particles differ by no more than chance.
    """
    counts = np.asarray(counts, dtype=float)
    if replicas < 2 or counts.min() < 0 or counts.max() > replicas:
        raise GlassError(f"expected counts from 0 to {replicas} and two or more replicas", field="counts")
    mean = bin_means(counts / replicas, bins)
    square = bin_means(counts * (counts - 1) / (replicas * (replicas - 1)), bins)
    ratio = np.divide(square, mean**2, out=np.ones_like(mean), where=mean > 0)
    spread: FloatArray = np.sqrt(np.log(ratio.clip(min=1)))
    return spread


def within_bins(values: ArrayLike, bins: ArrayLike) -> FloatArray:
    """Values ``(n,)`` less the mean of their bin, scaled to unit variance.

    The mean product of two such arrays is the correlation of the two quantities at fixed softness (or
    whatever the bins are of): if one number decides everything, it is 0.
    """
    values, bins = np.asarray(values, dtype=float), np.asarray(bins)
    if values.shape != bins.shape or values.ndim != 1:
        raise GlassError(f"expected values and bins of one shape (n,), got {values.shape} and {bins.shape}")
    rest = values - bin_means(values, bins)[bins]
    size = np.sqrt((rest**2).mean())
    scaled: FloatArray = rest / size if size > 1e-12 * max(np.abs(values).max(), 1e-300) else 0 * rest
    return scaled
