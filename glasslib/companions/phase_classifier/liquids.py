"""Hot liquids, for the classifier: Kob-Andersen mixtures at T = 1, where tau_alpha is 1.3."""

from __future__ import annotations

import json
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from glasslib.errors import GlassError
from glasslib.glass import Glass, wrap
from glasslib.readers.boundary import atomic_write, opened, reading
from glasslib.readers.npz import Npz

#: Their temperature, and how many configurations of each split ship.
TEMPERATURE, NUMBERS = 1.0, {"train": 5, "test": 2}

_PARTS = 2**16  # of the box: what positions are rounded to


def folder() -> Path:
    """Where the files that ship are."""
    return Path(str(files("glasslib"))) / "bundled" / "phase-classifier"


def hot_liquids(split: str) -> list[Glass]:
    """The liquids that ship, ``"train"`` or ``"test"``, with thermal and inherent positions.

    Positions are rounded to 1/65536 of the box, 2e-4 sigma_AA: far less than the rattling in a cage.

    Raises
    ------
    GlassError
        For an unknown split, and when the file is missing or damaged.
    """
    if split not in NUMBERS:
        raise GlassError(f"expected one of {', '.join(NUMBERS)}, got {split!r}", field="split")
    path = folder() / "liquids.npz"
    with opened(path) as file, reading(str(path)):
        archive = Npz(file, str(path))
        types, box, pairs = archive["types"], archive["box"], archive[split]
        provenance = json.loads(archive.text("provenance"))
    return [
        Glass(
            thermal,
            types,
            box,
            TEMPERATURE,
            inherent_positions=inherent,
            provenance=provenance,
            source=f"{path.name}:{split}/{k + 1}",
        )
        for k, (thermal, inherent) in enumerate(pairs / _PARTS * box)
    ]


def make(path: Path, numbers: dict[str, int] | None = None, particles: int = 4096) -> None:
    """Simulate them; each split comes from a melt of its own, equilibrated as the bundled glasses were.

    Parameters
    ----------
    path :
        The file to write.
    numbers :
        Configurations by split; by default those that ship.
    particles :
        Of each configuration.
    """
    from glasslib.simulate import lammps
    from glasslib.simulate.inherent import minimised
    from glasslib.simulate.parent import Parent
    from glasslib.simulate.production import git_commit
    from glasslib.simulate.protocol import Protocol

    arrays: dict[str, Any] = {}
    about: dict[str, Any] = {"licence": "CC-BY-4.0", "git_commit": git_commit()}
    for split, number in (numbers or NUMBERS).items():
        protocol, pairs = Protocol(TEMPERATURE, split, particles=particles, melt_time=10, quench_time=10), []
        with lammps.instance() as lmp, tempfile.TemporaryDirectory() as temporary:
            liquid = lammps.Liquid(lmp, protocol.types, protocol.box)
            parent = Parent(protocol, 0, Path(temporary), Path(temporary) / "restart", liquid)
            for index in tqdm(range(number), f"liquids, {split}"):
                positions, checks = parent.start(index)
                both = np.stack([positions, minimised(liquid, positions).positions])
                pairs.append(np.rint(wrap(both, protocol.box) / protocol.box * _PARTS) % _PARTS)
            about |= {"lammps": int(lmp.version()), split: {"protocol": protocol.asdict(), "checks": checks}}
        arrays |= {"types": protocol.types, "box": protocol.box, split: np.array(pairs, np.uint16)}
    with atomic_write(path) as file:
        np.savez(file, allow_pickle=False, provenance=np.array(json.dumps(about)), **arrays)
