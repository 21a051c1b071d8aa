"""Progress bars and figures that grow in a notebook."""

from __future__ import annotations

import re
import time
from types import SimpleNamespace
from xml.etree import ElementTree

import IPython
import nbformat
import numpy as np
import plotly.graph_objects as go
import pytest
from nbclient import NotebookClient

from glasslib.plots import curves
from glasslib.simulate import live
from glasslib.simulate.live import progress_bar, sketch, watch

SVG = "{http://www.w3.org/2000/svg}"


class Shown:
    """Stands for one output of a cell; keeps what it was replaced by."""

    def __init__(self, bundle):
        self.bundles = [bundle]

    def update(self, bundle, raw):
        assert raw
        self.bundles.append(bundle)


@pytest.fixture
def outputs(monkeypatch) -> list[Shown]:
    """Outputs that a notebook would show, each redraw let through."""
    made: list[Shown] = []

    def display(bundle, raw, display_id):
        assert raw
        assert display_id is True
        made.append(Shown(bundle))
        return made[-1]

    monkeypatch.setattr(live, "INTERVAL", 0.0)
    monkeypatch.setattr(live, "SHARE", 1.0)
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(kernel="a kernel"))
    monkeypatch.setattr(IPython.display, "display", display)
    return made


def lines(svg: str) -> list[list[tuple[float, float]]]:
    """Points of each line that is drawn, without the one beside its name."""
    found = re.findall(r'<polyline points="([^"]*)"', svg)[::2]
    return [[tuple(map(float, point.split(","))) for point in points.split()] for points in found]


def test_the_figure_grows_step_by_step_and_leaves_one_line(outputs):
    seen = []
    for step in watch(range(5), lambda: curves({"run": (seen, seen)}, "t", "U"), "melting"):
        seen.append(step)
    (output,) = outputs
    first, *pictures, last = output.bundles
    assert first == last == {"text/plain": "melting: 5 steps"}
    assert [len(lines(picture["text/html"])[0]) for picture in pictures] == [1, 2, 3, 4, 5]
    percents = [picture["text/plain"].split("%")[0].split()[-1] for picture in pictures]
    assert percents == ["20", "40", "60", "80", "100"]
    assert all(picture["text/plain"] in picture["text/html"] for picture in pictures)


def texts(svg: str) -> list[str]:
    """Everything that is written in it."""
    return [element.text for element in ElementTree.fromstring(svg).iter(SVG + "text")]


def test_a_sketch_shows_what_the_figure_shows():
    t = np.array([1.0, 3.0, 5.0])
    svg = sketch(curves({"a<b": (t, 2 * t), "c": (t, -t)}, "time", "energy", dots=["c"]), "here")
    assert {"here", "time", "energy", "a<b", "c"} <= set(texts(svg))
    ((left, low), middle, (right, high)) = lines(svg)[0]
    assert middle == pytest.approx(((left + right) / 2, (low + high) / 2), abs=0.11)  # linear
    assert live._LEFT < left < right < live._RIGHT
    assert live._TOP < high < low < live._BOTTOM  # upwards
    circles = re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', svg)
    assert [float(x) for x, _ in circles[-5:-2]] == [x for x, _ in lines(svg)[0]]  # and two beside the name


@pytest.mark.parametrize(
    ("values", "log", "labels"),
    [
        ([0.0, 10.0], False, ["0", "2", "4", "6", "8", "10"]),
        ([-5.93, -5.67], False, ["-5.9", "-5.85", "-5.8", "-5.75", "-5.7"]),
        ([-0.4, 0.4], False, ["-0.4", "-0.2", "0", "0.2", "0.4"]),
        ([0.005, 60.0], True, ["0.01", "0.1", "1", "10"]),
        ([1e-8, 1e8], True, ["1e-05", "1", "100000"]),
    ],
)
def test_ticks_are_round_and_in_their_places(values, log, labels):
    axis = live.Axis.around([np.array(values)], log, (0.0, 100.0))
    ticks = axis.ticks()
    assert [label for _, label in ticks] == labels
    np.testing.assert_allclose([place for place, _ in ticks], axis.place([float(label) for label in labels]))


def test_what_cannot_be_drawn_is_left_out():
    bad = {"a": ([0.0, 1.0, 2.0, 3.0], [1.0, 2.0, np.nan, 4.0]), "none": ([], [])}
    assert [len(line) for line in lines(sketch(curves(bad, "t", "U", log_x=True), ""))] == [2, 0]
    assert lines(sketch(go.Figure(), "nothing")) == []


def test_every_step_is_passed_on_once():
    steps = ["a", "b", "c"]
    assert list(watch(steps, lambda: pytest.fail("drawn outside a notebook"), "letters")) == steps


def test_drawing_takes_a_small_share_of_the_time(outputs, monkeypatch):
    monkeypatch.setattr(live, "SHARE", 0.2)
    drawn = 0

    def slow():
        nonlocal drawn
        drawn += 1
        time.sleep(0.02)
        return go.Figure()

    begin = time.perf_counter()
    for _ in watch(range(100), slow, "slow"):
        time.sleep(0.004)
    elapsed = time.perf_counter() - begin
    assert 2 <= drawn <= 1 + 0.25 * elapsed / 0.02


def test_a_run_that_fails_keeps_its_last_picture(outputs):
    steps = watch(range(3), go.Figure, "broken")
    next(steps), next(steps)
    with pytest.raises(ZeroDivisionError):
        steps.throw(ZeroDivisionError)
    assert "<svg" in outputs[0].bundles[-1]["text/html"]


def test_a_bar_counts_what_passes(outputs):
    with progress_bar("replicas", 8.0) as tick:
        for amount in (2.0, 4.0, 2.0000001):
            tick(amount)
    texts = [bundle["text/plain"] for bundle in outputs[0].bundles]
    assert texts[0] == texts[-1] == "replicas: 8 LJ time"
    assert [text.split("%")[0].split()[-1] for text in texts[1:-1]] == ["25", "75", "100"]
    assert [text.count("█") for text in texts[1:-1]] == [6, 18, 24]


def test_outside_a_notebook_nothing_is_shown(capsys, monkeypatch):
    for shell in (None, SimpleNamespace()):  # a script, IPython in a terminal
        monkeypatch.setattr(IPython, "get_ipython", lambda shell=shell: shell)
        with progress_bar("replicas", 8.0) as tick:
            tick(8.0)
    assert capsys.readouterr() == ("", "")


def test_in_a_notebook_the_stored_output_is_one_line(monkeypatch):
    source = """\
import plotly.graph_objects as go
from glasslib.simulate.live import progress_bar, watch
for _ in watch(range(3), go.Figure, "melting"):
    pass
with progress_bar("replicas", 8.0) as tick:
    tick(8.0)
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    client = NotebookClient(notebook, timeout=120, kernel_name="python3")
    kinds = []
    process = client.process_message

    def listen(message, cell, index):
        kinds.append(message["msg_type"])
        return process(message, cell, index)

    monkeypatch.setattr(client, "process_message", listen)
    client.execute()
    assert [output.data for output in notebook.cells[0].outputs] == [
        {"text/plain": "melting: 3 steps"},
        {"text/plain": "replicas: 8 LJ time"},
    ]
    assert kinds.count("update_display_data") >= 4  # a picture, a bar, and both lines again
    assert "widgets" not in notebook.metadata
