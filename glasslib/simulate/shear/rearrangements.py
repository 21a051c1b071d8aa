"""D2min of configurations under shear in several planes, as small files."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import numpy as np

import glasslib
from glasslib.errors import GlassError
from glasslib.glass import FloatArray, Glass
from glasslib.readers.boundary import atomic_write, opened, reading
from glasslib.simulate import lammps
from glasslib.simulate.shear.nonaffine import CUTOFF
from glasslib.simulate.shear.quasistatic import FORCE_TOLERANCE, PLANES, STEP, shear

#: D2min is stored as its logarithm in float16, to better than 0.5 %; what is smaller counts as this.
SMALLEST = 1e-7


@dataclass(frozen=True, eq=False)
class Rearrangements:
    """What became of one configuration under shear.

    Attributes
    ----------
    planes :
        Each sheared by itself, from the same start.
    strains : (n_strains,)
        Where D2min was taken.
    d2min : (n_planes, n_strains, n_particles)
        Non-affine squared displacement since strain 0, in sigma_AA^2.
    steps : (n_steps + 1,)
        All strains, from 0.
    stresses, energies : (n_planes, n_steps + 1)
        In epsilon_AA / sigma_AA^3, and in epsilon_AA per particle.
    provenance :
        How it was made; JSON-like.
    """

    planes: tuple[str, ...]
    strains: FloatArray
    d2min: FloatArray
    steps: FloatArray
    stresses: FloatArray
    energies: FloatArray
    provenance: dict[str, Any] = field(default_factory=dict)

    def at(self, strain: float) -> FloatArray:
        """D2min ``(n_planes, n_particles)`` at one of the strains."""
        k = int(np.abs(self.strains - strain).argmin())
        if abs(self.strains[k] - strain) > 1e-9:
            raise GlassError(
                f"there is none at {strain:g}; they are {', '.join(f'{s:g}' for s in self.strains)}",
                field="strain",
            )
        return self.d2min[:, k]


def rearrangements(
    glass: Glass,
    strains: Sequence[float],
    *,
    planes: Sequence[str] = PLANES,
    step: float = STEP,
    progress: Callable[[float], object] = lambda _: None,
) -> Rearrangements:
    """Shear a configuration in each plane up to the largest strain; D2min at each.

    Parameters
    ----------
    glass, step, progress :
        As for :func:`glasslib.simulate.shear.shear`.
    strains :
        Increasing multiples of the step.
    planes :
        Of :data:`~glasslib.simulate.shear.PLANES`.

    Raises
    ------
    GlassError
        As :func:`~glasslib.simulate.shear.shear`.
    """
    if not len(strains) or not len(planes):
        raise GlassError("expected at least one strain and one plane")
    if strains[0] <= 0 or (np.diff(strains) <= 0).any():
        raise GlassError(f"expected increasing numbers above 0, got {list(strains)}", field="strains")
    runs = [shear(glass, strains[-1], plane=plane, step=step, progress=progress) for plane in planes]
    with lammps.instance() as lmp:
        version = int(lmp.version())
    provenance = {
        "generator": f"glasslib {glasslib.__version__}",
        "lammps": version,
        "licence": "CC-BY-4.0",
        "step": step,
        "force_tolerance": FORCE_TOLERANCE,
        "cutoff": CUTOFF,
    }
    return Rearrangements(
        tuple(planes),
        np.array(strains, dtype=float),
        np.array([[run.d2min(strain) for strain in strains] for run in runs]),
        runs[0].strains,
        np.array([run.stresses for run in runs]),
        np.array([run.energies for run in runs]),
        provenance,
    )


def save(found: Rearrangements, path: str | Path) -> None:
    """Write a file, whole or not at all."""
    card = {"planes": found.planes, "strains": found.strains.tolist(), "provenance": found.provenance}
    with atomic_write(path) as file:
        np.savez_compressed(
            file,
            allow_pickle=False,
            card=np.array(json.dumps(card)),
            log10_d2min=np.log10(np.maximum(found.d2min, SMALLEST)).astype(np.float16),
            steps=found.steps,
            stresses=found.stresses.astype(np.float32),
            energies=found.energies,
        )


def load(path: str | Path) -> Rearrangements:
    """Read what :func:`save` wrote; GlassError when it is missing, damaged, or something else."""
    with opened(path) as file, reading(str(path)), np.load(file, allow_pickle=False) as archive:
        card = json.loads(str(archive["card"]))
        strains, d2min = np.array(card["strains"], dtype=float), 10.0 ** archive["log10_d2min"].astype(float)
        steps, stresses, energies = (
            archive[name].astype(float) for name in ("steps", "stresses", "energies")
        )
        planes, provenance = tuple(card["planes"]), card["provenance"]
    if d2min.shape[:2] != (len(planes), len(strains)) or stresses.shape != (len(planes), len(steps)):
        raise GlassError("its arrays do not fit together", source=path)
    return Rearrangements(planes, strains, d2min, steps, stresses, energies, provenance)


def shipped_folder() -> Path:
    """Where those that come with the package lie."""
    return Path(str(package_files("glasslib"))) / "bundled" / "shear"


def shipped(split: str, *, temperature: float = 0.64) -> list[tuple[str, Rearrangements]]:
    """Those of the bundled configurations: the file's name in the catalogue, and what became of it.

    Raises
    ------
    GlassError
        Where there are none.
    """
    own = f"T{temperature:.2f}/{split}"
    paths = {path.relative_to(shipped_folder()): path for path in sorted(shipped_folder().glob("*/*/*.npz"))}
    found = [(name.as_posix(), load(path)) for name, path in paths.items() if name.parent.as_posix() == own]
    if not found:
        have = ", ".join(sorted({name.parent.as_posix() for name in paths}))
        raise GlassError(f"none are shipped for {own}; there are {have}", field="split, temperature")
    return found
