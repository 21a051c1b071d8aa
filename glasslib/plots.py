"""Plotly figures in one style: a glass in three dimensions, a cut through it, curves.

Every slider works in the browser alone, without a Python process behind it. Numbers are rounded before they
go into a figure, so that a notebook stays small. Colours can be told apart with any kind of colour vision.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from glasslib.errors import GlassError
from glasslib.glass import TYPE_NAMES, FloatArray, Glass

#: Colours of lines (Okabe and Ito), and the dashes that go with them.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("solid", "dash", "dot", "dashdot")
#: Colour scale of per-particle values, from low to high.
COLOUR_SCALE = "Viridis"
#: Diameters drawn for A and B, in sigma_AA: the sigma of the pairs AA and BB.
DIAMETERS = (1.0, 0.88)

WIDTH, HEIGHT = 720, 460

_AXIS = {"showline": True, "linecolor": "#444", "ticks": "outside", "gridcolor": "#e5e5e5", "zeroline": False}
TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": "Arial, Helvetica, sans-serif", "size": 14, "color": "#222"},
        "title": {"x": 0.5, "xanchor": "center", "font": {"size": 16}},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "colorway": COLOURS,
        "width": WIDTH,
        "height": HEIGHT,
        "margin": {"l": 70, "r": 30, "t": 30, "b": 60},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "coloraxis": {"colorscale": COLOUR_SCALE, "colorbar": {"thickness": 14, "len": 0.8}},
        "legend": {"itemsizing": "constant"},
    }
)


def glass_3d(
    glass: Glass,
    values: ArrayLike,
    *,
    name: str = "propensity",
    frames: Sequence[str] | None = None,
    prefix: str = "t = ",
    colour_range: tuple[float, float] | None = None,
    start: int = -1,
    title: str | None = None,
) -> go.Figure:
    """The particles in their box, to be turned with the mouse, coloured by a value.

    Parameters
    ----------
    glass :
        The configuration; its thermal positions are drawn.
    values : (n_particles,) or (n_frames, n_particles)
        What the colours show; with two axes, a slider goes through the frames.
    name :
        Of the values, beside the colours.
    frames : (n_frames,)
        Text for each position of the slider, for example the time.
    prefix :
        Written before the text of the current position.
    colour_range :
        Values at both ends of the colour scale; by default each frame has its own, from its 2nd to its 98th
        percentile.
    start :
        Frame that is shown first.
    title :
        Above the figure.

    Returns
    -------
    plotly.graph_objects.Figure
        Traces: the box, then A, then B. Buttons turn it.

    Raises
    ------
    GlassError
        When the values do not fit the glass, or the texts do not fit the values.
    """
    rows = np.atleast_2d(_checked(values, glass))
    names = [str(k) for k in range(len(rows))] if frames is None else list(frames)
    if len(names) != len(rows):
        raise GlassError(f"expected {len(rows)} names of frames, got {len(names)}", field="frames")
    start = range(len(rows))[start]
    masks = [glass.is_type(kind) for kind in TYPE_NAMES]

    traces: list[Any] = [_box_outline(glass.box)]
    for kind, diameter, mask in zip(TYPE_NAMES, DIAMETERS, masks, strict=True):
        x, y, z = (_short(axis, 2) for axis in glass.positions[mask].T)
        marker = {
            "size": round(10 * diameter**2, 1),
            "color": _short(rows[start, mask], 3),
            "coloraxis": "coloraxis",
            "line": {"width": 1, "color": "#222"},
        }
        hover = f"{kind}: %{{marker.color:.3f}}<extra></extra>"
        traces.append(
            go.Scatter3d(x=x, y=y, z=z, mode="markers", marker=marker, name=kind, hovertemplate=hover)
        )
    axis = {"visible": False, "showspikes": False}
    figure = go.Figure(traces).update_layout(
        template=TEMPLATE,
        title=title,
        height=HEIGHT + 180,
        margin={"l": 10, "r": 10, "t": 60 if title else 20, "b": 10},
        coloraxis={"colorbar": {"title": {"text": name}}, **_limits(rows[start], colour_range)},
        scene={
            "xaxis": axis,
            "yaxis": axis,
            "zaxis": axis,
            "aspectmode": "data",
            "camera": {"eye": _eye(0.1), "center": {"x": 0, "y": 0, "z": -0.12}},
        },
        legend={"x": 0, "y": 1},
    )
    turning = [f"turn {k}" for k in range(60)]
    figure.frames = [
        *(
            go.Frame(
                name=text,
                data=[{"type": "scatter3d", "marker": {"color": _short(row[mask], 3)}} for mask in masks],
                traces=[1, 2],
                layout={"coloraxis": _limits(row, colour_range)},
            )
            for text, row in zip(names, rows, strict=True)
            if len(rows) > 1
        ),
        *(
            go.Frame(  # plotly.js leaves the camera alone unless a frame also names a trace
                name=text,
                data=[{"type": "scatter3d"}],
                traces=[0],
                layout={"scene": {"camera": {"eye": _eye(0.1 + k / len(turning))}}},
            )
            for k, text in enumerate(turning)
        ),
    ]
    figure.update_layout(updatemenus=[_buttons({"Turn": turning, "Stop": [None]})])
    if len(rows) > 1:
        figure.update_layout(sliders=[_slider(names, start, prefix)])
    return figure


def slice_map(
    glass: Glass,
    values: ArrayLike,
    *,
    name: str = "propensity",
    axis: int = 2,
    thickness: float = 1.0,
    structure: str = "thermal",
    colour_range: tuple[float, float] | None = None,
    title: str | None = None,
) -> go.Figure:
    """Cuts through the box; a slider moves the cut along one axis.

    Parameters
    ----------
    glass :
        The configuration.
    values : (n_particles,)
        What the colours show.
    name :
        Of the values, beside the colours.
    axis :
        Direction that the slider moves along: 0, 1 or 2.
    thickness :
        Of a slab, in sigma_AA; made a little larger where needed, so that slabs fill the box.
    structure :
        ``"thermal"`` or ``"inherent"`` positions.
    colour_range :
        Values at both ends of the colour scale; by default the 2nd and 98th percentile.
    title :
        Above the figure.

    Returns
    -------
    plotly.graph_objects.Figure
        Traces A and B, as discs to scale; one frame per slab.

    Raises
    ------
    GlassError
        When values, axis, thickness or structure do not fit the glass.
    """
    if axis not in (0, 1, 2):
        raise GlassError(f"expected 0, 1 or 2, got {axis!r}", field="axis")
    if not 0 < thickness <= glass.box[axis]:
        raise GlassError(f"expected 0 < thickness <= {glass.box[axis]:g}, got {thickness}", field="thickness")
    if structure not in ("thermal", "inherent"):
        raise GlassError(f"expected 'thermal' or 'inherent', got {structure!r}", field="structure")
    positions = glass.positions if structure == "thermal" else glass.inherent_positions
    if positions is None:
        raise GlassError("is missing", source=glass.source, field="inherent_positions")
    values = _checked(values, glass)
    if values.ndim != 1:
        raise GlassError(f"expected shape ({len(glass)},), got {values.shape}", field="values")
    n_slabs = int(glass.box[axis] // thickness)
    slab = np.minimum((positions[:, axis] / glass.box[axis] * n_slabs).astype(int), n_slabs - 1)
    across = [k for k in range(3) if k != axis]
    scale = 480 / float(glass.box[across].max())  # pixels per sigma

    frames = []
    for k in range(n_slabs):
        middle = (k + 0.5) * glass.box[axis] / n_slabs
        data = []
        for kind, diameter in zip(TYPE_NAMES, DIAMETERS, strict=True):
            here = np.flatnonzero((slab == k) & glass.is_type(kind))
            here = here[np.argsort(positions[here, axis])]  # the nearest is drawn last
            data.append(
                go.Scatter(
                    x=_short(positions[here, across[0]], 2),
                    y=_short(positions[here, across[1]], 2),
                    mode="markers",
                    name=kind,
                    hovertemplate=f"{kind}: %{{marker.color:.3f}}<extra></extra>",
                    marker={
                        "size": round(0.9 * diameter * scale, 1),
                        "symbol": "circle" if kind == "A" else "diamond",
                        "color": _short(values[here], 3),
                        "coloraxis": "coloraxis",
                        "line": {"width": 0.8, "color": "#222"},
                    },
                )
            )
        frames.append(go.Frame(name=f"{middle:.1f}", data=data, traces=[0, 1]))

    letters = "xyz"
    sides = [{"title": {"text": letters[k]}, "range": [0, float(glass.box[k])]} for k in across]
    start = n_slabs // 2
    figure = go.Figure(frames[start].data, frames=frames).update_layout(
        template=TEMPLATE,
        title=title,
        width=WIDTH,
        height=480 + (60 if title else 30) + 155,
        margin={"l": 70, "r": WIDTH - 70 - 480, "t": 60 if title else 30, "b": 155},
        coloraxis={"colorbar": {"title": {"text": name}, "y": 0.45}, **_limits(values, colour_range)},
        xaxis={**sides[0], "showgrid": False, "mirror": True},
        yaxis={**sides[1], "showgrid": False, "mirror": True},
        legend={"x": 1.02, "y": 1.0},
        sliders=[_slider([frame.name for frame in frames], start, f"{letters[axis]} = ")],
    )
    return figure


def curves(
    lines: Mapping[str, tuple[ArrayLike, ArrayLike]],
    x_title: str,
    y_title: str,
    *,
    log_x: bool = False,
    log_y: bool = False,
    steps: bool = False,
    dots: Collection[str] = (),
    marks: Mapping[str, float] | None = None,
    title: str | None = None,
) -> go.Figure:
    """Curves in one frame, told apart by colour and by dash.

    Parameters
    ----------
    lines :
        Name to x ``(n,)`` and y ``(n,)``.
    x_title, y_title :
        Beside the axes, with units.
    log_x, log_y :
        Logarithmic axes.
    steps :
        Draw steps around each x, as for a histogram.
    dots :
        Names of those drawn as dots without a line.
    marks :
        Text to x: thin vertical lines.
    title :
        Above the figure.

    Returns
    -------
    plotly.graph_objects.Figure
        One trace per line, in order.

    Raises
    ------
    GlassError
        When x and y of a line differ in shape.
    """
    figure = go.Figure()
    for k, (name, (x, y)) in enumerate(lines.items()):
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        if x.ndim != 1 or x.shape != y.shape:
            raise GlassError(f"cannot draw x of shape {x.shape} against y of shape {y.shape}", field=name)
        is_cloud = name in dots
        line = {"width": 2.2, "dash": DASHES[k % len(DASHES)], "shape": "hvh" if steps else "linear"}
        few = not steps and 2 < len(x) <= 12
        figure.add_scatter(
            x=_digits(x),
            y=_digits(y),
            name=name,
            mode="markers" if is_cloud else "lines+markers" if few else "lines",
            line=None if is_cloud else line,
            marker={"size": 4, "opacity": 0.45} if is_cloud else {"size": 7},
        )
    figure.update_layout(
        template=TEMPLATE,
        title=title,
        margin={"t": 60 if title else 30},
        xaxis={"title": {"text": x_title}, "type": "log" if log_x else "linear"},
        yaxis={"title": {"text": y_title}, "type": "log" if log_y else "linear"},
        showlegend=len(lines) > 1,
    )
    if log_x:  # 0.1, 1, 10 rather than a label at every digit
        figure.update_xaxes(dtick=1)
    if log_y:  # rarely more than a decade or two: 1, 2, 5 of each
        ticks = np.outer(10.0 ** np.arange(-6, 7), [1, 2, 5]).ravel()
        figure.update_yaxes(tickvals=_digits(ticks), ticktext=[f"{tick:g}" for tick in ticks])
    for k, (text, x_mark) in enumerate((marks or {}).items()):
        place = float(np.log10(x_mark)) if log_x else float(x_mark)  # what annotations expect on a log axis
        figure.add_shape(
            type="line", x0=x_mark, x1=x_mark, y0=0, y1=1, yref="paper", line={"width": 1, "color": "#888"}
        )
        figure.add_annotation(
            x=place, y=1 - 0.07 * k, yref="paper", text=text, showarrow=False, xanchor="left", xshift=4
        )
    return figure


def _checked(values: ArrayLike, glass: Glass) -> FloatArray:
    array = np.asarray(values, dtype=float)
    if array.ndim not in (1, 2) or array.shape[-1] != len(glass) or array.size == 0:
        raise GlassError(
            f"expected shape ({len(glass)},) or (n_frames, {len(glass)}), got {array.shape}", field="values"
        )
    if not np.isfinite(array).all():
        raise GlassError("some values are NaN or infinite", field="values")
    return array


def _short(values: NDArray[np.floating], decimals: int) -> list[float]:
    rounded: list[float] = np.round(values, decimals).tolist()
    return rounded


def _digits(values: NDArray[np.floating]) -> list[float]:
    return [float(f"{value:.4g}") for value in values]


def _limits(values: FloatArray, wanted: tuple[float, float] | None) -> dict[str, float]:
    low, high = np.percentile(values, [2, 98]) if wanted is None else wanted
    return {"cmin": round(float(low), 3), "cmax": round(float(high), 3)}


def _eye(turns: float) -> dict[str, float]:
    angle = 2 * np.pi * turns
    return {"x": round(1.8 * np.cos(angle), 3), "y": round(1.8 * np.sin(angle), 3), "z": 0.8}


def _box_outline(box: FloatArray) -> go.Scatter3d:
    corners = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    points: list[list[float | None]] = []
    for i, first in enumerate(corners):
        for second in corners[i + 1 :]:
            if np.abs(first - second).sum() == 1:
                points += [_short(first * box, 2), _short(second * box, 2), [None] * 3]  # type: ignore[list-item]
    x, y, z = (list(column) for column in zip(*points, strict=True))
    line = {"color": "#888", "width": 2}
    return go.Scatter3d(x=x, y=y, z=z, mode="lines", line=line, hoverinfo="skip", showlegend=False)


def _slider(names: Sequence[str], start: int, prefix: str) -> dict[str, Any]:
    now = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}, "transition": {"duration": 0}}
    return {
        "active": start,
        "currentvalue": {"prefix": prefix, "font": {"size": 15}},
        "steps": [{"label": name, "method": "animate", "args": [[name], now]} for name in names],
        "pad": {"t": 55, "l": 5, "r": 5},
    }


def _buttons(actions: Mapping[str, Sequence[str | None]]) -> dict[str, Any]:
    run = {"mode": "immediate", "frame": {"duration": 80, "redraw": True}, "transition": {"duration": 0}}
    return {
        "type": "buttons",
        "direction": "left",
        "showactive": False,
        "x": 0.0,
        "y": 0.0,
        "xanchor": "left",
        "yanchor": "bottom",
        "buttons": [
            {"label": text, "method": "animate", "args": [list(frames), run]}
            for text, frames in actions.items()
        ],
    }
