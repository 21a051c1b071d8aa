"""Ridge regression on expert features."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from glasslib.errors import GlassError
from glasslib.features import FeatureOptions, Shells, features
from glasslib.glass import TYPE_NAMES, FloatArray, Glass
from glasslib.readers.boundary import atomic_write

#: Begins its files.
FORMAT = "glasslib ridge 1"

#: Strengths of the penalty that are tried, in units of the number of training particles.
ALPHAS = tuple(10.0**exponent for exponent in np.arange(-4.0, 1.01, 0.5))


class _Part(NamedTuple):
    """Features ``(n, n_features)`` and propensity ``(n, n_times)`` of one type in one configuration."""

    x: FloatArray
    y: FloatArray


class _Moments(NamedTuple):
    """Sums over the particles of a part, which are all that least squares needs; those of parts add up."""

    aside: bool
    n: int
    x: FloatArray
    y: FloatArray
    xx: FloatArray
    xy: FloatArray

    @classmethod
    def of(cls, part: _Part, *, aside: bool) -> _Moments:
        x, y = part
        return cls(aside, len(x), x.sum(0), y.sum(0), x.T @ x, x.T @ y)


@dataclass(frozen=True)
class RidgeFit:
    """The linear model of one type.

    Attributes
    ----------
    offset : (n_times,)
        Mean propensity, in sigma_AA.
    center, scale : (n_features,)
        Mean and standard deviation of the features in training.
    weights : (n_features, n_times)
        Of the features so standardised, in sigma_AA.
    alphas : (n_times,)
        Penalty chosen, in units of the number of training particles.
    """

    offset: FloatArray
    center: FloatArray
    scale: FloatArray
    weights: FloatArray
    alphas: FloatArray

    def predict(self, x: NDArray[np.floating]) -> FloatArray:
        """Features ``(n, n_features)`` to propensity ``(n, n_times)``."""
        predicted: FloatArray = self.offset + ((x - self.center) / self.scale) @ self.weights
        return predicted


class RidgePredictor:
    r"""Linear in the expert features, one model for each type and time.

    Minimises :math:`\sum_i (y_i - b - w \cdot x_i)^2 + \alpha N |w|^2`, x the standardised features. Which
    :math:`\alpha` is best is seen on configurations set aside from the training ones (the largest mean of
    Pearson's r over them); then all are fitted. Boattini, Smallenburg and Filion, Phys. Rev. Lett. 127,
    088007 (2021), do so with their features.

    Parameters
    ----------
    options :
        Which features.
    n_validation :
        Training configurations set aside to choose :math:`\alpha`; at least one is left to fit.
    alphas :
        Penalties tried.
    seed :
        Which configurations are set aside.

    Attributes
    ----------
    fits :
        The models by type name, after ``fit``.
    names :
        Of the features, in the order of the weights.
    """

    def __init__(
        self,
        options: FeatureOptions | None = None,
        *,
        n_validation: int = 2,
        alphas: Sequence[float] = ALPHAS,
        seed: int = 0,
    ) -> None:
        if n_validation < 1 or not alphas or min(alphas) <= 0:
            raise GlassError("expected at least one configuration to validate on, and positive alphas")
        self.options = options or FeatureOptions()
        self.n_validation, self.alphas, self.seed = n_validation, tuple(alphas), seed
        self.fits: dict[str, RidgeFit] = {}
        self.names: list[str] = []

    def fit(self, glasses: Sequence[Glass], *, progress: bool = False) -> RidgePredictor:
        """Learn from configurations with propensity at common times; at least two.

        Raises
        ------
        GlassError
            When there are fewer, one has no propensity, or lacks what the features need.
        """
        if len(glasses) < 2:
            raise GlassError(
                f"expected at least two configurations, got {len(glasses)}",
                remedy="One of them is set aside to choose the penalty",
            )
        times = glasses[0].times
        aside = set(np.random.default_rng(self.seed).permutation(len(glasses))[: self.n_validation].tolist())
        if len(aside) == len(glasses):
            aside.pop()
        sums: dict[str, list[_Moments]] = {name: [] for name in TYPE_NAMES}
        tests: dict[str, list[_Part]] = {name: [] for name in TYPE_NAMES}
        for k, glass in enumerate(tqdm(glasses, "features", disable=not progress)):
            propensity = glass.require("propensity")
            if not np.array_equal(glass.times, times):  # type: ignore[arg-type]
                raise GlassError("differ from those of the first", source=glass.source, field="times")
            table = features(glass, self.options)
            self.names = table.names
            for name in TYPE_NAMES:
                mask = glass.is_type(name)
                if not mask.any():
                    continue
                part = _Part(table.values[mask].astype(np.float64), propensity[:, mask].T)
                sums[name].append(_Moments.of(part, aside=k in aside))
                tests[name] += [part] * (k in aside)
        chosen = {name for name in TYPE_NAMES if tests[name] and not all(each.aside for each in sums[name])}
        self.fits = {name: self._choose(sums[name], tests[name]) for name in TYPE_NAMES if name in chosen}
        return self

    def _choose(self, sums: Sequence[_Moments], tests: Sequence[_Part]) -> RidgeFit:
        """The penalties that do best on configurations set aside, then a fit to all."""
        tried = _solutions([each for each in sums if not each.aside], self.alphas)
        scores = [[_correlations(fit.predict(test.x), test.y) for test in tests] for fit in tried]
        best = np.mean(scores, axis=1).argmax(axis=0)
        final = _solutions(sums, self.alphas)
        weights = np.stack([final[k].weights[:, t] for t, k in enumerate(best)], axis=1)
        return replace(final[0], weights=weights, alphas=np.array(self.alphas)[best])

    def predict(self, glass: Glass) -> FloatArray:
        """Propensity ``(n_times, n_particles)``, in sigma_AA; 0 for a type unseen in training."""
        if not self.fits:
            raise GlassError("call fit before predict")
        x = features(glass, self.options).values
        n_times = len(next(iter(self.fits.values())).offset)
        predicted = np.zeros((n_times, len(glass)))
        for name, fit in self.fits.items():
            mask = glass.is_type(name)
            predicted[:, mask] = fit.predict(x[mask]).T
        return predicted

    def save(self, path: str | Path) -> None:
        """Write the fitted models, the options and the names of the features: arrays and JSON."""
        if not self.fits:
            raise GlassError("call fit before save")
        card = {"format": FORMAT, "options": asdict(self.options), "names": self.names}
        arrays = {
            f"{name} {field.name}": getattr(fit, field.name)
            for name, fit in self.fits.items()
            for field in fields(RidgeFit)
        }
        with atomic_write(path) as file:
            np.savez(file, card=np.array(json.dumps(card)), **arrays)

    @classmethod
    def load(cls, path: str | Path) -> RidgePredictor:
        """Read what :meth:`save` wrote; GlassError when it is missing, damaged, or something else."""
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            card = json.loads(str(arrays["card"]))
            if card["format"] != FORMAT:
                raise GlassError(f"expected the format {FORMAT!r}, got {card['format']!r}", source=path)
            shells = {name: _shells(card["options"][name]) for name in ("radial", "angular")}
            predictor = cls(FeatureOptions(**{**card["options"], **shells}))
            predictor.names = card["names"]
            for name in TYPE_NAMES:
                if f"{name} weights" in arrays:
                    of = (arrays[f"{name} {field.name}"] for field in fields(RidgeFit))
                    predictor.fits[name] = RidgeFit(*of)
        # numpy and zipfile raise whatever the damage leads to
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
            if isinstance(error, GlassError):
                raise
            raise GlassError(f"is not a readable model ({error!r})", source=path) from error
        return predictor


def _shells(described: list[dict[str, float]]) -> tuple[Shells, ...]:
    return tuple(Shells(**each) for each in described)


def _solutions(sums: Sequence[_Moments], alphas: Sequence[float]) -> list[RidgeFit]:
    """One fit for each penalty, from one eigenvalue decomposition."""
    n = sum(each.n for each in sums)
    arrays = zip(*((each.x, each.y, each.xx, each.xy) for each in sums), strict=True)
    center, offset, xx, xy = (sum(each[1:], each[0]) / n for each in arrays)
    scale = np.sqrt(np.maximum(np.diag(xx) - center**2, 0))
    scale[scale <= 1e-6 * np.maximum(np.abs(center), 1)] = 1.0  # a feature that does not vary
    covariance = (xx - np.outer(center, center)) / np.outer(scale, scale)
    slope = (xy - np.outer(center, offset)) / scale[:, None]
    values, vectors = np.linalg.eigh(covariance)
    rotated = vectors.T @ slope
    return [
        RidgeFit(
            offset,
            center,
            scale,
            vectors @ (rotated / (values.clip(min=0) + alpha)[:, None]),
            np.full(len(offset), alpha),
        )
        for alpha in alphas
    ]


def _correlations(guess: FloatArray, truth: FloatArray) -> FloatArray:
    """Pearson's r ``(n_times,)`` of two ``(n, n_times)`` arrays; 0 where one does not vary."""
    a, b = guess - guess.mean(0), truth - truth.mean(0)
    scale = np.sqrt((a**2).sum(0) * (b**2).sum(0))
    r: FloatArray = np.where(scale > 0, (a * b).sum(0) / np.where(scale > 0, scale, 1), 0.0)
    return r
