"""This project's own file format, an npz archive whose arrays are named after the fields of Glass.

=====================  =======================================================================
``format``             ``"glasslib-glass 1"``
``compact``            whether precision was given up for size, as below
``provenance``         as JSON text
``extras/NAME``        one array for each of the extras
``bonds/NAME``         pairs and stretching of the bonds
other names            the fields of :class:`~glasslib.glass.Glass`; what is not known is absent
=====================  =======================================================================

In a compact file positions, inherent positions and cage positions are fractions of the box in float32 (an
error below 1e-6 sigma_AA in a box of 15), end points are displacements from the positions in float32,
energies, propensity, stretching of bonds and extras are float32, propensity halves and bond breaking
float16 (a relative error below 5e-4). Otherwise every number is kept to the last bit: positions then stay
in sigma_AA, because dividing by the box and multiplying again would lose that bit.

The same Glass always gives the same bytes.
"""

from __future__ import annotations

import io
import json
import zipfile
from os import PathLike
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from glasslib.bonds import Bonds
from glasslib.errors import GlassError
from glasslib.glass import Glass, require_floats
from glasslib.readers.boundary import atomic_write, reading
from glasslib.readers.npz import Npz

FORMAT = "glasslib-glass 1"

_POSITIONS = ("positions", "inherent_positions", "cage_positions")
_COMPACT = {
    **dict.fromkeys(
        (*_POSITIONS, "end_positions", "energies", "inherent_energies", "propensity"), np.float32
    ),
    **dict.fromkeys(("propensity_halves", "bond_breaking"), np.float16),
}
_COMPACT_BONDS = {"bonds/pairs": np.int32, "bonds/stretching": np.float32}
_EXACT = ("types", "box", "temperature", "times")
_EXTRA = "extras/"
_BONDS = ("bonds/pairs", "bonds/stretching")


def save(glass: Glass, path: str | PathLike[str], *, compact: bool = False) -> None:
    """Write a Glass to ``path``, whole or not at all.

    The file takes its name only when it is complete, so a reader never meets half of one, and an older file
    stays when something goes wrong. ``load`` reads it back; ``source`` is not stored.

    Parameters
    ----------
    glass :
        What to write.
    path :
        The file, by custom ``*.npz``.
    compact :
        Give up precision for size, as told in :mod:`glasslib.readers.native`.

    Raises
    ------
    GlassError
        When the folder is missing, full or read-only, when ``provenance`` is not JSON-like, and when a value
        is too large for a compact file.
    """
    arrays = _arrays(glass, compact, str(path))
    with atomic_write(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            npy.write_array(content, array, version=(1, 0), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.create_system = 3  # or the bytes would depend on the operating system
            info.compress_type = zipfile.ZIP_DEFLATED if compact else zipfile.ZIP_STORED
            archive.writestr(info, content.getvalue())


def read_native(archive: Npz) -> Glass:
    """A file written by :func:`save`.

    Raises
    ------
    GlassError
        When arrays are missing or of the wrong shape, or when a newer glasslib wrote the file.
    """
    source = archive.source
    if (found := archive.text("format")) != FORMAT:
        raise GlassError(
            f"expected {FORMAT!r}, got {found[:60]!r}",
            source=source,
            field="format",
            remedy="Update glasslib",
        )
    fields: dict[str, Any] = {
        name: archive[name]
        for name in (*_COMPACT, *_EXACT)
        if name in archive or name in ("positions", "types", "box")
    }
    if archive["compact"].any():
        box = require_floats(fields["box"], source, "box", (3,))
        for name in (name for name in _POSITIONS if name in fields):
            fractions = require_floats(fields[name], source, name, (None, 3))
            fields[name] = np.where(fractions == 1.0, 0.0, fractions) * box
        if "end_positions" in fields:
            n = len(fields["positions"])
            moved = require_floats(fields["end_positions"], source, "end_positions", (None, None, n, 3))
            fields["end_positions"] = fields["positions"] + moved
    if "temperature" in fields:
        fields["temperature"] = float(require_floats(fields["temperature"], source, "temperature", ()))
    if any(name in archive for name in _BONDS):
        pairs, stretching = (archive[name] for name in _BONDS)
        fields["bonds"] = Bonds(pairs, stretching, source)
    extras = {name.removeprefix(_EXTRA): archive[name] for name in archive if name.startswith(_EXTRA)}
    return Glass(**fields, extras=extras, provenance=_provenance(archive), source=source)


def _provenance(archive: Npz) -> dict[str, Any]:
    if "provenance" not in archive:
        return {}
    text = archive.text("provenance")
    with reading(archive.source, "provenance"):
        provenance = json.loads(text)
    if not isinstance(provenance, dict):
        raise GlassError("expected a JSON object", source=archive.source, field="provenance")
    return provenance


def _arrays(glass: Glass, compact: bool, target: str) -> dict[str, NDArray[Any]]:
    """The arrays of the file, in their order."""
    try:
        provenance = json.dumps(dict(glass.provenance), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise GlassError(
            f"is not JSON-like: {error}",
            source=target,
            field="provenance",
            remedy="Use plain dict, list, str, int and float",
        ) from error
    arrays = {"format": np.array(FORMAT), "compact": np.array(compact), "provenance": np.array(provenance)}
    for name in (*_EXACT, *_COMPACT):
        if getattr(glass, name) is not None:
            arrays[name] = np.asarray(getattr(glass, name))
    arrays |= {f"{_EXTRA}{name}": values for name, values in sorted(glass.extras.items())}
    if glass.bonds is not None:
        arrays |= dict(zip(_BONDS, (glass.bonds.pairs, glass.bonds.stretching), strict=True))
    if compact:
        _compact(arrays, glass, target)
    return arrays


def _compact(arrays: dict[str, NDArray[Any]], glass: Glass, target: str) -> None:
    for name in arrays:
        if name in _POSITIONS:
            arrays[name] = arrays[name] / glass.box
        elif name == "end_positions":
            arrays[name] = arrays[name] - glass.positions
        dtype = np.float32 if name.startswith(_EXTRA) else (_COMPACT | _COMPACT_BONDS).get(name)
        if dtype is None:
            continue
        with np.errstate(over="ignore"):
            arrays[name] = arrays[name].astype(dtype)
        if not np.isfinite(arrays[name]).all():
            raise GlassError(
                f"is too large for {np.dtype(dtype)}",
                source=target,
                field=name,
                remedy="Save with compact=False",
            )
