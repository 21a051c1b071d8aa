"""Figures hold the data they claim to show, stay small, and move without Python."""

from __future__ import annotations

import json

import numpy as np
import plotly.io as pio
import pytest

from glasslib import Glass, GlassError
from glasslib.plots import curves, glass_3d, slice_map


@pytest.fixture(scope="module")
def glass():
    rng = np.random.default_rng(2)
    box = np.array([8.0, 9.0, 10.0])
    grid = np.stack(np.meshgrid(*(np.arange(0.5, edge) for edge in box), indexing="ij"), -1).reshape(-1, 3)
    positions = grid + rng.uniform(-0.3, 0.3, grid.shape)
    types = (rng.random(len(grid)) < 0.2).astype(np.int8)
    return Glass(positions, types, box)


@pytest.fixture(scope="module")
def values(glass):
    return np.random.default_rng(3).gamma(2.0, size=(3, len(glass)))


def test_glass_3d_shows_every_particle_once(glass, values):
    figure = glass_3d(glass, values[0], name="speed")
    box, a, b = figure.data
    assert box.mode == "lines"
    for trace, kind in ((a, "A"), (b, "B")):
        shown = np.stack([trace.x, trace.y, trace.z], axis=1)
        np.testing.assert_allclose(shown, glass.positions[glass.is_type(kind)], atol=0.00501)
        np.testing.assert_allclose(trace.marker.color, values[0][glass.is_type(kind)], atol=0.000501)
    assert a.marker.size > b.marker.size
    assert figure.layout.coloraxis.colorbar.title.text == "speed"
    assert len(figure.layout.sliders) == 0


def test_the_box_has_twelve_edges(glass):
    box = glass_3d(glass, np.ones(len(glass))).data[0]
    points = np.array(
        [[np.nan if v is None else v for v in axis] for axis in (box.x, box.y, box.z)]
    ).T.reshape(-1, 3, 3)
    lengths = np.linalg.norm(points[:, 1] - points[:, 0], axis=1)
    np.testing.assert_allclose(np.sort(lengths), np.repeat(glass.box, 4))


def test_a_slider_step_for_each_row(glass, values):
    figure = glass_3d(glass, values, frames=["a", "b", "c"], start=1)
    (slider,) = figure.layout.sliders
    frames = {frame.name: frame for frame in figure.frames}
    assert [step.label for step in slider.steps] == ["a", "b", "c"]
    assert slider.active == 1
    assert slider.currentvalue.prefix == "t = "
    np.testing.assert_allclose(figure.data[1].marker.color, values[1][glass.is_type("A")], atol=0.001)
    for step, row in zip(slider.steps, values, strict=True):
        frame = frames[step.args[0][0]]
        assert tuple(frame.traces) == (1, 2)
        for trace, kind in zip(frame.data, "AB", strict=True):
            np.testing.assert_allclose(trace.marker.color, row[glass.is_type(kind)], atol=0.001)
        limits = frame.layout.coloraxis
        np.testing.assert_allclose((limits.cmin, limits.cmax), np.percentile(row, [2, 98]), atol=0.001)


def test_one_colour_range_for_all_where_asked(glass, values):
    figure = glass_3d(glass, values, colour_range=(0, 2))
    shown = {(f.layout.coloraxis.cmin, f.layout.coloraxis.cmax) for f in figure.frames if f.name.isdigit()}
    assert shown == {(0.0, 2.0)}


def test_the_buttons_turn_it(glass):
    figure = glass_3d(glass, np.ones(len(glass)))
    turn, stop = figure.layout.updatemenus[0].buttons
    frames = {frame.name: frame for frame in figure.frames}
    eyes = [frames[name].layout.scene.camera.eye for name in turn.args[0]]
    angles = np.unwrap([np.arctan2(eye.y, eye.x) for eye in eyes])
    assert angles[-1] - angles[0] > 6.0
    assert all(
        frames[name].traces == (0,) for name in turn.args[0]
    )  # plotly.js needs a trace to move a camera
    assert stop.args[0] == (None,) or list(stop.args[0]) == [None]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slabs_share_out_the_particles(glass, values, axis):
    figure = slice_map(glass, values[0], axis=axis, thickness=1.0)
    assert len(figure.frames) == glass.box[axis] == len(figure.layout.sliders[0].steps)
    shown = [v for frame in figure.frames for trace in frame.data for v in trace.marker.color]
    np.testing.assert_allclose(np.sort(shown), np.sort(values[0]), atol=0.000501)
    across = [k for k in range(3) if k != axis]
    middle = figure.frames[len(figure.frames) // 2]
    here = np.floor(glass.positions[:, axis]) == len(figure.frames) // 2
    for trace, kind in zip(middle.data, "AB", strict=True):
        wanted = np.round(glass.positions[here & glass.is_type(kind)][:, across], 2)
        have = np.stack([trace.x, trace.y], axis=1)
        np.testing.assert_allclose(have[np.lexsort(have.T)], wanted[np.lexsort(wanted.T)])


def test_cuts_side_by_side_share_places_and_colours(glass, values):
    figure = slice_map(glass, {"one": values[0], "two": values[1]}, colour_range=(0.0, 4.0))
    assert [(trace.xaxis, trace.yaxis) for trace in figure.data] == [("x", "y")] * 2 + [("x2", "y2")] * 2
    assert [note.text for note in figure.layout.annotations] == ["one", "two"]
    assert figure.layout.xaxis.domain[1] < figure.layout.xaxis2.domain[0]
    assert figure.layout.xaxis2.domain[1] == figure.layout.yaxis2.domain[1] == 1
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0, 4)
    for k, row in enumerate(values[:2]):
        alone = slice_map(glass, row)
        for frame, single in zip(figure.frames, alone.frames, strict=True):
            for trace, expected in zip(frame.data[2 * k : 2 * k + 2], single.data, strict=True):
                assert trace.marker.color == expected.marker.color
                assert trace.x == expected.x
                assert trace.y == expected.y
                assert trace.marker.coloraxis == "coloraxis"
    size = figure.layout.xaxis.domain[1] * (
        figure.layout.width - figure.layout.margin.l - figure.layout.margin.r
    )
    assert figure.data[0].marker.size == pytest.approx(0.9 * size / 9.0, rel=0.05)  # as wide as the box


def test_discs_are_to_scale(glass, values):
    a, b = slice_map(glass, values[0]).data
    assert b.marker.size / a.marker.size == pytest.approx(0.88, abs=0.01)


def test_inherent_cut_needs_inherent_positions(glass, values):
    with pytest.raises(GlassError, match="inherent_positions"):
        slice_map(glass, values[0], structure="inherent")
    moved = glass.replace(inherent_positions=glass.positions[::-1])
    assert (
        slice_map(moved, values[0], structure="inherent").data[0].x != slice_map(moved, values[0]).data[0].x
    )


def test_curves():
    x = np.array([1.0, 10.0, 100.0])
    figure = curves(
        {"up": (x, x), "down": (x, -x)}, "t", "y", log_x=True, marks={"here": 10.0}, dots=["down"]
    )
    up, down = figure.data
    np.testing.assert_allclose(up.y, x)
    assert (up.mode, down.mode) == ("lines+markers", "markers")
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.shapes[0].x0 == 10
    assert figure.layout.annotations[0].x == 1
    assert curves({"h": (x, x)}, "x", "n", steps=True).data[0].line.shape == "hvh"


def test_error_bars_belong_to_their_line():
    x = np.array([1.0, 2.0])
    with_bars, without = curves({"a": (x, x), "b": (x, x)}, "x", "y", errors={"a": 0.1 * x}).data
    np.testing.assert_allclose(with_bars.error_y.array, [0.1, 0.2])
    assert without.error_y.array is None


def test_a_logarithmic_axis_has_labels_within_a_decade():
    axis = curves({"y": ([1, 2, 3], [0.12, 0.3, 0.6])}, "x", "y", log_y=True).layout.yaxis
    assert {0.2, 0.5} < set(axis.tickvals)
    assert "0.2" in axis.ticktext


def test_curves_differ_by_more_than_colour():
    figure = curves({str(k): ([0, 1], [k, k]) for k in range(4)}, "x", "y")
    assert len({trace.line.dash for trace in figure.data}) == 4


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda g: glass_3d(g, np.ones(3)), "values"),
        (lambda g: glass_3d(g, np.ones((1, 2, len(g)))), "values"),
        (lambda g: glass_3d(g, np.full(len(g), np.nan)), "NaN"),
        (lambda g: glass_3d(g, np.ones((2, len(g))), frames=["one"]), "frames"),
        (lambda g: slice_map(g, np.ones(len(g)), axis=3), "axis"),
        (lambda g: slice_map(g, np.ones(len(g)), thickness=0), "thickness"),
        (lambda g: slice_map(g, np.ones((2, len(g)))), "values"),
        (lambda g: slice_map(g, np.ones(len(g)), structure="frozen"), "structure"),
        (lambda g: slice_map(g, {}), "values"),
        (lambda g: curves({"bad": ([1, 2], [1])}, "x", "y"), "bad"),
        (lambda g: curves({"bad": ([1], [1])}, "x", "y", errors={"bad": [1, 2]}), "bad"),
        (lambda g: curves({"one": ([1], [1])}, "x", "y", errors={"other": [1]}), "other"),
    ],
)
def test_says_what_is_wrong(glass, draw, message):
    with pytest.raises(GlassError, match=message):
        draw(glass)


def test_figures_stay_small(glass, values):
    """Eight frames of 4096 particles must leave room for other figures in a notebook of 2 MB."""
    per_particle = len(glass_3d(glass, np.tile(values[0], (8, 1))).to_json()) / len(glass)
    assert per_particle * 4096 < 500_000
    assert len(slice_map(glass, values[0]).to_json()) / len(glass) * 4096 < 200_000


def test_json_has_plain_numbers(glass, values):
    """Readable by any plotly.js: no typed arrays in base64, which older ones do not know."""
    text = pio.to_json(glass_3d(glass, values))
    assert "bdata" not in text
    assert json.loads(text)["data"][1]["type"] == "scatter3d"
