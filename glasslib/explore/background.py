"""Work beside the kernel: results that come later, and runs that can be stopped and taken up again."""

from __future__ import annotations

import atexit
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class Later:
    """Results that are made one after the other in a thread, and kept.

    Parameters
    ----------
    ready :
        Called in that thread whenever a result has arrived.
    keep :
        So many results at most; the oldest go first.
    """

    def __init__(self, ready: Callable[[], None], keep: int = 64) -> None:
        self._ready, self._keep = ready, keep
        self._results: OrderedDict[Hashable, Any] = OrderedDict()
        self._waiting: dict[Hashable, Future[None]] = {}
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, "explore")

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The result, or None while it is being made.

        Raises
        ------
        Exception
            What ``make`` raised.
        """
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
                found = self._results[key]
                if isinstance(found, Exception):
                    raise found
                return found
            if key not in self._waiting:
                self._waiting[key] = self._thread.submit(self._make, key, make)
        return None

    def wait(self) -> None:
        """Until everything that was asked for is there, and what ``ready`` asks for then."""
        while True:
            with self._lock:
                waiting = list(self._waiting.values())
            if not waiting:
                return
            for future in waiting:
                future.result()

    @property
    def busy(self) -> bool:
        """Whether something is being made."""
        with self._lock:
            return bool(self._waiting)

    def _make(self, key: Hashable, make: Callable[[], Any]) -> None:
        try:
            result = make()
        except Exception as error:  # told to whoever asks for it
            result = error
        with self._lock:
            self._results[key] = result
            while len(self._results) > self._keep:
                self._results.popitem(last=False)
        try:
            self._ready()
        finally:
            with self._lock:
                del self._waiting[key]


class Stopped(Exception):
    """Raised inside a run that is to stop."""


class Run:
    """A run in a thread that can be stopped at any step and started again.

    Parameters
    ----------
    work :
        Called with a function that it calls after every step, and that raises :class:`Stopped` there when
        the run is to stop. What was done until then is its own to keep.
    changed :
        Called, in that thread, when the run has begun or ended, however it ended.

    Attributes
    ----------
    running, finished :
        Whether it is at work; whether it has come to its end.
    error :
        What ended it, if that was neither its end nor :meth:`stop`.
    """

    def __init__(self, work: Callable[[Callable[[], None]], None], changed: Callable[[], None]) -> None:
        self._work, self._changed = work, changed
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self.running = False
        self.finished = False
        self.error: BaseException | None = None

    def start(self) -> None:
        """Begin, or go on; nothing where it runs already or has finished."""
        if self.running or self.finished:
            return
        self.wait()
        self._stop.clear()
        self.error, self.running = None, True
        self._thread = threading.Thread(target=self._go, name="explore", daemon=True)
        self._thread.start()
        atexit.register(self.stop)  # a thread inside torch or LAMMPS must not outlive the interpreter

    def stop(self, *, wait: bool = True) -> None:
        """Ask it to stop after the step that it is at, and wait for that."""
        self._stop.set()
        if wait:
            self.wait()

    def wait(self, seconds: float | None = None) -> None:
        """Until the run has ended, or so many seconds."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(seconds)

    def _check(self) -> None:
        if self._stop.is_set():
            raise Stopped

    def _go(self) -> None:
        try:
            self._changed()
            self._work(self._check)
            self.finished = True
        except Stopped:
            pass
        except Exception as error:  # shown where the run is watched
            self.error = error
        finally:
            self.running = False
            atexit.unregister(self.stop)
            self._changed()
