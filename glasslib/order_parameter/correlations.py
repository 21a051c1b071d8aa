"""How far a field on particles hangs together: spatial correlations and their length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import trapezoid

from glasslib.errors import GlassError
from glasslib.glass import FloatArray, Glass
from glasslib.neighbors import pairs_within

#: Shortest length looked for, in sigma_AA; no two particles are closer than about 0.8.
SHORTEST = 0.3
#: Lengths tried, from SHORTEST to a third of the box, in equal ratios.
N_LENGTHS = 1000


@dataclass(frozen=True, eq=False)
class SpatialCorrelation:
    """Mean product of the fluctuations of fields on two particles, by their distance.

    Attributes
    ----------
    r : (n_bins,)
        Centres of the bins, in sigma_AA.
    n_pairs : (n_bins,)
        Pairs of particles in each.
    products : (n_fields, n_bins)
        Mean over pairs; nan where there is none.
    variances : (n_fields,)
        The same of each particle with itself.
    box : (3,)
        Edge lengths, in sigma_AA.
    """

    r: FloatArray
    n_pairs: NDArray[np.int64]
    products: FloatArray
    variances: FloatArray
    box: FloatArray

    @property
    def normalized(self) -> FloatArray:
        """Products ``(n_fields, n_bins)`` over variances: 1 where two particles are always alike."""
        ratio: FloatArray = self.products / self.variances[:, None]
        return ratio

    @classmethod
    def mean(cls, parts: Sequence[SpatialCorrelation]) -> SpatialCorrelation:
        """Of several configurations in equal boxes: all their pairs, and all their particles, together."""
        if not parts:
            raise GlassError("no correlations were given")
        first = parts[0]
        for part in parts:
            if part.products.shape != first.products.shape or not np.allclose(part.box, first.box, rtol=1e-3):
                raise GlassError("correlations differ in fields, bins or box", field="parts")
        n_pairs = np.sum([part.n_pairs for part in parts], axis=0)
        total = np.sum([part.n_pairs * np.nan_to_num(part.products) for part in parts], axis=0)
        variances = np.mean([part.variances for part in parts], axis=0)
        return cls(first.r, n_pairs, _over(total, n_pairs), variances, first.box)


def spatial_correlation(
    glass: Glass,
    values: ArrayLike,
    other: ArrayLike | None = None,
    *,
    particle_type: str = "A",
    structure: str = "thermal",
    width: float = 0.2,
) -> SpatialCorrelation:
    r"""Correlation of fields between particles of one type, by distance, up to half the box.

    .. math:: C(r) = \langle \delta f_i\, \delta f_j \rangle_{r_{ij} \approx r}, \qquad
              \delta f_i = f_i - \langle f \rangle,

    with the mean over the particles of that type in this configuration. With ``other``, the mean of
    :math:`\delta f_i \delta h_j` and :math:`\delta h_i \delta f_j`: of two measurements of one field whose
    noise is independent, such as ``glass.propensity_halves``, noise cancels out. That mends more than the
    variance: noise of the propensity is itself correlated in space, as neighbours in one trajectory move
    together.

    Parameters
    ----------
    glass :
        The configuration.
    values : (n_particles,) or (n_fields, n_particles)
        Fields. Particles of the other type do not count and may be nan.
    other : like ``values``
        By default ``values``.
    particle_type :
        ``"A"`` or ``"B"``.
    structure :
        ``"thermal"`` or ``"inherent"`` positions give the distances.
    width :
        Of a bin, in sigma_AA.

    Raises
    ------
    GlassError
        When fields do not fit the glass, hold a nan where they count, or do not vary; for an unknown type or
        structure, or bins that are not positive or wider than half the box.
    """
    mask = glass.is_type(particle_type)
    half = float(glass.box.min()) / 2
    if not 0 < width <= half:
        raise GlassError(f"expected 0 < width <= {half:g}, got {width}", field="width")
    first = _fluctuations(values, mask, "values")
    second = first if other is None else _fluctuations(other, mask, "other")
    if first.shape != second.shape:
        raise GlassError(f"expected shape {first.shape}, got {second.shape}", field="other")
    n_bins = int(half / width + 1e-9)
    positions = glass.positions_in(structure)[mask]
    i, j, vectors = pairs_within(positions, glass.box, min(n_bins * width, half), source=glass.source)
    place = np.minimum((np.linalg.norm(vectors, axis=1) / width).astype(int), n_bins - 1)
    sums = np.zeros((len(first), n_bins))
    for total, f, h in zip(sums, first, second, strict=True):
        product = f[i] * h[j] if np.array_equal(f, h) else (f[i] * h[j] + h[i] * f[j]) / 2
        total += np.bincount(place, product, n_bins)
    n_pairs = np.bincount(place, minlength=n_bins)
    r = width * (np.arange(n_bins, dtype=float) + 0.5)
    variances = np.array([f @ h / len(f) for f, h in zip(first, second, strict=True)])
    return SpatialCorrelation(r, n_pairs, _over(sums, n_pairs), variances, glass.box)


class CorrelationLength(NamedTuple):
    """Over which distance fields hang together, in sigma_AA, each with its standard error.

    Errors come from leaving out one configuration after the other; nan for a single one, and where one of
    these fits finds nothing.

    Attributes
    ----------
    lengths, errors : (n_fields,)
        Of the exponential that fits best; nan where none does, or only one longer than a third of the box.
    amplitudes : (n_fields,)
        Of the exponential, relative to the variance: what it would be at distance zero.
    integrals, integral_errors : (n_fields,)
        Area under the correlation as it is, from ``r_min`` to where it first vanishes, over its first value.
        For an exponential much shorter than the box the same length; asks for no shape, but a small box
        cuts it short. nan where the first value is not positive.
    """

    lengths: FloatArray
    errors: FloatArray
    amplitudes: FloatArray
    integrals: FloatArray
    integral_errors: FloatArray


def correlation_length(
    parts: Sequence[SpatialCorrelation], *, r_min: float = 1.0, r_max: float | None = None
) -> CorrelationLength:
    r"""Fit an exponential to correlations of one or several configurations together.

    .. math:: C(r) = A \Big( \sum_n \big\langle e^{-|\mathbf r + n \mathbf L|/\xi} \big\rangle
              - \frac{8\pi\xi^3}{V} \Big),

    over all periodic images, averaged over directions. The last term is the mean of the sum over the box:
    fluctuations within a configuration add up to zero, which lowers their correlation by just that. This is
    the correlation of a field made of the waves that fit into the box without the constant one, with the
    weights that an infinite system gives them. A bare exponential would come out too short in a small box.
    Least squares, every pair counting the same.

    Parameters
    ----------
    parts :
        One for each configuration, in equal boxes.
    r_min, r_max :
        Distances fitted, in sigma_AA: from the nearest neighbours to a third of the shortest edge (this
        project's choice).

    Raises
    ------
    GlassError
        When there are fewer than three bins between ``r_min`` and ``r_max``.
    """
    every = SpatialCorrelation.mean(parts)
    r_max = float(every.box.min()) / 3 if r_max is None else r_max
    chosen = (every.r > r_min) & (every.r < r_max) & (every.n_pairs > 0)
    if chosen.sum() < 3:
        raise GlassError(f"no three bins lie between {r_min:g} and {r_max:g}", field="r_max")
    tried = np.geomspace(SHORTEST, float(every.box.min()) / 3, N_LENGTHS)
    shapes = np.stack([_periodic(every.r[chosen], length, every.box) for length in tried])

    def fit(one: SpatialCorrelation) -> tuple[FloatArray, FloatArray]:
        return _fit(one.normalized[:, chosen], one.n_pairs[chosen], one.variances > 0, tried, shapes)

    lengths, amplitudes = fit(every)
    integrals = _integrals(every, r_min)
    errors = np.full((2, len(lengths)), np.nan)
    if len(parts) > 1:
        rest = [SpatialCorrelation.mean([*parts[:k], *parts[k + 1 :]]) for k in range(len(parts))]
        without = np.array([[fit(each)[0], _integrals(each, r_min)] for each in rest])
        errors = np.sqrt((len(parts) - 1) * without.var(axis=0))
    return CorrelationLength(lengths, errors[0], amplitudes, integrals, errors[1])


def _fit(
    found: FloatArray,
    weights: NDArray[np.int64],
    sound: NDArray[np.bool_],
    tried: FloatArray,
    shapes: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Lengths and amplitudes ``(n_fields,)``: the best of all lengths, the amplitude from least squares."""
    norms = (weights * shapes**2).sum(axis=1)
    overlaps = (weights * np.nan_to_num(found)) @ shapes.T
    # errors fall as overlap^2 / norm grows; a negative amplitude is no length
    best = (overlaps.clip(min=0) ** 2 / norms).argmax(axis=1)
    amplitudes = overlaps[np.arange(len(best)), best] / norms[best]
    sound = sound & (best > 0) & (best < len(tried) - 1) & (amplitudes > 0)
    return np.where(sound, tried[best], np.nan), np.where(sound, amplitudes, np.nan)


def _periodic(r: FloatArray, length: float, box: FloatArray) -> FloatArray:
    """An exponential and its images, averaged over directions, less the mean over the box, ``(n_bins,)``.

    On a sphere of radius r whose centre is R away, the mean of exp(-s / xi) over the distance s is the
    integral of s exp(-s / xi) from R - r to R + r, over 2 r R.
    """
    far, count = _images(tuple(box.tolist()))

    def integral(s: FloatArray) -> FloatArray:  # from s to infinity
        rest: FloatArray = length * (s + length) * np.exp(-s / length)
        return rest

    near, away = far[:, None] - r, far[:, None] + r
    images = count @ ((integral(near) - integral(away)) / (2 * far[:, None] * r))
    shape: FloatArray = np.exp(-r / length) + images - 8 * np.pi * length**3 / box.prod()
    return shape


@lru_cache(maxsize=8)
def _images(box: tuple[float, ...]) -> tuple[FloatArray, NDArray[np.int64]]:
    """Distances of the images within three boxes, and how many have each."""
    steps = np.stack(np.meshgrid(*[np.arange(-3, 4)] * 3), axis=-1).reshape(-1, 3)
    distances = np.linalg.norm(steps[np.abs(steps).sum(axis=1) > 0] * np.array(box), axis=1)
    unique, count = np.unique(distances.round(9), return_counts=True)
    return unique, count


def _integrals(every: SpatialCorrelation, r_min: float) -> FloatArray:
    """Areas ``(n_fields,)`` up to the first zero, over the first values."""
    chosen = (every.r > r_min) & (every.n_pairs > 0)
    r, rows = every.r[chosen], every.normalized[:, chosen]
    positive = np.logical_and.accumulate(rows > 0, axis=1)
    areas: FloatArray = trapezoid(np.where(positive, rows, 0.0), r, axis=1)
    sound = positive[:, 0] & (every.variances > 0)
    return np.where(sound, areas / np.where(sound, rows[:, 0], 1.0), np.nan)


def _fluctuations(values: ArrayLike, mask: NDArray[np.bool_], field: str) -> FloatArray:
    """Deviations ``(n_fields, n)`` from the mean over the particles that count."""
    rows: FloatArray = np.atleast_2d(np.asarray(values, dtype=float))
    if rows.ndim != 2 or rows.shape[1] != len(mask):
        raise GlassError(
            f"expected shape ({len(mask)},) or (n_fields, {len(mask)}), got {np.shape(values)}", field=field
        )
    if mask.sum() < 2:
        raise GlassError("there are fewer than two particles of this type", field="particle_type")
    rows = rows[:, mask]
    if not np.isfinite(rows).all():
        raise GlassError("some values are NaN or infinite", field=field)
    rows -= rows.mean(axis=1, keepdims=True)
    if not (np.abs(rows).max(axis=1) > 0).all():
        raise GlassError("a field does not vary", field=field)
    return rows


def _over(total: FloatArray, n_pairs: NDArray[np.int64]) -> FloatArray:
    ratio: FloatArray = np.where(n_pairs > 0, total / np.maximum(n_pairs, 1), np.nan)
    return ratio
