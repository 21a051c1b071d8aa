"""Trouble on purpose, and real: a disk without room, a folder that may not be written, a kill.

It binds root too, for whom the bits of chmod mean nothing.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_READ_AND_WRITE_ANYTHING = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


@dataclass(frozen=True)
class Disk:
    """A folder, and a way to leave only so many bytes of room in it.

    ``message`` is what the operating system says when there is no more.
    """

    folder: Path
    message: str
    with_room_for: Callable[[int], AbstractContextManager[None]]


@contextmanager
def small_disk(folder: Path, size: int = 2**25) -> Iterator[Disk]:
    """A file system of its own in memory; skips where none can be mounted."""

    @contextmanager
    def with_room_for(room: int) -> Iterator[None]:
        about, filler = os.statvfs(folder), folder / "filler"
        pages = about.f_bavail - -(-room // about.f_frsize)
        with open(filler, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, pages * about.f_frsize)
        try:
            yield
        finally:
            filler.unlink()

    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system may be mounted here")
    try:
        yield Disk(folder, "No space left on device", with_room_for)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def limited_files(folder: Path) -> Iterator[Disk]:
    """Where no file may become larger than the room; needs no privilege."""

    @contextmanager
    def with_room_for(room: int) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    yield Disk(folder, "File too large", with_room_for)


@contextmanager
def forbidden(folder: Path) -> Iterator[None]:
    """A folder that may be read, but not written; root may not either, in this thread."""
    before = folder.stat().st_mode
    folder.chmod(0o500)
    try:
        with _without(_READ_AND_WRITE_ANYTHING):
            yield
    finally:
        folder.chmod(before)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("thread", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable"))


@contextmanager
def _without(capabilities: int) -> Iterator[None]:
    """Give up some of root's exemptions for a while, where there are any."""
    if sys.platform != "linux":
        if os.geteuid() == 0:
            pytest.skip("root may write anywhere")
        yield
        return
    libc, header, sets = ctypes.CDLL(None, use_errno=True), _Header(0x20080522, 0), (_Sets * 2)()
    assert libc.capget(ctypes.byref(header), sets) == 0
    before = sets[0].effective
    sets[0].effective &= ~capabilities
    assert libc.capset(ctypes.byref(header), sets) == 0
    try:
        yield
    finally:
        sets[0].effective = before
        assert libc.capset(ctypes.byref(header), sets) == 0


def in_a_fork(work: Callable[[], object], *, kill_after: float | None = None) -> bool:
    """Run ``work`` in a process of its own, killed after so many seconds; whether it came to its end.

    What it raises fails here too. For scripts of a test, not for pytest's own process: that has threads.
    """
    child = os.fork()
    if child == 0:
        os._exit(_status(work))
    end = None if kill_after is None else time.monotonic() + kill_after
    while end is None or time.monotonic() < end:
        found, status = os.waitpid(child, 0 if end is None else os.WNOHANG)
        if found:
            return _ended(status)
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    return _ended(os.waitpid(child, 0)[1])


def script(text: str, *arguments: object) -> str:
    """Run a script of a test in a Python of its own, without torch's threads, and return what it printed."""
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", text, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=root,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_forks(work: Callable[[], object], number: int) -> None:
    """``work`` in so many processes at once; what any of them raises fails here too."""
    children = []
    for _ in range(number):
        if not (child := os.fork()):
            os._exit(_status(work))
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * number, "the error is told above"


def _status(work: Callable[[], object]) -> int:
    try:
        work()
    except BaseException as error:  # must not go on as a second pytest
        os.write(2, f"{error!r}\n".encode())
        return 1
    return 0


def _ended(status: int) -> bool:
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signal.SIGKILL), "the error is told above"
    return code == 0


def killing(step: int, function: Callable[..., object]) -> Callable[..., object]:
    """``function``, but killed just before (steps 1, 3, 5 ...) or just after (2, 4, 6 ...) a call."""
    count = 0

    def counted(*given: object, **named: object) -> object:
        nonlocal count
        count += 1
        if 2 * count - 1 == step:
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*given, **named)
        if 2 * count == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return counted
