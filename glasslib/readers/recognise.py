"""Reading any of the formats: the file's content says which, never its name."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any, BinaryIO

import numpy as np

from glasslib.errors import GlassError
from glasslib.glass import Glass
from glasslib.readers import botan, glassbench
from glasslib.readers.boundary import opened, reading
from glasslib.readers.deepmind import read_deepmind
from glasslib.readers.native import read_native
from glasslib.readers.npz import Npz

FORMATS = "BOTAN npz, GlassBench npz or tar.gz, DeepMind pickle, glasslib npz"


def load(
    path: str | PathLike[str],
    member: str | None = None,
    *,
    temperature: float | None = None,
    times: Sequence[float] | None = None,
) -> Glass:
    """Read one configuration; the format is recognised by the content of the file.

    Parameters
    ----------
    path :
        A BOTAN, GlassBench or glasslib npz, a DeepMind pickle, or a GlassBench tar.gz.
    member :
        Which file of a tar.gz, such as ``"T0.44/train/N4096T0.44_1.npz"``
        (:func:`glasslib.readers.members` lists them).
    temperature :
        In epsilon_AA / k_B; takes the place of what the file or its name says.
    times :
        In LJ units, one per row of the propensity; takes the place of what the file or its name says.

    Raises
    ------
    GlassError
        When the file is missing, damaged, of no known format, or does not hold a valid configuration; names
        the file, the field and the remedy. Nothing in a file is ever run.

    Examples
    --------
    >>> import glasslib
    >>> glasslib.load("T0.44.tar.gz", "T0.44/test/N4096T0.44_401.npz")  # doctest: +SKIP
    """
    stated: dict[str, Any] = {"temperature": temperature, "times": times}
    source = str(path)
    with opened(path) as file, np.errstate(all="ignore"):  # Glass looks for NaN and infinity at the end
        with reading(source):
            head = file.read(512)
            file.seek(0)
        if head.startswith(b"\x1f\x8b") or head[257:262] == b"ustar":
            if member is None:
                raise GlassError(
                    "is an archive of many configurations",
                    source=source,
                    remedy="Pass member='T0.44/train/N4096T0.44_1.npz'; readers.members(path) lists them",
                )
            return next(glass for _, glass in glassbench.iterate(path, [member], **stated))
        if member is not None:
            raise GlassError(
                "is no tar archive, so it has no members", source=source, remedy="Leave out member"
            )
        if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            return _read_npz(file, source, stated)
        if head.startswith(b"\x80"):
            with reading(source):
                content = file.read()
            return _restated(read_deepmind(content, source), stated)
    raise GlassError(
        "is of no known format" if head else "is empty",
        source=source,
        remedy=f"The formats known are {FORMATS}",
    )


def _read_npz(file: BinaryIO, source: str, stated: dict[str, Any]) -> Glass:
    archive = Npz(file, source)
    names = set(archive)
    if "format" in names:
        return _restated(read_native(archive), stated)
    if names >= glassbench.KEYS:
        return glassbench.read_glassbench(archive, **stated)
    if names >= botan.KEYS:
        return botan.read_botan(archive, **stated)
    raise GlassError(
        f"is of no known format: it holds {', '.join(sorted(names)[:12]) or 'no arrays'}",
        source=source,
        remedy=f"The formats known are {FORMATS}",
    )


def _restated(glass: Glass, stated: dict[str, Any]) -> Glass:
    changes = {name: value for name, value in stated.items() if value is not None}
    return glass.replace(**changes) if changes else glass
