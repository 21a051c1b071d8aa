"""The training watcher: loss and r while a network trains, with stop and resume."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import plotly.graph_objects as go

from glasslib.errors import GlassError
from glasslib.explore.background import Run
from glasslib.explore.controls import Screen, View, button, control, rows, side_by_side, toolkit
from glasslib.explore.training import training_figure
from glasslib.glass import Glass
from glasslib.predictor import NetworkPredictor
from glasslib.training import Progress, history_of

#: Seconds between two redraws, at least; and the largest share of the time that they may take.
INTERVAL, SHARE = 0.3, 0.2


class TrainingWatcher(View):
    """Train beside the kernel and watch: loss and r, live, with buttons to stop and to go on.

    It is ``predictor.fit(glasses, directory=directory)`` in a thread. Stopped at any step, or killed with the
    kernel, it goes on from the last finished epoch, here or by that very call, to the same weights. (While it
    runs, other cells should draw no random numbers from torch: they would share them.)

    Parameters
    ----------
    predictor :
        What is trained.
    glasses :
        Training configurations; a part is set aside for validation.
    directory :
        Where checkpoints go. What has been done there before is shown, and gone on with.

    Examples
    --------
    >>> watcher = TrainingWatcher(predictor, train, "runs/watched")  # doctest: +SKIP
    >>> watcher  # as the last line of a cell # doctest: +SKIP
    """

    def __init__(self, predictor: NetworkPredictor, glasses: Sequence[Glass], directory: str | Path) -> None:
        self.predictor, self.glasses, self.directory = predictor, list(glasses), Path(directory)
        self.epochs = predictor.training_options.epochs
        self.history = history_of(self.directory)
        self.steps: list[tuple[float, float]] = []
        self.run = Run(self._work, self._changed)
        self._next = 0.0
        self._go = button("Start", "Train, or go on training", self.start)
        self._stop = button(
            "Stop", "Stop after this step; what is finished stays", lambda: self.stop(wait=False)
        )
        self._bar = control("IntProgress", "epochs", min=0, max=self.epochs, width="420px")
        self._status = toolkit().HTML()
        self._screen = Screen("Loss and correlation by epoch")
        self.panel = rows(side_by_side(self._go, self._stop, self._bar, self._status), self._screen.panel)
        self._changed()

    def start(self) -> None:
        """Train in a thread, or go on."""
        self.run.start()

    def stop(self, *, wait: bool = True) -> None:
        """Stop after the step that it is at."""
        if self.run.running:
            self._status.value = "stopping …"
        self.run.stop(wait=wait)

    def wait(self, seconds: float | None = None) -> None:
        """Until the training has ended, or so many seconds."""
        self.run.wait(seconds)

    def figure(self) -> go.Figure:
        """What the screen shows, as a plotly figure."""
        return training_figure(self.history, epochs=self.epochs, steps=self.steps)

    def draw(self) -> None:
        """Show how far it is."""
        self._bar.value = len(self.history)
        self._screen.show(self.figure())

    def _work(self, check: Callable[[], None]) -> None:
        begin, before = time.perf_counter(), len(self.history)

        def watch(progress: Progress) -> None:
            self._take(progress, begin, before)
            check()

        self.predictor.fit(self.glasses, directory=self.directory, progress=False, watch=watch)
        self.history = self.predictor.history

    def _take(self, progress: Progress, begin: float, before: int) -> None:
        """Note how far it is, and draw if it is time to."""
        if progress.history:
            self.history = progress.history
        done = progress.epoch + progress.step / progress.n_steps
        if math.isfinite(progress.loss):
            # steps of an epoch that was cut off are made again
            self.steps = [step for step in self.steps if step[0] < done] + [(done, progress.loss)]
        now = time.perf_counter()
        if now < self._next:
            return
        share = (done - before) / max(self.epochs - before, 1)
        left = (now - begin) * (1 / share - 1) if share > 0 else math.nan
        to_go = f", {int(left) // 60}:{int(left) % 60:02d} to go" if math.isfinite(left) else ""
        self._status.value = f"epoch {progress.epoch + 1} of {self.epochs}{to_go}"
        self.draw()
        end = time.perf_counter()
        self._next = end + max(INTERVAL, (end - now) * (1 / SHARE - 1))

    def _changed(self) -> None:
        """The run has begun or ended, or is yet to begin."""
        running, finished = self.run.running, self.run.finished or (self.directory / "history.json").exists()
        self._go.disabled, self._stop.disabled = running or finished, not running
        self._go.description = "Resume" if self.history or self.steps else "Start"
        if self.run.error is not None:
            text = str(self.run.error) if isinstance(self.run.error, GlassError) else repr(self.run.error)
            self._screen.say(f"The training ended: {text}")
            self._status.value = "ended"
            return
        self._status.value = "running" if running else "finished" if finished else "not running"
        self.draw()
