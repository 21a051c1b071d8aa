"""One language for all temperatures: times in units of tau_alpha, propensities in units of their mean.

Cooling from T = 0.64 to 0.44 slows the liquid 250 times. In these units the state points are alike, and one
network can learn them all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from glasslib.errors import GlassError
from glasslib.glass import TYPE_NAMES, FloatArray, Glass
from glasslib.simulate import expected_tau

#: Times that the grids of all temperatures have in common, in units of tau_alpha.
FRACTIONS = (0.0316, 0.1, 0.316, 1.0)

#: The grids are rounded: a time within this share of a fraction is that fraction.
TOLERANCE = 0.03


def reduced(glasses: Sequence[Glass], fractions: Sequence[float] = FRACTIONS) -> list[Glass]:
    """The same configurations in reduced units.

    Times become fractions of the tau_alpha of each temperature; the propensity of each type is divided by
    its mean over the given configurations of the same temperature, at each time. Pearson's r at one
    temperature is the same in either units, averaged per configuration and pooled. End positions and bond
    breaking, which have other units, are dropped.

    Parameters
    ----------
    glasses :
        Configurations whose temperature and propensity are known.
    fractions :
        Times to keep, in units of tau_alpha (:func:`glasslib.simulate.expected_tau`).

    Raises
    ------
    GlassError
        When a temperature is unknown, or a configuration has none of its times near a fraction.
    """
    kept = [_at_fractions(glass, fractions) for glass in glasses]
    alike: dict[float | None, list[Glass]] = defaultdict(list)
    for glass in kept:
        alike[glass.temperature].append(glass)
    means = {temperature: _means(same) for temperature, same in alike.items()}
    return [_over(glass, means[glass.temperature]) for glass in kept]


def _at_fractions(glass: Glass, fractions: Sequence[float]) -> Glass:
    if glass.temperature is None:
        raise GlassError("is missing", source=glass.source, field="temperature")
    glass.require("propensity")
    times, tau = glass.require("times"), expected_tau(glass.temperature)
    chosen = []
    for fraction in fractions:
        nearest = int(np.abs(np.log(times / (fraction * tau))).argmin())
        if abs(times[nearest] / (fraction * tau) - 1) > TOLERANCE:
            raise GlassError(
                f"no data near {fraction:g} tau_alpha = {fraction * tau:g}; the times are"
                f" {', '.join(f'{time:g}' for time in times)}",
                source=glass.source,
                field="times",
            )
        chosen.append(times[nearest])
    return glass.replace(end_positions=None, bond_breaking=None).at_times(chosen).replace(times=fractions)


def _means(glasses: Sequence[Glass]) -> FloatArray:
    """Mean propensity ``(n_times, n_types)``; 1 where a type is absent."""
    propensity = np.concatenate([glass.require("propensity") for glass in glasses], axis=1)
    types = np.concatenate([glass.types for glass in glasses])
    means = np.ones((len(propensity), len(TYPE_NAMES)))
    for number in np.unique(types):
        means[:, number] = propensity[:, types == number].mean(1)
    return means


def _over(glass: Glass, means: FloatArray) -> Glass:
    each = means[:, glass.types]
    changes = {"propensity": glass.require("propensity") / each}
    if glass.propensity_halves is not None:
        changes["propensity_halves"] = glass.propensity_halves / each
    return glass.replace(**changes)
