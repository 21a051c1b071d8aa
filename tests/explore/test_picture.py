"""A picture shows what the plotly figure shows, and nothing that a text could smuggle in."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import pytest
from plotly.colors import sample_colorscale, unlabel_rgb

from glasslib import GlassError
from glasslib.explore.marks import along
from glasslib.explore.picture import picture

LAYOUT = {"width": 500, "height": 300, "margin": {"l": 50, "r": 50, "t": 20, "b": 30}}


def drawn(*traces, **layout):
    return picture(go.Figure(traces, {**LAYOUT, **layout}))


def test_dots_are_where_plotly_puts_them(read):
    dots = go.Scatter(x=[0.0, 5.0, 10.0], y=[1.0, 2.0, 3.0], mode="markers", marker={"size": [4, 6, 8]})
    svg = drawn(dots, xaxis={"range": [0, 10]}, yaxis={"range": [1, 3]})
    found = [[float(c.get(name)) for name in ("cx", "cy", "r")] for c in read(svg, "circle")]
    np.testing.assert_allclose(found, [[50, 270, 2], [250, 145, 3], [450, 20, 4]])


def test_logarithmic_axes_and_domains(read):
    dots = go.Scatter(x=[1.0, 10.0, 100.0], y=[1, 1, 1], mode="markers", xaxis="x2", yaxis="y2")
    axis = {"type": "log", "range": [0, 2], "domain": [0.5, 1.0]}
    svg = drawn(dots, xaxis2=axis, yaxis2={"range": [0, 2]})
    assert [float(c.get("cx")) for c in read(svg, "circle")] == [250, 350, 450]
    assert {"1", "10", "100"} <= {text.text for text in read(svg, "text")}


def test_colours_are_plotlys():
    values = np.linspace(-0.5, 1.5, 23)
    wanted = sample_colorscale("Viridis", np.clip(values, 0, 1))
    found = [[int(colour[k : k + 2], 16) for k in (1, 3, 5)] for colour in along("Viridis", values, 0.0, 1.0)]
    np.testing.assert_allclose(found, [unlabel_rgb(colour) for colour in wanted], atol=1.01)


def test_a_colour_axis_has_its_bar(read):
    marker = {"color": [0.0, 1.0], "coloraxis": "coloraxis"}
    axis = {"cmin": 0.0, "cmax": 1.0, "colorscale": "Viridis", "colorbar": {"title": {"text": "σ"}}}
    svg = drawn(go.Scatter(x=[0, 1], y=[0, 1], mode="markers", marker=marker), coloraxis=axis)
    assert [c.get("fill") for c in read(svg, "circle")] == ["#440154", "#fde725"]
    assert {"σ", "0.5"} <= {text.text for text in read(svg, "text")}
    assert {r.get("fill") for r in read(svg, "rect")} >= {"#440154", "#fde725"}


def test_lines_break_where_nothing_is_known(read):
    line = go.Scatter(x=[0, 1, None, 2, 3], y=[0, 1, None, 2, np.nan], mode="lines", line={"dash": "dash"})
    first, second = read(drawn(line), "polyline")
    assert [len(piece.get("points").split()) for piece in (first, second)] == [2, 1]
    assert first.get("stroke-dasharray")


def test_bars_stand_on_zero(read):
    bars = go.Bar(x=[1, 2], y=[1.0, -0.5], width=1.0, marker={"color": "#123456"})
    svg = drawn(bars, xaxis={"range": [0, 4]}, yaxis={"range": [-1, 1]})
    found = [[float(r.get(name)) for name in ("x", "y", "width", "height")] for r in read(svg, "rect")]
    np.testing.assert_allclose(found, [[100, 20, 100, 125], [200, 145, 100, 62.5]])


def test_error_bars(read):
    dots = go.Scatter(x=[1], y=[1.0], mode="markers", error_y={"type": "data", "array": [0.5]})
    svg = drawn(dots, xaxis={"range": [0, 2]}, yaxis={"range": [0, 2]})
    assert ("250.0", "207.5", "82.5") in {(e.get("x1"), e.get("y1"), e.get("y2")) for e in read(svg, "line")}


def test_diamonds_are_no_circles_and_rings_are_empty(read):
    dots = [
        go.Scatter(x=[1], y=[1], mode="markers", marker={"symbol": symbol, "color": "#111111"})
        for symbol in ("diamond", "circle-open")
    ]
    svg = drawn(*dots)
    (ring,) = read(svg, "circle")
    assert len(read(svg, "path")) == 1
    assert ring.get("fill") == "none"
    assert ring.get("stroke") == "#111111"


def test_a_click_knows_which_dot_it_was(read):
    dots = go.Scatter(x=[1, 2], y=[1, 2], mode="markers", ids=["7", "8"], hovertext=["A 7", "B 8"])
    svg = picture(go.Figure(dots), "a slab", click="explore-3")
    assert [c.get("data-id") for c in read(svg, "circle")] == ["7", "8"]
    assert [title.text for title in read(svg, "title")] == ["A 7", "B 8"]
    (root, *_) = read(svg, "svg")
    assert ".explore-3 input" in root.get("onclick")
    assert root.get("aria-label") == "a slab"
    assert "onclick" not in picture(go.Figure(dots))


def test_texts_stay_texts(read):
    evil = '<script>alert("x")</script>'
    figure = go.Figure(go.Scatter(x=[1], y=[1], mode="markers", hovertext=[evil]), {"title": {"text": evil}})
    svg = picture(figure, f'"{evil}')
    assert read(svg, "script") == []
    assert evil in {text.text for text in read(svg, "text")}


def test_what_cannot_be_drawn_is_told():
    with pytest.raises(GlassError, match="scatter3d"):
        picture(go.Figure(go.Scatter3d(x=[0], y=[0], z=[0])))
