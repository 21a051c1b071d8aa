"""Ridge regression on expert features."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from glasslib.errors import GlassError
from glasslib.features import FeatureOptions, Shells, features
from glasslib.glass import TYPE_NAMES, FloatArray, Glass
from glasslib.linear import LinearFit, Moments, Part, fit_choosing
from glasslib.readers.boundary import atomic_write

#: Begins its files.
FORMAT = "glasslib ridge 1"

#: Strengths of the penalty that are tried, in units of the number of training particles.
ALPHAS = tuple(10.0**exponent for exponent in np.arange(-4.0, 1.01, 0.5))


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
        self.fits: dict[str, LinearFit] = {}
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
        fitted: dict[str, list[Moments]] = {name: [] for name in TYPE_NAMES}
        tests: dict[str, list[Part]] = {name: [] for name in TYPE_NAMES}
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
                part = Part(table.values[mask].astype(np.float64), propensity[:, mask].T)
                if k in aside:
                    tests[name].append(part)
                else:
                    fitted[name].append(Moments.of(*part))
        self.fits = {
            name: fit_choosing(fitted[name], tests[name], self.alphas, _correlations)
            for name in TYPE_NAMES
            if fitted[name] and tests[name]
        }
        return self

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
            for field in fields(LinearFit)
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
                    of = (arrays[f"{name} {field.name}"] for field in fields(LinearFit))
                    predictor.fits[name] = LinearFit(*of)
        # numpy and zipfile raise whatever the damage leads to
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
            if isinstance(error, GlassError):
                raise
            raise GlassError(f"is not a readable model ({error!r})", source=path) from error
        return predictor


def _shells(described: list[dict[str, float]]) -> tuple[Shells, ...]:
    return tuple(Shells(**each) for each in described)


def _correlations(guess: FloatArray, truth: NDArray[np.floating]) -> FloatArray:
    """Pearson's r ``(n_times,)`` of two ``(n, n_times)`` arrays; 0 where one does not vary."""
    a, b = guess - guess.mean(0), truth - truth.mean(0)
    scale = np.sqrt((a**2).sum(0) * (b**2).sum(0))
    r: FloatArray = np.where(scale > 0, (a * b).sum(0) / np.where(scale > 0, scale, 1), 0.0)
    return r
