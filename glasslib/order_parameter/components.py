"""The leading component of what a network knows of every particle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm.auto import tqdm

from glasslib.errors import GlassError
from glasslib.evaluation import pearson
from glasslib.glass import FloatArray, Glass
from glasslib.interpretation import layer_features
from glasslib.predictor import SE3Predictor


@dataclass(frozen=True, eq=False)
class Component:
    """A direction in a table of numbers per particle.

    Attributes
    ----------
    center : (n_columns,)
        Mean of the particles it was fitted to.
    direction : (n_columns,)
        Scaled so that the values of these particles have unit variance.
    shares : (n_columns,)
        Part of the variance that each component carries, largest first.
    """

    center: FloatArray
    direction: FloatArray
    shares: FloatArray

    def values(self, table: NDArray[np.floating]) -> FloatArray:
        """Of particles ``(n, n_columns)``; 0 on average and of unit variance where it was fitted."""
        if table.ndim != 2 or table.shape[1] != len(self.center):
            raise GlassError(f"expected shape (n, {len(self.center)}), got {table.shape}", field="table")
        found: FloatArray = (table - self.center) @ self.direction
        return found


def principal_component(
    tables: Sequence[NDArray[np.floating]],
    rising_with: Sequence[NDArray[np.floating]],
    *,
    number: int = 0,
    standardize: bool = False,
) -> Component:
    """A principal component of all particles of some configurations together.

    Parameters
    ----------
    tables : each (n, n_columns)
        What is known of the particles of each configuration.
    rising_with : each (n_rows, n)
        Decides the sign, and nothing else: the correlation with these, averaged over rows and
        configurations, is positive.
    number :
        0 for the leading component, which carries most of the variance.
    standardize :
        Divide columns by their standard deviation first, for columns in different units; those that do not
        vary take no part.

    Raises
    ------
    GlassError
        When there are no particles, tables do not fit each other or ``rising_with``, a value is not finite,
        there is no such component, or it does not vary.
    """
    if not tables or len(tables) != len(rising_with):
        raise GlassError(f"expected as many tables as values, got {len(tables)} and {len(rising_with)}")
    stacked = np.concatenate(tables).astype(float)
    if not np.isfinite(stacked).all():
        raise GlassError("some values are NaN or infinite", field="tables")
    if not 0 <= number < stacked.shape[1]:
        raise GlassError(f"expected 0 to {stacked.shape[1] - 1}, got {number}", field="number")
    center = stacked.mean(0)
    stacked -= center
    scale = np.ones(len(center))
    if standardize:
        scale = stacked.std(0)
        varies = scale > 1e-6 * np.maximum(np.abs(center), 1e-6)
        scale = np.where(varies, scale, np.inf)
    variances, directions = np.linalg.eigh((stacked.T @ stacked) / np.outer(scale, scale) / len(stacked))
    variances, directions = variances[::-1].clip(min=0), directions[:, ::-1]
    if not variances[number] > 1e-12 * max(variances.sum(), 1e-300):
        raise GlassError(f"component {number} does not vary", field="number")
    direction = directions[:, number] / scale / np.sqrt(variances[number])
    agreement = [
        pearson(table @ direction, row)
        for table, rows in zip(tables, rising_with, strict=True)
        for row in np.atleast_2d(rows)
    ]
    sign = -1.0 if np.mean(agreement) < 0 else 1.0
    return Component(center, sign * direction, variances / variances.sum())


@dataclass(frozen=True, eq=False)
class OrderParameter:
    """The field that a network assigns before it decodes anything: one number per particle.

    A principal component, the leading one by default, of the numbers that the network's decoder reads. It is
    fixed on some configurations and then holds for any other; no propensity is asked for, of these or of
    others. Numbers are taken as the network has them, not standardised, since its decoder reads them
    that way (this project's choice).

    Attributes
    ----------
    predictor :
        Fitted.
    component :
        Of its numbers.
    layer :
        Where they are taken, as :func:`glasslib.interpretation.layer_features` calls it.
    particle_type :
        Particles that have a value.

    Examples
    --------
    >>> from glasslib import catalog, checkpoints
    >>> train = catalog.load("bundled", "train", temperature=0.64, limit=4)  # doctest: +SKIP
    >>> field = OrderParameter.fit(checkpoints.load("se3-T0.64"), train)  # doctest: +SKIP
    >>> field(glass).shape  # doctest: +SKIP
    (4096,)
    """

    predictor: SE3Predictor
    component: Component
    layer: str
    particle_type: str = "A"

    @classmethod
    def fit(
        cls,
        predictor: SE3Predictor,
        glasses: Sequence[Glass],
        *,
        number: int = 0,
        layer: str | None = None,
        particle_type: str = "A",
        progress: bool = False,
    ) -> OrderParameter:
        """Find the component on configurations; it grows with the mobility that the network predicts.

        Parameters
        ----------
        predictor :
            Fitted; it stays as it is.
        glasses :
            Configurations; their propensities are not looked at.
        number :
            0 for the leading component.
        layer :
            By default the last one, which the decoder reads.
        particle_type :
            Those the network was trained on.
        progress :
            Show a bar.

        Raises
        ------
        GlassError
            When the predictor is not fitted or is no SE(3) network, there are no configurations, or there is
            no such layer or component.
        """
        tables, predicted = [], []
        for glass in tqdm(glasses, desc="order parameter", disable=not progress):
            mask = glass.is_type(particle_type)
            layer, table = _numbers(predictor, glass, layer)
            tables.append(table[mask])
            predicted.append(predictor.predict(glass)[:, mask])
        component = principal_component(tables, predicted, number=number)
        return cls(predictor, component, str(layer), particle_type)

    def __call__(self, glass: Glass) -> FloatArray:
        """The field ``(n_particles,)``; nan for particles of the other type."""
        mask = glass.is_type(self.particle_type)
        field = np.full(len(glass), np.nan)
        field[mask] = self.component.values(_numbers(self.predictor, glass, self.layer)[1][mask])
        return field


def _numbers(predictor: SE3Predictor, glass: Glass, layer: str | None) -> tuple[str, NDArray[np.floating]]:
    """Name of the layer and its numbers ``(n_particles, n)``."""
    found = layer_features(predictor, glass)
    name = list(found)[-1] if layer is None else layer
    if name not in found:
        raise GlassError(f"there is no layer {name!r}; they are {', '.join(found)}", field="layer")
    return name, found[name].values


def untrained(predictor: SE3Predictor, seed: int = 0) -> SE3Predictor:
    """The same network with weights as they are drawn before training, and the scales of its inputs."""
    if predictor.network is None or predictor.times is None:
        raise GlassError("has no network", field="predictor", remedy="Call fit or load a checkpoint")
    other = type(predictor).from_description(predictor.describe(), predictor.training_options)
    other.times = predictor.times
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = other.make_network(len(predictor.times))
    for name in ("scalar_mean", "scalar_std"):
        getattr(network, name).copy_(getattr(predictor.network, name))
    other.network = network.to(next(predictor.network.parameters()))
    return other
