"""What the public Kob-Andersen data sets leave to their file names: temperature, times, density."""

from __future__ import annotations

import re
from pathlib import PurePath

import numpy as np

from glasslib.glass import FloatArray

#: Number density of the BOTAN and GlassBench configurations, in sigma_AA^-3; their boxes are cubes.
DENSITY = 1.2

#: Times of the data by temperature, in LJ units (GlassBench, Zenodo 10118191); the seventh is tau_alpha.
TIME_GRIDS = {
    0.44: (0.13, 1.3, 13.0, 130.0, 412.0, 1300.0, 4120.0, 13000.0, 41200.0, 130000.0),
    0.50: (0.108, 0.434, 2.17, 6.86, 21.7, 68.6, 217.0, 686.0, 2170.0, 6860.0),
    0.56: (0.104, 0.33, 0.99, 1.65, 5.2, 16.5, 52.0, 165.0, 520.0, 1650.0),
    0.64: (0.032, 0.1, 0.165, 0.52, 1.65, 5.2, 16.5, 52.0, 165.0, 520.0),
}


def cubic_box(n_particles: int) -> FloatArray:
    """Edge lengths ``(3,)`` of the cube that holds ``n_particles`` at :data:`DENSITY`, in sigma_AA."""
    return np.full(3, np.cbrt(n_particles / DENSITY))


def temperature_in(source: str) -> float | None:
    """The temperature that a file's name or else one of its two folders tells, as in ``T0.44``."""
    for part in reversed(PurePath(source).parts[-3:]):
        if found := re.search(r"(?<![A-Za-z])(?:N\d+)?T(\d\.\d+)(?![\d.]*\d)", part):
            return float(found[1]) or None
    return None


def time_index_in(source: str) -> int | None:
    """The time index (1 to 10) that a BOTAN file's name tells, as in ``_tc07.npz``."""
    found = re.search(r"_tc(\d\d)\b", PurePath(source).name)
    return int(found[1]) if found else None
