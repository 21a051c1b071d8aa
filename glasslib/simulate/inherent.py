"""The inherent structure: the energy minimum that a thermal configuration rattles about."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
import pooch
from tqdm.auto import tqdm

from glasslib.errors import GlassError
from glasslib.glass import FloatArray, Glass
from glasslib.simulate import potential
from glasslib.simulate.lammps import Liquid, instance
from glasslib.simulate.storage import read_arrays, write_arrays

#: Conjugate gradients stop when the norm of all forces together falls below this, in epsilon/sigma.
FORCE_TOLERANCE = 1e-5
MAX_STEPS = 20_000
_SETTINGS = f"cg {FORCE_TOLERANCE:g} {MAX_STEPS}"
_FIELDS = {"positions": 2, "energies": 1, "thermal_energies": 1, "residual_force": 0}


class Minimum(NamedTuple):
    """An inherent structure: positions (n_particles, 3), energies (n_particles,) and what force is left."""

    positions: FloatArray
    energies: FloatArray
    thermal_energies: FloatArray
    residual_force: float


def inherent_structure(glass: Glass, *, cache: bool = True) -> Glass:
    """The same Glass with ``inherent_positions``, ``inherent_energies`` and ``energies``.

    Parameters
    ----------
    glass :
        Any configuration of the force-shifted Kob-Andersen mixture.
    cache :
        Keep the result beside the source file (or, where that folder may not be written, in the
        user's cache folder, ``$GLASSLIB_CACHE`` if set), under a name made from the content, and
        take it from there next time.

    Raises
    ------
    GlassError
        When LAMMPS is missing or stops, or the box is too small for the potential.
    """
    potential.require_box(glass.box, source=glass.source)
    found = _read(glass) if cache else None
    if found is None:
        with instance() as lmp:
            found = minimised(Liquid(lmp, glass.types, glass.box), glass.positions)
        if cache:
            _write(glass, found)
    return _filled(glass, found)


def inherent_structures(
    glasses: Iterable[Glass], *, cache: bool = True, progress: bool = True, processes: int = -1
) -> list[Glass]:
    """:func:`inherent_structure` of each, with a progress bar, by so many processes (-1: one per core)."""
    glasses = list(glasses)
    known = [_read(glass) if cache else None for glass in glasses]
    missing = [glass for glass, found in zip(glasses, known, strict=True) if found is None]
    jobs = joblib.Parallel(n_jobs=processes if len(missing) > 1 else 1, return_as="generator")(
        joblib.delayed(inherent_structure)(glass, cache=cache) for glass in missing
    )
    made = iter(list(tqdm(jobs, "inherent structures", len(missing), disable=not progress)))
    return [
        next(made) if found is None else _filled(glass, found)
        for glass, found in zip(glasses, known, strict=True)
    ]


def _filled(glass: Glass, found: Minimum) -> Glass:
    return glass.replace(
        inherent_positions=found.positions,
        inherent_energies=found.energies,
        energies=found.thermal_energies,
    )


def minimised(liquid: Liquid, positions: FloatArray) -> Minimum:
    """The minimum below ``positions`` ``(n_particles, 3)``, unwrapped like them."""
    liquid.place(positions)
    thermal = liquid.energies()
    liquid.minimise(FORCE_TOLERANCE, MAX_STEPS)
    minimum, force = liquid.unwrapped(), float(np.abs(liquid.forces()).max())
    return Minimum(minimum, liquid.energies(), thermal, force)


def _name(glass: Glass) -> str:
    """A file name made from everything the result depends on; not .npz, lest it be taken for a data file."""
    content = hashlib.sha256("|".join((*potential.COMMANDS, _SETTINGS)).encode())
    for array in (glass.positions, glass.types, glass.box):
        content.update(np.ascontiguousarray(array).tobytes())
    return f"{content.hexdigest()[:32]}.inherent"


def _folders(glass: Glass) -> Iterator[Path]:
    """Where the cache may be: beside the source, then the user's."""
    if glass.source is not None and Path(glass.source).is_file():
        yield Path(glass.source).parent
    if own := os.environ.get("GLASSLIB_CACHE"):
        yield Path(own) / "inherent"
    yield Path(pooch.os_cache("glasslib")) / "inherent"


def _read(glass: Glass) -> Minimum | None:
    for folder in _folders(glass):
        saved = read_arrays(folder / _name(glass))
        if saved is not None and _sound(saved, len(glass)):
            return Minimum(**{**saved, "residual_force": float(saved["residual_force"])})
    return None


def _sound(saved: dict[str, FloatArray], n: int) -> bool:
    shapes = {0: (), 1: (n,), 2: (n, 3)}
    return saved.keys() == _FIELDS.keys() and all(
        saved[name].shape == shapes[axes] and saved[name].dtype == float and np.isfinite(saved[name]).all()
        for name, axes in _FIELDS.items()
    )


def _write(glass: Glass, found: Minimum) -> None:
    for folder in _folders(glass):
        try:
            write_arrays(folder / _name(glass), found._asdict())
            return
        except GlassError:
            continue
