"""Watch a run in a notebook: a progress bar, and a figure that grows.

Both live in one output of the cell, replaced in place, and leave one line of text when the run is over: no
widget, no stream of carriage returns. So the notebook stays small, and its stored output does not depend on
how fast the computer is. Outside a notebook nothing is shown.

While it grows, a figure is drawn as a plain SVG: JupyterLab does not redraw a plotly figure in place.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from tqdm import tqdm

from glasslib.glass import FloatArray

T = TypeVar("T")

#: Seconds between two redraws, at least; and the largest share of the time that they may take.
INTERVAL, SHARE = 0.25, 0.2

WIDTH, HEIGHT = 720, 430
_LEFT, _RIGHT, _TOP, _BOTTOM = 85, 545, 50, 370
_DASHES = {"dash": "10 6", "dot": "2 5", "dashdot": "10 5 2 5"}


def watch(
    steps: Sequence[T],
    draw: Callable[[], Any],
    name: str,
    render: Callable[[Any, str], str] | None = None,
) -> Iterator[T]:
    """Go through ``steps`` while a figure of what there is so far is redrawn.

    Parameters
    ----------
    steps :
        What to go through.
    draw :
        Makes a plotly figure of lines and dots, as :func:`glasslib.plots.curves` does; called now and
        then, after a step.
    name :
        Of the run, beside the progress bar above the figure.
    render :
        Makes HTML of the figure and a title; by default :func:`sketch`.

    Yields
    ------
    object
        Each step. After the last one the figure is gone; end the cell with ``draw()`` to keep it.

    Examples
    --------
    >>> energies = []
    >>> for _ in watch(range(50), lambda: curves({"run": (times, energies)}, "t", "U"), "melting"):
    ...     energies.append(run(100))  # doctest: +SKIP
    """
    output = _Output(f"{name}: {len(steps)} steps")
    start, done = time.perf_counter(), 0

    def picture() -> dict[str, Any]:
        bar = _bar(name, done, len(steps), start)
        return {"text/html": (render or sketch)(draw(), bar), "text/plain": bar}

    for step in steps:
        yield step
        done += 1
        output.replace(picture)
    output.finish()


@contextmanager
def progress_bar(name: str, total: float, unit: str = "LJ time") -> Iterator[Callable[[float], None]]:
    """A progress bar alone.

    Parameters
    ----------
    name :
        Before the bar.
    total :
        How many of ``unit`` there will be.
    unit :
        After the numbers.

    Yields
    ------
    Callable
        To be called with how many units have passed since the last call, as ``progress`` of
        :func:`glasslib.simulate.ensemble.isoconfigurational_ensemble`.
    """
    output = _Output(f"{name}: {total:g} {unit}")
    start, done = time.perf_counter(), 0.0

    def tick(amount: float) -> None:
        nonlocal done
        done += amount
        output.replace(lambda: {"text/plain": _bar(name, done, total, start)})

    yield tick
    output.finish()


def sketch(figure: Any, title: str) -> str:
    """The scatter traces of a plotly figure as an SVG: axes, ticks, lines, dots, names.

    Parameters
    ----------
    figure :
        A plotly figure; of its layout the titles and types of both axes count, and its colours.
    title :
        Above it, in a fixed-width font.
    """
    traces = [(trace, *_numbers(trace, figure.layout)) for trace in figure.data]
    x_axis, y_axis = (
        Axis.around([trace[k] for trace in traces], axis.type == "log", pixels)
        for k, axis, pixels in (
            (1, figure.layout.xaxis, (_LEFT, _RIGHT)),
            (2, figure.layout.yaxis, (_BOTTOM, _TOP)),
        )
    )
    colours = figure.layout.template.layout.colorway or ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
    parts = [
        _text(WIDTH / 2, 24, title, style="font-family:monospace;white-space:pre", anchor="middle"),
        _text((_LEFT + _RIGHT) / 2, HEIGHT - 8, figure.layout.xaxis.title.text, anchor="middle"),
        _text(0, 0, figure.layout.yaxis.title.text, anchor="middle", turn=(20, (_TOP + _BOTTOM) / 2)),
        f'<path d="M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}" stroke="#444" fill="none"/>',
    ]
    for place, label in x_axis.ticks():
        parts += [_line(place, _BOTTOM, place, _TOP), _text(place, _BOTTOM + 20, label, anchor="middle")]
    for place, label in y_axis.ticks():
        parts += [_line(_LEFT, place, _RIGHT, place), _text(_LEFT - 8, place + 5, label, anchor="end")]
    for k, (trace, x, y) in enumerate(traces):
        points = list(zip(x_axis.place(x), y_axis.place(y), strict=True))
        key = [(_RIGHT + 15.0, _TOP + 22.0 * k + 8), (_RIGHT + 40.0, _TOP + 22.0 * k + 8)]
        for stretch in (points, key):
            parts.append(_trace(stretch, trace, colours[k % len(colours)]))
        parts.append(_text(_RIGHT + 48, _TOP + 22 * k + 13, trace.name or ""))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        'style="background:white;font-family:Arial,Helvetica,sans-serif;font-size:14px">'
        f"{''.join(parts)}</svg>"
    )


@dataclass(frozen=True)
class Axis:
    """Numbers to pixels; ``low`` and ``high`` are logarithms (base 10) where ``log``."""

    low: float
    high: float
    log: bool
    pixels: tuple[float, float]

    @classmethod
    def around(cls, values: Sequence[FloatArray], log: bool, pixels: tuple[float, float]) -> Axis:
        """An axis that holds all values, with a small margin."""
        flat = np.concatenate([*values, np.empty(0)])
        flat = np.log10(flat) if log else flat
        low, high = (float(flat.min()), float(flat.max())) if len(flat) else (0.0, 1.0)
        margin = 0.04 * (high - low) or 0.5
        return cls(low - margin, high + margin, log, pixels)

    def place(self, values: ArrayLike) -> FloatArray:
        """Pixels ``(...)`` of values ``(...)``."""
        numbers = np.asarray(values, dtype=float)
        share = ((np.log10(numbers) if self.log else numbers) - self.low) / (self.high - self.low)
        there: FloatArray = self.pixels[0] + share * (self.pixels[1] - self.pixels[0])
        return there

    def ticks(self, number: int = 6) -> list[tuple[float, str]]:
        """Pixel and text of about so many: decades, or steps of 1, 2 or 5 times a power of ten."""
        rough = (self.high - self.low) / number
        power = 10.0 ** np.floor(np.log10(rough))
        step = next(power * digit for digit in (1, 2, 5, 10) if power * digit >= 0.999 * rough)
        step = max(1.0, np.round(step)) if self.log else step
        marks = step * np.arange(np.ceil(self.low / step), np.floor(self.high / step) + 1)
        numbers = 10.0**marks if self.log else np.round(marks, 10) + 0.0  # not -0
        return [(float(self.place(number)), f"{number:g}") for number in numbers]


def _numbers(trace: Any, layout: Any) -> tuple[FloatArray, FloatArray]:
    """Those x and y of a trace that can be drawn."""
    x, y = (np.asarray([] if v is None else v, dtype=float) for v in (trace.x, trace.y))
    good = np.isfinite(x) & np.isfinite(y)
    good &= (x > 0) | (layout.xaxis.type != "log")
    good &= (y > 0) | (layout.yaxis.type != "log")
    return x[good], y[good]


def _trace(points: Sequence[tuple[float, float]], trace: Any, colour: str) -> str:
    mode, drawn = trace.mode or "lines", ""
    if "lines" in mode:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dash = _DASHES.get(trace.line.dash, "none")
        style = f'stroke="{colour}" stroke-width="2.2" stroke-dasharray="{dash}" fill="none"'
        drawn += f'<polyline points="{path}" {style}/>'
    if "markers" in mode or len(points) == 1:
        drawn += "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in points)
    return drawn


def _line(x0: float, y0: float, x1: float, y1: float) -> str:
    return f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="#e5e5e5"/>'


def _text(
    x: float,
    y: float,
    text: str | None,
    *,
    anchor: str = "start",
    style: str = "",
    turn: tuple[float, float] | None = None,
) -> str:
    place = f'transform="translate({turn[0]} {turn[1]}) rotate(-90)"' if turn else f'x="{x:.1f}" y="{y:.1f}"'
    return f'<text {place} text-anchor="{anchor}" fill="#222" style="{style}">{escape(text or "")}</text>'


def _bar(name: str, done: float, total: float, start: float) -> str:
    """As tqdm writes it, without the rate."""
    text: str = tqdm.format_meter(
        min(done, total),
        total,
        time.perf_counter() - start,
        prefix=name,
        bar_format="{desc}: {percentage:3.0f} % {bar:24} {elapsed}, {remaining} to go",
    )
    return text


class _Output:
    """One output of a cell, replaced in place, but not too often."""

    def __init__(self, text: str) -> None:
        self._text = {"text/plain": text}
        self._next = 0.0
        self._handle = _display(self._text)

    def replace(self, make: Callable[[], dict[str, Any]]) -> None:
        """Show what ``make`` returns, if it is time to."""
        start = time.perf_counter()
        if self._handle is None or start < self._next:
            return
        self._handle.update(make(), raw=True)
        end = time.perf_counter()
        self._next = end + max(INTERVAL, (end - start) * (1 / SHARE - 1))

    def finish(self) -> None:
        """Show the text again."""
        if self._handle is not None:
            self._handle.update(self._text, raw=True)


def _display(bundle: dict[str, Any]) -> Any:
    """A handle on a new output of the cell; None outside a notebook."""
    try:
        from IPython import display, get_ipython
    except ImportError:
        return None
    if not hasattr(get_ipython(), "kernel"):
        return None
    show: Any = display.display
    return show(bundle, raw=True, display_id=True)
