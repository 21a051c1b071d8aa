"""Where a damaged file becomes a :class:`~glasslib.errors.GlassError`, and where new ones are born whole."""

from __future__ import annotations

import contextlib
import glob
import os
import struct
import sys
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

if sys.platform != "win32":
    import fcntl

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

    Of several processes that write the same file at once, the last one's stays. What a killed one left
    behind goes with the next that writes.

    Raises
    ------
    GlassError
        When the folder is missing, may not be written or is full; nothing is left behind.
    """
    path = Path(path)
    try:
        _remove_abandoned(path)
        unfinished, file = _unfinished(path)
        try:
            with file:
                yield file
                file.flush()
                os.fsync(file.fileno())
                if sys.platform == "win32":
                    file.close()  # an open file cannot be renamed there
                os.replace(unfinished, path)  # before the lock goes
        finally:
            unfinished.unlink(missing_ok=True)
    except (OSError, RuntimeError) as error:
        cause = _system_error(error)
        if cause is None:
            raise
        raise GlassError(
            f"cannot be written: {_reason(cause)}",
            source=path,
            remedy="Choose a folder that exists, may be written and has room",
        ) from error


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make a folder and those above it.

    Raises
    ------
    GlassError
        When it cannot be made, or may not be written.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason, remedy = _reason(error), "Choose another folder"
        raise GlassError(f"cannot be made: {reason}", source=path, remedy=remedy) from error
    if not os.access(path, os.W_OK):
        raise GlassError("may not be written", source=path, remedy="Choose another folder")


def _unfinished(path: Path) -> tuple[Path, BinaryIO]:
    """A new file beside ``path``, locked for as long as it is open."""
    while True:
        unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
        file = open(unfinished, "xb")  # noqa: SIM115 (the caller closes it)
        _lock(file, wait=True)
        if unfinished.exists():  # else another process took it for abandoned before it was locked
            return unfinished, file
        file.close()


def _remove_abandoned(path: Path) -> None:
    """Remove the unfinished files of processes that were killed while they wrote ``path``."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        with contextlib.suppress(OSError), open(left, "rb+") as file:
            if _lock(file, wait=False):
                left.unlink()


def _lock(file: BinaryIO, *, wait: bool) -> bool:
    """Whether the file is now locked, until it is closed or its process ends in whatever way."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # someone else's, or a file system without locks
        return False
    return True


def _system_error(error: BaseException | None) -> OSError | None:
    """The refusal of the operating system behind an error; torch raises a RuntimeError after one."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


def _reason(error: BaseException) -> str:
    """One line that says what went wrong."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split())[:200] or type(error).__name__
