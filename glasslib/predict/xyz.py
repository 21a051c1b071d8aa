"""Extended XYZ, which OVITO and ASE read and write.

The first line is the number of particles, the second holds ``Lattice`` and ``Properties``, then comes one
line per particle: `the format <https://github.com/libAtoms/extxyz>`_.
"""

from __future__ import annotations

import re
from os import PathLike
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from glasslib.errors import GlassError
from glasslib.glass import TYPE_NAMES, FloatArray, Glass
from glasslib.predict.prediction import Prediction
from glasslib.readers import load
from glasslib.readers.boundary import atomic_write, opened, reading

_ATTRIBUTE = re.compile(r'([A-Za-z][\w-]*)=(?:"([^"]*)"|(\S+))')
#: What species may be called; types as LAMMPS numbers them count from 1.
_SPECIES = ({"A": 0, "B": 1}, {"1": 0, "2": 1})


def read(path: str | PathLike[str], member: str | None = None, *, temperature: float | None = None) -> Glass:
    """Read one configuration: any format that :func:`glasslib.load` knows, or extended XYZ.

    Parameters
    ----------
    path :
        The file. Of an extended XYZ, ``Lattice`` has to be rectangular, ``Properties`` to hold ``pos:R:3``
        and ``species:S:1`` or ``type:I:1`` (A and B, or 1 and 2), in sigma_AA; ``temperature`` is taken over.
    member :
        Which file of a tar.gz.
    temperature :
        In epsilon_AA / k_B; takes the place of what the file says.

    Raises
    ------
    GlassError
        When the file is missing, damaged, of no known format, or does not hold a valid configuration.
    """
    source = str(path)
    with opened(path) as file:
        with reading(source):
            head = file.read(64)
        if not re.match(rb"[ \t]*[0-9]+[ \t]*\r?\n", head):
            return load(path, member, temperature=temperature)
        with reading(source):
            file.seek(0)
            lines = file.read().decode().splitlines()
    return _parsed(lines, source, temperature)


def write_xyz(prediction: Prediction, path: str | PathLike[str]) -> None:
    """Write a prediction as extended XYZ, whole or not at all.

    One column per time, ``propensity_t16_5`` for t = 16.5; ``trained`` is 1 for particles of a type that the
    network was trained on, the others are for completeness only. The second line also tells the times, the
    checkpoint with its SHA-256, and the temperature where known.

    Raises
    ------
    GlassError
        When the folder is missing, full or read-only.
    """
    glass = prediction.glass
    columns = "".join(f":{column_name(time)}:R:1" for time in prediction.times)
    lattice = " ".join(f"{value:.10g}" for value in np.diag(glass.box).ravel())
    about = {
        "Lattice": lattice,
        "Properties": f"species:S:1:pos:R:3:trained:I:1{columns}",
        "pbc": "T T T",
        "times": " ".join(_plain(time) for time in prediction.times),
        "checkpoint": re.sub(r'["\\\s]', "_", prediction.checkpoint),
        "checkpoint_sha256": prediction.sha256,
        **({} if glass.temperature is None else {"temperature": f"{glass.temperature:g}"}),
    }
    lines = [str(len(glass)), " ".join(f'{name}="{text}"' for name, text in about.items())]
    rows = zip(glass.types, glass.positions, prediction.trained, prediction.propensity.T, strict=True)
    for kind, position, trained, values in rows:
        numbers = " ".join(f"{x:.8f}" for x in position), " ".join(f"{x:.6g}" for x in values)
        lines.append(f"{TYPE_NAMES[kind]} {numbers[0]} {int(trained)} {numbers[1]}")
    with atomic_write(path) as file:
        file.write(("\n".join(lines) + "\n").encode())


def column_name(time: float) -> str:
    """Name of the column of a time; OVITO allows no dots in names."""
    return f"propensity_t{_plain(time).replace('.', '_')}"


class _Columns(NamedTuple):
    position: int
    species: int
    total: int


def _parsed(lines: list[str], source: str, temperature: float | None) -> Glass:
    with reading(source):
        n = int(lines[0])
        about = {name: quoted or bare for name, quoted, bare in _ATTRIBUTE.findall(lines[1])}
    if n == 0 or len(lines) < n + 2:
        raise GlassError(
            f"says {n} particles, but holds {max(len(lines) - 2, 0)} lines of them", source=source
        )
    if any(line.strip() for line in lines[n + 2 :]):
        raise GlassError(
            "holds more than one frame", source=source, remedy="Write each frame to a file of its own"
        )
    box, columns = _box(about, source), _columns(about, source)
    rows = [line.split() for line in lines[2 : n + 2]]
    if any(len(row) != columns.total for row in rows):
        raise GlassError(f"expected {columns.total} columns in every row", source=source, field="Properties")
    with reading(source, "pos"):
        positions = np.array([row[columns.position : columns.position + 3] for row in rows], dtype=float)
        if temperature is None and (told := about.get("temperature", about.get("Temperature"))):
            temperature = float(told)
    return Glass(
        positions=positions,
        types=_types([row[columns.species] for row in rows], source),
        box=box,
        temperature=temperature,
        provenance={"format": "extended XYZ"},
        source=source,
    )


def _box(about: dict[str, str], source: str) -> FloatArray:
    if "Lattice" not in about:
        raise GlassError(
            "has no periodic box",
            source=source,
            field="Lattice",
            remedy='The second line needs Lattice="Lx 0 0 0 Ly 0 0 0 Lz" (extended XYZ)',
        )
    if about.get("pbc", "T T T").split() != ["T"] * 3:
        raise GlassError("the box has to be periodic in x, y and z", source=source, field="pbc")
    with reading(source, "Lattice"):
        lattice = np.array(about["Lattice"].split(), dtype=float).reshape(3, 3)
    box: FloatArray = np.diag(lattice).copy()
    if np.abs(lattice - np.diag(box)).max() > 1e-9 * np.abs(lattice).max():
        raise GlassError("the box has to be rectangular", source=source, field="Lattice")
    return box


def _columns(about: dict[str, str], source: str) -> _Columns:
    parts = about.get("Properties", "species:S:1:pos:R:3").split(":")
    found: dict[str, tuple[int, int]] = {}
    start = 0
    with reading(source, "Properties"):
        for name, _, width in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            found[name] = (start, int(width))
            start += int(width)
    species = found.get("species", found.get("type", (-1, 0)))
    position = found.get("pos", (-1, 0))
    if position[1] != 3 or species[1] != 1 or any(width < 1 for _, width in found.values()):
        raise GlassError(
            "expected pos:R:3 and species:S:1 (or type:I:1) among the properties",
            source=source,
            field="Properties",
        )
    return _Columns(position[0], species[0], start)


def _types(names: list[str], source: str) -> NDArray[np.int8]:
    present = set(names)
    for numbers in _SPECIES:
        if present <= numbers.keys():
            return np.array([numbers[name] for name in names], dtype=np.int8)
    shown = ", ".join(name[:12] for name in sorted(present)[:5])
    raise GlassError(
        f"expected the species A and B (or 1 and 2), got {shown}",
        source=source,
        field="species",
        remedy="A is the large majority species",
    )


def _plain(time: float) -> str:
    """Without an exponent: 0.032, 16.5, 130000."""
    return np.format_float_positional(time, precision=6, fractional=False, trim="-")
