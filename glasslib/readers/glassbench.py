"""GlassBench (Jung et al., Zenodo 10118191): npz files, published inside one tar.gz per temperature."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Collection, Iterator, Sequence
from os import PathLike
from typing import Any

import numpy as np

from glasslib.errors import GlassError
from glasslib.glass import Glass
from glasslib.readers.boundary import opened, reading
from glasslib.readers.grids import TIME_GRIDS, cubic_box, temperature_in
from glasslib.readers.npz import MAX_UNPACKED, Npz

#: Arrays by which the format is known.
KEYS = frozenset({"types", "initial_positions", "md_prop"})

_FIELDS = {
    "propensity": "md_prop",
    "bond_breaking": "bb_prop",
    "inherent_positions": "initial_positions_inherent",
    "cage_positions": "initial_positions_cage",
}


def read_glassbench(
    archive: Npz, *, temperature: float | None = None, times: Sequence[float] | None = None
) -> Glass:
    """A GlassBench file: ``T0.44/train/N4096T0.44_1.npz``.

    It holds ``types`` (1 = A, 2 = B), ``initial_positions`` (n_particles, 3) in [-L/2, L/2) and ``md_prop``
    (n_times, n_particles), the propensity; often ``bb_prop`` (bond-breaking propensity),
    ``initial_positions_inherent`` and ``initial_positions_cage``. Any other array whose last axis is
    n_particles, such as the predictions of other methods in the test files, goes to ``extras``.

    Parameters
    ----------
    archive :
        The open file.
    temperature, times :
        Take the place of what the name of the file or of its folder tells.

    Raises
    ------
    GlassError
        When arrays are missing or of the wrong shape, and when nothing tells the times.
    """
    source = archive.source
    n = archive.shape("initial_positions")[0] if archive.shape("initial_positions") else 0
    temperature = temperature_in(source) if temperature is None else temperature
    if times is None and (times := TIME_GRIDS.get(temperature or 0.0)) is None:
        raise GlassError(
            "neither the file's name nor its folder's tells the temperature, and with it the times",
            source=source,
            field="times",
            remedy="Pass times=glasslib.readers.TIME_GRIDS[0.44] and temperature=0.44, or restore the name",
        )
    types = archive["types"]
    if types.dtype.kind not in "iu" or not np.isin(types, (1, 2)).all():
        raise GlassError("expected the integers 1 (A) and 2 (B)", source=source, field="types")
    fields: dict[str, Any] = {name: archive[key] for name, key in _FIELDS.items() if key in archive}
    extras = set(archive) - set(_FIELDS.values()) - KEYS
    return Glass(
        positions=archive["initial_positions"],
        types=types.astype(np.int8) - np.int8(1),
        box=cubic_box(max(n, 1)),
        temperature=temperature,
        times=np.asarray(times, dtype=float),
        extras={name: archive[name] for name in sorted(extras) if archive.shape(name)[-1:] == (n,)},
        provenance={"format": "GlassBench"},
        source=source,
        **fields,
    )


def members(path: str | PathLike[str]) -> list[str]:
    """Names of the configurations in a GlassBench tar.gz, in its order.

    A tar.gz has no table of contents: this reads the file to its end.
    """
    return [info.name for _, info in _walk(path)]


def iterate(
    path: str | PathLike[str],
    names: Collection[str] | None = None,
    *,
    prefix: str = "",
    temperature: float | None = None,
    times: Sequence[float] | None = None,
) -> Iterator[tuple[str, Glass]]:
    """The configurations of a GlassBench tar.gz, in its order and in one pass, without unpacking it.

    Parameters
    ----------
    path :
        The tar.gz.
    names :
        Only these members; the pass ends with the last of them.
    prefix :
        Only members whose name starts so, for example ``"T0.44/test/"``.
    temperature, times :
        As for :func:`read_glassbench`.

    Yields
    ------
    (name, Glass)

    Raises
    ------
    GlassError
        When the archive is damaged, or when a name is not in it.
    """
    missing = None if names is None else set(names)
    for archive, info in _walk(path):
        if not info.name.startswith(prefix) or (missing is not None and info.name not in missing):
            continue
        source = f"{path}/{info.name}"
        with reading(source):
            stream = archive.extractfile(info)
            data = io.BytesIO(stream.read() if stream else b"")
        with np.errstate(all="ignore"):
            glass = read_glassbench(Npz(data, source), temperature=temperature, times=times)
        yield info.name, glass
        if missing is not None:
            missing.discard(info.name)
            if not missing:
                return
    if missing:
        raise GlassError(
            f"has no member {min(missing)!r}",
            source=path,
            remedy="glasslib.readers.members(path) lists them; they look like 'T0.44/train/N4096T0.44_1.npz'",
        )


def _walk(path: str | PathLike[str]) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """Every npz in a tar archive, compressed or not, as it comes by."""
    source = str(path)
    with opened(path) as file:
        with reading(source):
            archive = tarfile.open(fileobj=file, mode="r|*")  # noqa: SIM115 (the generator closes the file)
        while True:
            with reading(source):
                info = archive.next()
                archive.members = []  # type: ignore[attr-defined]  # or they pile up
            if info is None:
                return
            if not (info.isfile() and info.name.endswith(".npz")):
                continue
            if info.size > MAX_UNPACKED:
                raise GlassError(f"declares {info.size} bytes", source=f"{source}/{info.name}")
            yield archive, info
