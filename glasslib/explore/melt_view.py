"""A live simulation with buttons to run and to pause, and a thermostat to turn."""

from __future__ import annotations

import time
from collections.abc import Callable

from glasslib.errors import GlassError
from glasslib.explore.background import Run
from glasslib.explore.controls import Screen, View, button, columns, control, rows, toolkit, watch_values
from glasslib.explore.melt import LiveGlass


class LiveExplorer(View):
    """Run a simulation beside the kernel, coloured live by the propensity that a network predicts.

    Parameters
    ----------
    live :
        The simulation.
    chunk :
        Time between two frames, in LJ units.

    Examples
    --------
    >>> LiveExplorer(LiveGlass(protocol, positions, predictor))  # as the last line of a cell # doctest: +SKIP
    """

    def __init__(self, live: LiveGlass, *, chunk: float = 0.25) -> None:
        self.live, self.chunk = live, chunk
        self.run = Run(self._work, self._changed)
        assert live.predictor.times is not None
        times = [(f"{t:g}", k) for k, t in enumerate(live.predictor.times)]
        self.controls = {
            "time": control("SelectionSlider", "predict for t", options=times, value=len(times) - 1),
            "temperature": control(
                "FloatSlider", "temperature", min=0.2, max=2.0, step=0.02, value=live.temperature
            ),
        }
        self._go = button("Run", "Run, or run on", self.start)
        self._pause = button("Pause", "Pause after this frame", lambda: self.stop(wait=False))
        self._status = toolkit().HTML()
        self._screen = Screen("A slab of the running simulation, coloured by predicted propensity")
        self.panel = rows(
            columns(
                [self.controls["time"], self.controls["temperature"]],
                [self._go],
                [self._pause],
                [self._status],
            ),
            self._screen.panel,
        )
        self._changed()
        watch_values([self.controls["time"]], self._moved)

    def start(self) -> None:
        """Run in a thread, or run on."""
        self.run.start()

    def stop(self, *, wait: bool = True) -> None:
        """Pause after the frame that it is at."""
        self.run.stop(wait=wait)

    def draw(self) -> None:
        """Show the present frame."""
        self._screen.show(self.live.figure(self.controls["time"].value))

    def _moved(self) -> None:
        if not self.run.running:  # otherwise the next frame shows it
            self.draw()

    def _work(self, check: Callable[[], None]) -> None:
        while True:
            check()
            begin = time.perf_counter()
            self.live.heat(round(self.controls["temperature"].value, 6))
            self.live.advance(self.chunk)
            self.draw()
            rate = self.chunk / (time.perf_counter() - begin)
            self._status.value = f"t = {self.live.time:.2f}, {rate:.1f} LJ times a second"

    def _changed(self) -> None:
        """The run has begun or ended, or is yet to begin."""
        self._go.disabled, self._pause.disabled = self.run.running, not self.run.running
        if self.run.error is not None:
            text = str(self.run.error) if isinstance(self.run.error, GlassError) else repr(self.run.error)
            self._screen.say(f"The simulation ended: {text}")
            return
        if not self.run.running:
            self._status.value = f"t = {self.live.time:.2f}, paused"
            self.draw()
