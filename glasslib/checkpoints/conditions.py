"""What a network was trained on, in numbers, and whether a configuration is of that kind."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from glasslib.errors import GlassError
from glasslib.glass import Glass
from glasslib.structure import partial_rdf

#: Smallest and largest value of each quantity.
Ranges = Mapping[str, tuple[float, float]]

#: Width of a bin of g(r) in which its first peak is sought, and how far it is sought, in sigma_AA.
PEAK_WIDTH, PEAK_RANGE = 0.05, 4.0
#: With fewer particles than this g(r) is too noisy to have a peak.
PEAK_PARTICLES = 100

#: Number of particles for which the tolerances of fluctuating quantities hold.
USUAL_SIZE = 4096


@dataclass(frozen=True)
class Quantity:
    """A number that tells configurations apart.

    Parameters
    ----------
    label, unit :
        For messages.
    tolerance :
        How far beyond the trained range is still taken for inside, in that unit. This project's choice:
        above what configurations of one kind differ by, below what a change of temperature by 0.03 does.
    fluctuates :
        Whether the tolerance grows as ``1 / sqrt(n_particles)`` below :data:`USUAL_SIZE`.
    upper :
        Whether values above the range count as outside.
    """

    label: str
    unit: str
    tolerance: float
    fluctuates: bool = False
    upper: bool = True


#: What is compared. A larger box is no extrapolation, because predictions depend on surroundings alone.
QUANTITIES = {
    "temperature": Quantity("temperature", "epsilon_AA/k_B", 0.01),
    "density": Quantity("number density", "sigma_AA^-3", 0.012),
    "fraction_b": Quantity("fraction of B particles", "", 0.005),
    "shortest_edge": Quantity("shortest box edge", "sigma_AA", 0.15, upper=False),
    "first_peak": Quantity("first peak of g(r)", "sigma_AA", 0.06),
    "energy": Quantity("thermal potential energy per particle", "epsilon_AA", 0.05, fluctuates=True),
    "inherent_energy": Quantity("inherent energy per particle", "epsilon_AA", 0.03, fluctuates=True),
}


def conditions(glass: Glass) -> dict[str, float]:
    """The :data:`QUANTITIES` of a configuration, as far as it knows them, and its ``n_particles``.

    The energies are means over all particles, half of each pair, force-shifted potential. The first peak is
    the highest bin of g(r) between all particles, whatever they are called; it is left out with fewer than
    :data:`PEAK_PARTICLES`.
    """
    found = {
        "n_particles": float(len(glass)),
        "density": glass.density,
        "fraction_b": float(glass.is_type("B").mean()),
        "shortest_edge": float(glass.box.min()),
    }
    if glass.temperature is not None:
        found["temperature"] = glass.temperature
    if glass.energies is not None:
        found["energy"] = float(glass.energies.mean())
    if glass.inherent_energies is not None:
        found["inherent_energy"] = float(glass.inherent_energies.mean())
    if (peak := _first_peak(glass)) is not None:
        found["first_peak"] = peak
    return found


def ranges(glasses: Iterable[Glass]) -> dict[str, tuple[float, float]]:
    """Smallest and largest :func:`conditions` among configurations; only what all of them know.

    Raises
    ------
    GlassError
        When there are none.
    """
    rows = [conditions(glass) for glass in glasses]
    if not rows:
        raise GlassError("no configurations were given")
    return {
        name: (min(row[name] for row in rows), max(row[name] for row in rows))
        for name in rows[0]
        if all(name in row for row in rows)
    }


def outside(measured: Mapping[str, float], trained: Ranges) -> list[str]:
    """What lies outside the trained range, one sentence each: what it is, what it should be, by how much.

    Parameters
    ----------
    measured :
        :func:`conditions` of a configuration.
    trained :
        :func:`ranges` of the training configurations.
    """
    wider = max(1.0, math.sqrt(USUAL_SIZE / measured.get("n_particles", USUAL_SIZE)))
    found = []
    for name, quantity in QUANTITIES.items():
        if name not in measured or name not in trained:
            continue
        value, (low, high) = measured[name], trained[name]
        tolerance = quantity.tolerance * (wider if quantity.fluctuates else 1.0)
        if low - tolerance <= value and (value <= high + tolerance or not quantity.upper):
            continue
        bound = low if value < low else high
        by = f"{abs(value - bound):.3g}{f' {quantity.unit}' if quantity.unit else ''}"
        interval = f"{low:.4g}" if f"{low:.4g}" == f"{high:.4g}" else f"{low:.4g} to {high:.4g}"
        found.append(
            f"{quantity.label} {value:.4g} is {'below' if value < low else 'above'} the trained {interval} "
            f"by {by}{_guess(name, value, low, high, tolerance)}"
        )
    return found


def _guess(name: str, value: float, low: float, high: float, tolerance: float) -> str:
    if name == "fraction_b" and low - tolerance <= 1 - value <= high + tolerance:
        return " (are the types A and B swapped?)"
    return ""


def _first_peak(glass: Glass) -> float | None:
    reach = min(PEAK_RANGE, 0.499 * float(glass.box.min()))
    if len(glass) < PEAK_PARTICLES or reach < PEAK_WIDTH:
        return None
    r, g = partial_rdf(glass.replace(types=np.zeros(len(glass), int)), r_max=reach, width=PEAK_WIDTH)
    return float(r[np.argmax(g)]) if g.any() else None
