"""Opening npz archives that strangers wrote.

An npz archive is a zip of npy files. Nothing is ever unpickled, and the size that a header declares is
compared with the bytes that are really there before any memory is taken.
"""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Iterator
from typing import IO, Any, BinaryIO, NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from glasslib.errors import GlassError
from glasslib.readers.boundary import reading

#: Archives that unpack to more than this and to more than `MAX_RATIO` times their size are refused.
MAX_UNPACKED = 256 * 2**20
MAX_RATIO = 100

_HEADER_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


class _Header(NamedTuple):
    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]
    length: int


class Npz:
    """The arrays of an npz archive, read one by one when asked for.

    Parameters
    ----------
    file :
        Open for reading; must stay open as long as arrays are asked for.
    source :
        Name for error messages.

    Raises
    ------
    GlassError
        When the archive is no zip, is cut short, fails its checksums or declares sizes that it does not have,
        and for arrays of anything but numbers and text.
    """

    def __init__(self, file: BinaryIO, source: str) -> None:
        self.source = source
        with reading(source):
            size = file.seek(0, os.SEEK_END)
            self._zip = zipfile.ZipFile(file)
            infos = self._zip.infolist()
        self._infos = {i.filename.removesuffix(".npy"): i for i in infos if i.filename.endswith(".npy")}
        unpacked = sum(info.file_size for info in infos)
        if unpacked > max(MAX_UNPACKED, MAX_RATIO * size):
            raise GlassError(
                f"would unpack from {size} to {unpacked} bytes, which no real data do",
                source=source,
                remedy="Get the file from its original publisher",
            )

    def __iter__(self) -> Iterator[str]:
        return iter(self._infos)

    def __contains__(self, name: object) -> bool:
        return name in self._infos

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of an array, from its header alone."""
        with reading(self.source, name), self._open(name) as member:
            return self._header(name, member).shape

    def __getitem__(self, name: str) -> NDArray[Any]:
        with reading(self.source, name), self._open(name) as member:
            header = self._header(name, member)
            declared = math.prod(header.shape) * header.dtype.itemsize
            if declared != self._infos[name].file_size - header.length:
                raise GlassError(
                    f"declares shape {header.shape} of {header.dtype}, {declared} bytes, "
                    f"but holds {self._infos[name].file_size - header.length}",
                    source=self.source,
                    field=name,
                    remedy="Copy or download the file again",
                )
            values = np.frombuffer(member.read(), header.dtype)
            return values.reshape(header.shape, order="F" if header.fortran_order else "C")

    def text(self, name: str) -> str:
        """A string, stored as a 0-dimensional array."""
        array = self[name]
        if array.shape != () or array.dtype.kind != "U":
            raise GlassError("expected one string", source=self.source, field=name)
        with reading(self.source, name):
            return str(array)

    def _open(self, name: str) -> IO[bytes]:
        if name not in self._infos:
            raise GlassError(
                f"is missing; the file holds {', '.join(sorted(self)) or 'no arrays'}",
                source=self.source,
                field=name,
                remedy="Check that this is the file you mean",
            )
        info = self._infos[name]
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise GlassError(
                f"is compressed by method {info.compress_type}, which npz files do not use",
                source=self.source,
                field=name,
                remedy="Write it anew with numpy.savez_compressed",
            )
        return self._zip.open(info)

    def _header(self, name: str, member: IO[bytes]) -> _Header:
        version = npy.read_magic(member)
        if version not in _HEADER_READERS:
            raise GlassError(f"has an unknown npy version {version}", source=self.source, field=name)
        shape, fortran_order, dtype = _HEADER_READERS[version](member)
        if not (dtype.kind == "U" or (dtype.kind in "biuf" and dtype.itemsize <= 8)):
            raise GlassError(
                f"holds {dtype}, not numbers",
                source=self.source,
                field=name,
                remedy="Python objects are never loaded: they could run code",
            )
        return _Header(shape, fortran_order, dtype, member.tell())
