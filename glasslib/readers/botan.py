"""The data of BOTAN (Shiba et al., J. Chem. Phys. 158, 084503 (2023)): one npz file per time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glasslib.errors import GlassError
from glasslib.glass import Glass, require_floats
from glasslib.readers.grids import TIME_GRIDS, cubic_box, temperature_in, time_index_in
from glasslib.readers.npz import Npz
from glasslib.readers.replicas import propensities

#: Arrays by which the format is known.
KEYS = frozenset({"types", "initial_positions", "positions"})


def read_botan(
    archive: Npz, *, temperature: float | None = None, times: Sequence[float] | None = None
) -> Glass:
    """A BOTAN file: ``isoconfig_N4096T0.44_1_tc07.npz``.

    It holds ``types`` (n_particles,), ``initial_positions`` (n_particles, 3) in [0, L) and the unwrapped end
    points ``positions`` (n_replicas, n_particles, 3). The box is the cube of density 1.2; the temperature and
    the time are in the file's name alone.

    Parameters
    ----------
    archive :
        The open file.
    temperature, times :
        Take the place of what the name tells; ``times`` holds one number.

    Raises
    ------
    GlassError
        When arrays are missing or of the wrong shape, and when nothing tells the time.
    """
    source = archive.source
    start = require_floats(archive["initial_positions"], source, "initial_positions", (None, 3))
    ends = require_floats(archive["positions"], source, "positions", (None, len(start), 3))[None]
    if ends.shape[1] == 0:
        raise GlassError("holds no trajectories", source=source, field="positions")
    temperature = temperature_in(source) if temperature is None else temperature
    if times is None:
        grid = TIME_GRIDS.get(temperature or 0.0, ())
        index = time_index_in(source)
        if index is None or not 1 <= index <= len(grid):
            raise GlassError(
                "the file's name does not tell the time of the end points",
                source=source,
                field="times",
                remedy="Pass times=[4120.0] and temperature=0.44, or restore the name N4096T0.44_1_tc07.npz",
            )
        times = grid[index - 1 : index]
    propensity, halves = propensities(start, ends)
    return Glass(
        positions=start,
        types=archive["types"],
        box=cubic_box(len(start)),
        temperature=temperature,
        times=np.asarray(times, dtype=float),
        propensity=propensity,
        propensity_halves=halves,
        end_positions=ends,
        provenance={"format": "BOTAN"},
        source=source,
    )
