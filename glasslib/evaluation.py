"""How good a prediction is: Pearson correlations, their ceiling and their intervals.

Two averages are always given, because beyond the relaxation time they differ a lot:

- ``mean``: one Pearson r per configuration, then averaged over configurations;
- ``pooled``: one r over the particles of all configurations together, which also rewards knowing
  which configuration is the faster one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm.auto import tqdm

from glasslib.errors import GlassError
from glasslib.glass import FloatArray, Glass
from glasslib.readers.boundary import atomic_write


class Predictor(Protocol):
    """The face that every predictor has, learned or expert."""

    def fit(self, glasses: Sequence[Glass]) -> object:
        """Learn from configurations whose propensity is known."""

    def predict(self, glass: Glass) -> NDArray[np.floating]:
        """Propensity ``(n_times, n_particles)``, in sigma_AA."""


@dataclass(frozen=True)
class Score:
    """Agreement of predictions with the truth, time by time.

    Attributes
    ----------
    times : (n_times,)
        In LJ units.
    each : (n_configurations, n_times)
        Pearson r of every configuration.
    mean, pooled : (n_times,)
        The two averages.
    interval : (2, n_times)
        95% bootstrap interval of ``mean``, configurations resampled.
    """

    times: FloatArray
    each: FloatArray
    mean: FloatArray
    pooled: FloatArray
    interval: FloatArray


def pearson(x: ArrayLike, y: ArrayLike) -> float:
    """Pearson correlation of two ``(n,)`` arrays; 0 where one of them does not vary."""
    a, b = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if a.shape != b.shape or a.ndim != 1 or len(a) < 2:
        raise GlassError(f"cannot correlate shapes {a.shape} and {b.shape}; expected two equal (n,), n > 1")
    # a constant leaves rounding errors behind, which must not pass for a signal
    tiny = 1e-12 * len(a) * max(np.abs(a).max() * np.abs(b).max(), 1e-300)
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > tiny else 0.0


def score(
    predictions: Sequence[ArrayLike],
    glasses: Sequence[Glass],
    *,
    particle_type: str = "A",
    n_bootstrap: int = 2000,
    seed: int = 0,
) -> Score:
    """Compare predictions with the propensity of the same configurations.

    Parameters
    ----------
    predictions :
        One ``(n_times, n_particles)`` array per configuration.
    glasses :
        The configurations, all with the same times.
    particle_type :
        Particles that count.
    n_bootstrap, seed :
        Of the interval.
    """
    times = common_times(glasses)
    truths, guesses = [], []
    for prediction, glass in zip(predictions, glasses, strict=True):
        guess = np.asarray(prediction, dtype=float)
        truth = glass.propensity
        assert truth is not None
        if guess.shape != truth.shape:
            raise GlassError(
                f"expected a prediction of shape {truth.shape}, got {guess.shape}", source=glass.source
            )
        mask = glass.is_type(particle_type)
        truths.append(truth[:, mask])
        guesses.append(guess[:, mask])
    each = np.array(
        [[pearson(*rows) for rows in zip(g, t, strict=True)] for g, t in zip(guesses, truths, strict=True)]
    )
    pooled = [
        pearson(*rows)
        for rows in zip(np.concatenate(guesses, axis=1), np.concatenate(truths, axis=1), strict=True)
    ]
    return Score(times, each, each.mean(0), np.array(pooled), bootstrap_interval(each, n_bootstrap, seed))


def evaluate(
    predictor: Predictor, glasses: Sequence[Glass], *, particle_type: str = "A", progress: bool = False
) -> Score:
    """Predict every configuration and :func:`score` the result."""
    predictions = [predictor.predict(g) for g in tqdm(glasses, desc="predict", disable=not progress)]
    return score(predictions, glasses, particle_type=particle_type)


def ceiling(glasses: Sequence[Glass], *, particle_type: str = "A") -> Score:
    r"""The best score that any predictor could reach, given finitely many replicas.

    The halves of the replicas correlate with :math:`r`; by Spearman and Brown the full ensemble
    has the reliability :math:`\rho = 2r/(1+r)`, and even the exact propensity correlates with the
    measured one by no more than :math:`\sqrt\rho`.

    Raises
    ------
    GlassError
        When a configuration does not know its two halves.
    """
    common_times(glasses)
    first, second = zip(*(glass.require("propensity_halves") for glass in glasses), strict=True)
    halves = [glass.replace(propensity=half) for glass, half in zip(glasses, second, strict=True)]
    raw = score(first, halves, particle_type=particle_type, n_bootstrap=1)
    each = _reliability(raw.each)
    return Score(raw.times, each, each.mean(0), _reliability(raw.pooled), bootstrap_interval(each))


def _reliability(r: FloatArray) -> FloatArray:
    r = np.clip(r, 0.0, 1.0)
    return np.sqrt(2 * r / (1 + r))


def bootstrap_interval(each: ArrayLike, n_bootstrap: int = 2000, seed: int = 0) -> FloatArray:
    """95% percentile interval ``(2, n_times)`` of the mean over rows of ``(n_rows, n_times)``."""
    each = np.asarray(each, dtype=float)
    draws = np.random.default_rng(seed).integers(len(each), size=(n_bootstrap, len(each)))
    interval: FloatArray = np.percentile(each[draws].mean(axis=1), [2.5, 97.5], axis=0)
    return interval


def common_times(glasses: Sequence[Glass]) -> FloatArray:
    """The times ``(n_times,)`` that all configurations share; GlassError where they differ."""
    if not glasses:
        raise GlassError("no configurations were given")
    times: FloatArray | None = None
    for glass in glasses:
        glass.require("propensity")
        own = glass.require("times")
        if times is None:
            times = own
        elif times.shape != own.shape or not np.allclose(times, own, rtol=1e-6, atol=0):
            raise GlassError(
                f"times {own} differ from {times} of the first configuration",
                source=glass.source,
                field="times",
                remedy="Select common ones with glass.at_times(times)",
            )
    assert times is not None
    return times


def table(scores: Mapping[str, Score]) -> str:
    """Scores side by side as text, one row per predictor and time."""
    width = max([len(name) for name in scores] + [len("predictor")])
    lines = [f"{'predictor':<{width}}  {'time':>8}  {'r(mean)':>7}  {'95% interval':>14}  {'r(pooled)':>9}"]
    for name, value in scores.items():
        for t, time in enumerate(value.times):
            low, high = value.interval[:, t]
            lines.append(
                f"{name:<{width}}  {time:>8g}  {value.mean[t]:>7.3f}  {f'{low:.3f} to {high:.3f}':>14}"
                f"  {value.pooled[t]:>9.3f}"
            )
    return "\n".join(lines)


def save_scores(path: str | Path, scores: Mapping[str, Score], **about: Any) -> None:
    """Write scores by predictor as JSON, with anything JSON-like about how they came to be.

    Raises
    ------
    GlassError
        When the folder is missing, full or read-only; an older file then stays.
    """
    rows = {
        name: {field.name: getattr(value, field.name).tolist() for field in fields(Score)}
        for name, value in scores.items()
    }
    text = json.dumps({**about, "scores": rows}, indent=1) + "\n"
    with atomic_write(path) as file:
        file.write(text.encode())


def load_scores(path: str | Path) -> dict[str, Score]:
    """Read what :func:`save_scores` wrote; GlassError when it is something else."""
    try:
        rows = json.loads(Path(path).read_text())["scores"]
        return {
            name: Score(*(np.array(row[field.name]) for field in fields(Score))) for name, row in rows.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise GlassError(f"holds no scores ({error!r})", source=path) from error
