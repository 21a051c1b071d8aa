"""The two predictors that everything else must beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glasslib.errors import GlassError
from glasslib.glass import TYPE_NAMES, FloatArray, Glass


class ConstantPredictor:
    """Predicts for each type its mean propensity in the training configurations."""

    def __init__(self) -> None:
        self.means: FloatArray | None = None

    def fit(self, glasses: Sequence[Glass]) -> ConstantPredictor:
        """Take the mean over training particles, ``(n_types, n_times)``."""
        y, types = _targets(glasses)
        self.means = np.stack([_mean(y[:, types == number]) for number in range(len(TYPE_NAMES))])
        return self

    def predict(self, glass: Glass) -> FloatArray:
        """Propensity ``(n_times, n_particles)``, in sigma_AA."""
        if self.means is None:
            raise GlassError("call fit before predict")
        means: FloatArray = self.means[glass.types].T
        return means


class EnergyPredictor:
    """A straight line per type and time through the energies of the inherent structure."""

    def __init__(self) -> None:
        self.lines: FloatArray | None = None

    def fit(self, glasses: Sequence[Glass]) -> EnergyPredictor:
        """Least squares over training particles; ``lines`` is ``(n_types, n_times, 2)``."""
        y, types = _targets(glasses)
        energies = np.concatenate([glass.require("inherent_energies") for glass in glasses])
        lines = np.zeros((len(TYPE_NAMES), len(y), 2))
        for number in range(len(TYPE_NAMES)):
            chosen = types == number
            if chosen.any():
                lines[number] = np.polyfit(energies[chosen], y[:, chosen].T, 1).T
        self.lines = lines
        return self

    def predict(self, glass: Glass) -> FloatArray:
        """Propensity ``(n_times, n_particles)``, in sigma_AA."""
        if self.lines is None:
            raise GlassError("call fit before predict")
        slope, offset = self.lines[glass.types].transpose(2, 1, 0)
        line: FloatArray = slope * glass.require("inherent_energies") + offset
        return line


def _targets(glasses: Sequence[Glass]) -> tuple[FloatArray, np.ndarray]:
    if not glasses:
        raise GlassError("no configurations were given")
    y = np.concatenate([glass.require("propensity") for glass in glasses], axis=1)
    return y, np.concatenate([g.types for g in glasses])


def _mean(values: FloatArray) -> FloatArray:
    return values.mean(axis=1) if values.shape[1] else np.zeros(len(values))
