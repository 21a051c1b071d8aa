"""How long an interaction with the views of glasslib.explore takes in the kernel, N = 4096.

    python benchmarks/explore.py

From the change of a control's value, as the browser sends it, until the new picture is handed to the browser.
It should be less than 300 ms. What is computed beside the kernel (a prediction, a feature of all particles)
does not hold a picture up: `first` has the time until it is drawn without, `whole` until everything is there.
`processor` is the time that a processor worked for it, which other programs hardly lengthen. What the browser
adds (an SVG of 30 to 100 kB on the page) is not in it. The median counts. Writes results/explore.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch
from convolution import RESULTS

from glasslib import catalog
from glasslib.explore import ConvolutionExplorer, GlassExplorer

LIMIT = 0.3

#: Control and the values it is moved back and forth between, all of them computed before.
GLASS = {
    "time": (3, 6),
    "middle": (3.0, 9.5),
    "particle": (17, 2030),
    "step": (5, 60),
    "turned": (40, -30),
    "tilted": (10, -50),
    "axis": (0, 2),
    "left": ("bond order q6", "measured"),
    "right": ("error", "predicted"),
    "radius": (1.5, 1.1),
    "structure": ("thermal", "inherent"),
}
TURNS = {"y": (40, -75), "x": (15, 150), "z": (-35, 90)}


def timed(move: Callable[[], None]) -> tuple[float, float]:
    """Seconds, and seconds of this thread's processor."""
    wall, processor = time.perf_counter(), time.thread_time()
    move()
    return time.perf_counter() - wall, time.thread_time() - processor


def moves(view, control: str, values: tuple, turns: int, settle: Callable[[], None]) -> list:
    """Times of moving one control back and forth."""

    def to(value) -> Callable[[], None]:
        return lambda: setattr(view.controls[control], "value", value)

    for value in values:  # what is computed beside, once
        to(value)()
        settle()
    return [timed(to(values[turn % 2])) for turn in range(turns)]


def fresh(explorer: GlassExplorer, names: list[str]) -> tuple[list, list]:
    """Times of going to configurations never seen before: until they are drawn, and until they are whole."""
    first, whole = [], []
    for name in names:
        begin = time.perf_counter()
        first.append(timed(lambda name=name: setattr(explorer.controls["name"], "value", name)))
        explorer.shelf.wait()
        whole.append((time.perf_counter() - begin, float("nan")))
    return first, whole


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--turns", type=int, default=10)
    options = parser.parse_args()
    explorer = GlassExplorer(data="bundled", temperature="0.64", name="test 1", time=6)
    explorer.shelf.wait()
    (glass,) = catalog.load("bundled", "test", temperature=0.64, limit=1)
    turning = ConvolutionExplorer(glass, 9)
    found: dict[str, list] = {}
    for control, values in GLASS.items():
        found[f"glass: {control}"] = moves(explorer, control, values, options.turns, explorer.shelf.wait)
    for control, values in TURNS.items():
        found[f"convolution: {control}"] = moves(turning, control, values, options.turns, lambda: None)
    first, whole = fresh(explorer, ["test 2", "test 3", "test 4"])
    found |= {"glass: new configuration, first": first, "glass: new configuration, whole": whole}
    print(f"N = {len(glass)}, {torch.get_num_threads()} threads, median of {options.turns}; ms")
    slow = []
    for name, times in found.items():
        wall, processor = (1000 * statistics.median(each) for each in zip(*times, strict=True))
        beside = "" if processor != processor else f"  processor {processor:4.0f}"
        print(f"  {name:<34} {wall:5.0f}{beside}")
        if wall > 1000 * LIMIT and not name.endswith("whole"):
            slow.append(name)
    print(f"over {1000 * LIMIT:.0f} ms: {', '.join(slow) or 'none'}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "explore.json").write_text(
        json.dumps({"particles": len(glass), "times": found}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
