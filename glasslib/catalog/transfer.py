"""Bringing bytes here over HTTP so that a broken connection costs little and never leaves half a file.

:mod:`pooch` would start again from nothing after a dropped connection, and cannot take one member out of a
remote zip; hence these few functions on :mod:`requests`.
"""

from __future__ import annotations

import contextlib
import io
import os
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import requests
from filelock import FileLock
from tqdm import tqdm

from glasslib.errors import GlassError

#: Attempts without progress before giving up, and the seconds before the second one (doubled each time).
ATTEMPTS = 4
BACKOFF = 0.5
#: Seconds without an answer, and without a byte.
TIMEOUT = (10.0, 60.0)
CHUNK = 2**16


class Span(NamedTuple):
    """Bytes ``start`` to ``stop`` (excluded; None: to the end) of what a URL serves."""

    start: int = 0
    stop: int | None = None


WHOLE = Span()


class Unreachable(Exception):
    """A file cannot be had: no answer, or a refusal; says why in one line."""


def install(
    target: Path,
    bring: Callable[[Path], None],
    check: Callable[[Path], None],
) -> None:
    """Let ``bring`` fill ``target.part``, ``check`` it, and only then give it its name.

    A second process that wants the same file waits, then finds it. A part that fails its check after it was
    continued from an earlier run is brought once more from nothing.

    Raises
    ------
    GlassError
        What ``check`` raises; also when the folder cannot be written or is full. What has arrived stays, and
        the next call continues it.
    Unreachable
        What ``bring`` raises.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):
            if not target.exists():
                _install(target, bring, check)
        with contextlib.suppress(OSError):  # whoever still waits for the lock will find the target
            os.unlink(f"{target}.lock")
    except OSError as error:
        raise GlassError(
            f"the cache cannot be written: {error.strerror or error}",
            source=target,
            remedy="Make room there, or set GLASSLIB_CACHE to a folder that may be written and has room; "
            "the same call then continues",
        ) from error


def _install(target: Path, bring: Callable[[Path], None], check: Callable[[Path], None]) -> None:
    part = target.with_name(f"{target.name}.part")
    continued = any(target.parent.glob(f"{target.name}.*part"))
    for from_nothing in (False, True) if continued else (True,):
        bring(part)
        try:
            check(part)
            break
        except GlassError:
            part.unlink()
            if from_nothing:
                raise
    with open(part, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(part, target)


def download(url: str, part: Path, span: Span = WHOLE, *, progress: bool = True) -> None:
    """Append to ``part`` what it still lacks of the span of ``url``.

    A dropped connection is taken up where it broke off, a few times.

    Raises
    ------
    Unreachable
        When the server cannot be reached, drops out again and again, or refuses.
    """
    failures = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        if span.stop is not None and before >= span.stop - span.start:
            return
        try:
            _append(url, part, before, span, progress)
            return
        except requests.RequestException as error:
            moved_on = part.exists() and part.stat().st_size > before
            failures = 1 if moved_on else failures + 1
            if failures >= ATTEMPTS or _is_final(error):
                raise Unreachable(_one_line(error)) from error
            time.sleep(BACKOFF * 2 ** (failures - 1))


def _append(url: str, part: Path, have: int, span: Span, progress: bool) -> None:
    headers = {"Accept-Encoding": "identity"}
    if have or span != WHOLE:
        last = "" if span.stop is None else span.stop - 1
        headers["Range"] = f"bytes={span.start + have}-{last}"
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == 416:  # the part is complete, or longer than it may be
            if response.headers.get("Content-Range") != f"bytes */{have}":
                part.unlink(missing_ok=True)
                raise requests.ConnectionError(
                    "the unfinished download does not fit the file; starting again"
                )
            return
        response.raise_for_status()
        if response.status_code != 206:
            if span != WHOLE:
                raise Unreachable("the server does not serve parts of a file")
            have = 0
        left = int(response.headers.get("Content-Length", 0))
        with (
            open(part, "ab" if have else "wb") as file,
            tqdm(
                desc=part.name.removesuffix(".part"),
                total=have + left or None,
                initial=have,
                unit="B",
                unit_scale=True,
                disable=not progress,
            ) as bar,
        ):
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
            if left and file.tell() < have + left:
                raise requests.ConnectionError("the connection broke off")


def _is_final(error: requests.RequestException) -> bool:
    """Whether asking again is useless: the server answered, and the answer is no."""
    response = error.response
    return response is not None and 400 <= response.status_code < 500 and response.status_code != 429


def _one_line(error: requests.RequestException) -> str:
    if error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    return f"no connection to the server ({type(error).__name__})"


class Member(NamedTuple):
    """One member of a remote zip archive: where its bytes lie and what they must become."""

    span: Span
    deflated: bool
    size: int
    crc: int

    def unpack(self, raw: Path, target: Path) -> None:
        """Write the member's contents, from its bytes in the archive."""
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        with open(raw, "rb") as packed, open(target, "wb") as plain:
            while chunk := packed.read(CHUNK):
                plain.write(inflate.decompress(chunk) if self.deflated else chunk)
            plain.write(inflate.flush() if self.deflated else b"")

    def check(self, path: Path) -> None:
        """Compare a file with the size and CRC-32 in the directory of the archive."""
        crc = 0
        with open(path, "rb") as file:
            while chunk := file.read(CHUNK):
                crc = zlib.crc32(chunk, crc)
        found, expected = (path.stat().st_size, crc), (self.size, self.crc)
        if found != expected:
            raise GlassError(
                "expected {} bytes with CRC-32 {:08x}, got {} with {:08x}".format(*expected, *found),
                source=path.with_name(path.name.removesuffix(".part")),
                remedy="Fetch it again; the download was discarded",
            )


def find_member(url: str, name: str) -> Member:
    """Look a member up in the directory of a remote zip archive; a few requests, no matter its size.

    Raises
    ------
    Unreachable
        When the archive cannot be reached or read, or has no such member.
    """
    try:
        with io.BufferedReader(_RemoteFile(url), buffer_size=2**16) as remote:
            info = zipfile.ZipFile(remote).getinfo(name)
            remote.seek(info.header_offset)
            header = remote.read(30)  # fixed part of the local header; it ends with two lengths
    except requests.RequestException as error:
        raise Unreachable(_one_line(error)) from error
    except (zipfile.BadZipFile, KeyError, NotImplementedError) as error:
        raise Unreachable(f"the archive is not as expected: {error}") from error
    if header[:4] != b"PK\x03\x04" or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Unreachable(f"the archive is not as expected at {name!r}")
    start = (
        info.header_offset
        + 30
        + int.from_bytes(header[26:28], "little")
        + int.from_bytes(header[28:], "little")
    )
    deflated = info.compress_type == zipfile.ZIP_DEFLATED
    return Member(Span(start, start + info.compress_size), deflated, info.file_size, info.CRC)


class _RemoteFile(io.RawIOBase):
    """A file behind HTTP, read by ranges."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._at = 0
        self._size = self._get("bytes=0-0")[1]

    def _get(self, span: str) -> tuple[bytes, int]:
        for attempt in range(ATTEMPTS):
            try:
                headers = {"Range": span, "Accept-Encoding": "identity"}
                with requests.get(self._url, headers=headers, stream=True, timeout=TIMEOUT) as response:
                    response.raise_for_status()
                    if response.status_code != 206:
                        raise Unreachable("the server does not serve parts of a file")
                    return response.content, int(response.headers["Content-Range"].rpartition("/")[2])
            except requests.RequestException as error:
                if attempt == ATTEMPTS - 1 or _is_final(error):
                    raise
                time.sleep(BACKOFF * 2**attempt)
        raise AssertionError("unreachable")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if self._at < 0:
            raise OSError("seek before the start")  # as a real file; zipfile counts on it
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        stop = min(self._at + len(buffer), self._size)
        if stop <= self._at:
            return 0
        content, _ = self._get(f"bytes={self._at}-{stop - 1}")
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)
