"""Spherical harmonics in three dimensions, to be turned with the mouse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import torch
from e3nn import o3
from numpy.typing import ArrayLike
from plotly.subplots import make_subplots

from glasslib.errors import GlassError
from glasslib.glass import FloatArray
from glasslib.plots.style import COLOURS, HEIGHT, TEMPLATE, WIDTH, short, slider

#: Colours where a function is negative and positive.
SIGNS = (COLOURS[1], COLOURS[0])
#: Distance between two surfaces of the pyramid; each reaches 1 from its centre.
SPACING = 2.6

AXES = ("xaxis", "yaxis", "zaxis")


def harmonics_3d(l_max: int = 2, *, resolution: int = 32, title: str | None = None) -> go.Figure:
    """Every real spherical harmonic up to a degree: one row for each l, one column for each m.

    The distance of a surface from its centre is |Y| in that direction, its colour the sign. The axes are
    e3nn's: x to the right, y up, z towards the viewer. A menu shows one degree or one function alone.

    Parameters
    ----------
    l_max :
        Highest degree, at most 6.
    resolution :
        Steps of the polar angle; even, so that the planes through the centre are among them.
    title :
        Above the figure.

    Returns
    -------
    plotly.graph_objects.Figure
        For each function a surface and its axes, in the order (l, m) = (0, 0), (1, -1), (1, 0), ...

    Raises
    ------
    GlassError
        When a number is out of range.
    """
    _require(0 <= l_max <= 6, "l_max", "0 to 6", l_max)
    _require(resolution >= 8 and resolution % 2 == 0, "resolution", "an even number from 8", resolution)
    directions = _directions(resolution)
    labels = [(degree, m) for degree in range(l_max + 1) for m in range(-degree, degree + 1)]
    traces: list[Any] = []
    for degree, m in labels:
        values = _values(degree, directions)[..., degree + m]
        name = f"l = {degree}, m = {m}".replace("-", "−")
        center = SPACING * np.array([m, -degree, 0])
        traces += [_surface(values / np.abs(values).max(), directions, center, name), _axes(center)]

    choices = {"all": [True] * len(labels)}
    choices |= {f"l = {k}": [degree == k for degree, _ in labels] for k in range(1, l_max + 1)}
    choices |= {trace.name: [other is trace for other in traces[::2]] for trace in traces[::2]}
    menu = {
        "buttons": [
            {"label": name, "method": "restyle", "args": [{"visible": np.repeat(shown, 2).tolist()}]}
            for name, shown in choices.items()
        ],
        "x": 0.0,
        "y": 1.0,
        "xanchor": "left",
        "yanchor": "top",
    }
    return go.Figure(traces).update_layout(
        template=TEMPLATE,
        title=title,
        height=HEIGHT + 80,
        margin={"l": 10, "r": 10, "t": 60 if title else 20, "b": 10},
        scene=_scene(),
        updatemenus=[menu],
    )


def mixture_3d(
    coefficients: ArrayLike,
    *,
    frames: Sequence[str],
    prefix: str = "",
    start: int = 0,
    resolution: int = 24,
    title: str | None = None,
) -> go.Figure:
    r"""A sum of harmonics of one degree, :math:`\sum_m c_m Y_{lm}`, beside its coefficients.

    Surface and axes are drawn as by :func:`harmonics_3d`, at one scale for all frames; a slider goes through
    the frames.

    Parameters
    ----------
    coefficients : (n_frames, 2 l + 1)
        e3nn's order, m = -l ... l.
    frames : (n_frames,)
        Text for each position of the slider.
    prefix :
        Written before the text of the current position.
    start :
        Frame that is shown first.
    resolution, title :
        As for :func:`harmonics_3d`.

    Returns
    -------
    plotly.graph_objects.Figure
        Traces: the surface, its axes, the coefficients as bars.

    Raises
    ------
    GlassError
        When the coefficients belong to no degree, all vanish, or do not fit the texts; when another number is
        out of range.
    """
    rows = np.asarray(coefficients, dtype=float)
    if rows.ndim != 2 or rows.size == 0 or rows.shape[1] % 2 == 0:
        raise GlassError(f"expected shape (n_frames, 2 l + 1), got {rows.shape}", field="coefficients")
    if not (np.isfinite(rows).all() and rows.any()):
        raise GlassError("expected finite numbers that do not all vanish", field="coefficients")
    if len(frames) != len(rows):
        raise GlassError(f"expected {len(rows)} names of frames, got {len(frames)}", field="frames")
    _require(-len(rows) <= start < len(rows), "start", f"one of {len(rows)} frames", start)
    _require(resolution >= 8 and resolution % 2 == 0, "resolution", "an even number from 8", resolution)
    degree = rows.shape[1] // 2
    directions = _directions(resolution)
    values = np.moveaxis(_values(degree, directions) @ rows.T, -1, 0)
    values /= np.abs(values).max()
    ticks = [f"{m}".replace("-", "−") for m in range(-degree, degree + 1)]
    limit = 1.1 * float(np.abs(rows).max())

    drawn = [
        (_surface(value, directions, np.zeros(3), f"l = {degree}"), _bars(row, ticks))
        for value, row in zip(values, rows, strict=True)
    ]
    figure = make_subplots(
        rows=1, cols=2, column_widths=[0.62, 0.38], specs=[[{"type": "scene"}, {"type": "xy"}]]
    )
    figure.add_trace(drawn[start][0], row=1, col=1)
    figure.add_trace(_axes(np.zeros(3), limit=1.15), row=1, col=1)
    figure.add_trace(drawn[start][1], row=1, col=2)
    figure.frames = [
        go.Frame(name=name, data=[surface, bars], traces=[0, 2])
        for name, (surface, bars) in zip(frames, drawn, strict=True)
    ]
    return figure.update_layout(
        template=TEMPLATE,
        title=title,
        width=WIDTH,
        height=HEIGHT + 60,
        margin={"l": 10, "r": 20, "t": 60 if title else 20, "b": 130},
        scene=_scene() | {axis: {"visible": False, "range": [-1.2, 1.2]} for axis in AXES},
        xaxis={"title": {"text": "m"}, "type": "category"},
        yaxis={"title": {"text": "coefficient"}, "range": [-limit, limit], "zeroline": True},
        showlegend=False,
        sliders=[slider(list(frames), range(len(rows))[start], prefix)],
    )


def _directions(resolution: int) -> FloatArray:
    """Unit vectors ``(resolution + 1, 2 resolution + 1, 3)`` on a grid whose pole is y, like e3nn's."""
    polar, around = np.meshgrid(
        np.linspace(0, np.pi, resolution + 1), np.linspace(0, 2 * np.pi, 2 * resolution + 1), indexing="ij"
    )
    directions: FloatArray = np.stack(
        [np.sin(polar) * np.sin(around), np.cos(polar), np.sin(polar) * np.cos(around)], axis=-1
    )
    return directions


def _values(degree: int, directions: FloatArray) -> FloatArray:
    """Y of one degree in e3nn's order, ``(..., 2 l + 1)``."""
    harmonics = o3.spherical_harmonics(degree, torch.as_tensor(directions), normalize=True)
    values: FloatArray = harmonics.numpy()
    return values


def _surface(values: FloatArray, directions: FloatArray, center: FloatArray, name: str) -> go.Surface:
    """Points at distance |value| from the centre, coloured by the sign."""
    x, y, z = np.moveaxis(center + np.abs(values)[..., None] * directions, -1, 0)
    return go.Surface(
        x=_rounded(x),
        y=_rounded(y),
        z=_rounded(z),
        surfacecolor=np.where(values < 0, -1, 1).tolist(),
        cmin=-1,
        cmax=1,
        colorscale=[[0, SIGNS[0]], [1, SIGNS[1]]],
        showscale=False,
        lighting={"ambient": 0.7, "diffuse": 0.5, "specular": 0.1},
        lightposition={"x": 1e5, "y": 1e5, "z": 1e5},
        name=name,
        hovertemplate=f"{name}<extra></extra>",
    )


def _axes(center: FloatArray, limit: float = 1.1) -> go.Scatter3d:
    """Three thin lines through the centre, with the letters x, y, z at their positive ends."""
    points: list[list[float | None]] = []
    for axis in limit * np.eye(3):
        points += [short(center - axis, 2), short(center + axis, 2), [None] * 3]  # type: ignore[list-item]
    x, y, z = (list(column) for column in zip(*points, strict=True))
    return go.Scatter3d(
        x=x,
        y=y,
        z=z,
        mode="lines+text",
        text=["", "x", "", "", "y", "", "", "z", ""],
        textfont={"size": 13, "color": "#222"},
        line={"color": "#999", "width": 2},
        hoverinfo="skip",
        showlegend=False,
    )


def _bars(row: FloatArray, ticks: list[str]) -> go.Bar:
    """Coefficients, coloured by their sign."""
    colours = [SIGNS[int(value >= 0)] for value in row]
    return go.Bar(x=ticks, y=short(row, 3), marker={"color": colours}, hoverinfo="y")


def _scene() -> dict[str, Any]:
    """e3nn's axes: x to the right, y up, z towards the viewer, seen a little from above."""
    return {
        **{axis: {"visible": False, "showspikes": False} for axis in AXES},
        "aspectmode": "data",
        "camera": {
            "up": {"x": 0, "y": 1, "z": 0},
            "eye": {"x": 0.5, "y": 0.5, "z": 1.75},
        },
    }


def _rounded(values: FloatArray) -> list[list[float]]:
    """Rounded to three decimals, so that shading stays smooth; adding 0 turns -0.0 into 0.0."""
    rounded: list[list[float]] = (np.round(values, 3) + 0.0).tolist()
    return rounded


def _require(condition: bool, field: str, wanted: str, got: object) -> None:
    if not condition:
        raise GlassError(f"expected {wanted}, got {got!r}", field=field)
