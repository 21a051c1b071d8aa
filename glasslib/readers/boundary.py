"""Where a damaged file becomes a :class:`~glasslib.errors.GlassError`, and where new ones are born whole."""

from __future__ import annotations

import os
import struct
import tarfile
import tokenize
import uuid
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from glasslib.errors import GlassError

#: What the standard library and numpy raise on bytes that are not what they claim to be.
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    struct.error,
    tokenize.TokenError,
    ArithmeticError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,  # encrypted members; with NotImplementedError and RecursionError
    SyntaxError,
    TypeError,
    ValueError,  # with UnicodeDecodeError
)


@contextmanager
def reading(source: str, field: str | None = None) -> Iterator[None]:
    """Turn what goes wrong while bytes are being parsed into a GlassError about ``source``.

    Meant for the parsing alone, so that a mistake in our own code still shows as one.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a damaged header can hold anything
            yield
    except GlassError:
        raise
    except FileNotFoundError as error:
        raise GlassError("there is no such file", source=source, remedy="Check the path") from error
    except IsADirectoryError as error:
        raise GlassError("is a folder, not a file", source=source, remedy="Name a file in it") from error
    except PermissionError as error:
        remedy = "Ask its owner for read access"
        raise GlassError("may not be read", source=source, remedy=remedy) from error
    except _DAMAGE as error:
        raise GlassError(
            f"cannot be read, it is damaged or cut short ({_reason(error)})",
            source=source,
            field=field,
            remedy="Copy or download the file again",
        ) from error


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """The file, open for reading; a GlassError when it is missing, a folder or forbidden."""
    with reading(str(path)):
        file = open(path, "rb")  # noqa: SIM115 (closed below, outside `reading`)
    with file:
        yield file


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write into that takes the name ``path`` only once it is complete and on disk.

    Raises
    ------
    GlassError
        When the folder is missing, may not be written or is full; nothing is left behind.
    """
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        try:
            with open(unfinished, "xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise GlassError(
            f"cannot be written: {_reason(error)}",
            source=path,
            remedy="Choose a folder that exists, may be written and has room",
        ) from error


def _reason(error: BaseException) -> str:
    """One line that says what went wrong."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split())[:200] or type(error).__name__
