"""A glass in three dimensions, and a cut that moves through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from glasslib.errors import GlassError
from glasslib.glass import TYPE_NAMES, Glass
from glasslib.plots.style import (
    DIAMETERS,
    HEIGHT,
    TEMPLATE,
    WIDTH,
    box_outline,
    buttons,
    checked,
    eye,
    limits,
    short,
    slider,
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
    rows = np.atleast_2d(checked(values, glass))
    names = [str(k) for k in range(len(rows))] if frames is None else list(frames)
    if len(names) != len(rows):
        raise GlassError(f"expected {len(rows)} names of frames, got {len(names)}", field="frames")
    start = range(len(rows))[start]
    masks = [glass.is_type(kind) for kind in TYPE_NAMES]

    traces: list[Any] = [box_outline(glass.box)]
    for kind, diameter, mask in zip(TYPE_NAMES, DIAMETERS, masks, strict=True):
        x, y, z = (short(axis, 2) for axis in glass.positions[mask].T)
        marker = {
            "size": round(10 * diameter**2, 1),
            "color": short(rows[start, mask], 3),
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
        coloraxis={"colorbar": {"title": {"text": name}}, **limits(rows[start], colour_range)},
        scene={
            "xaxis": axis,
            "yaxis": axis,
            "zaxis": axis,
            "aspectmode": "data",
            "camera": {"eye": eye(0.1), "center": {"x": 0, "y": 0, "z": -0.12}},
        },
        legend={"x": 0, "y": 1},
    )
    turning = [f"turn {k}" for k in range(60)]
    figure.frames = [
        *(
            go.Frame(
                name=text,
                data=[{"type": "scatter3d", "marker": {"color": short(row[mask], 3)}} for mask in masks],
                traces=[1, 2],
                layout={"coloraxis": limits(row, colour_range)},
            )
            for text, row in zip(names, rows, strict=True)
            if len(rows) > 1
        ),
        *(
            go.Frame(  # plotly.js leaves the camera alone unless a frame also names a trace
                name=text,
                data=[{"type": "scatter3d"}],
                traces=[0],
                layout={"scene": {"camera": {"eye": eye(0.1 + k / len(turning))}}},
            )
            for k, text in enumerate(turning)
        ),
    ]
    figure.update_layout(updatemenus=[buttons({"Turn": turning, "Stop": [None]})])
    if len(rows) > 1:
        figure.update_layout(sliders=[slider(names, start, prefix)])
    return figure


def slice_map(
    glass: Glass,
    values: ArrayLike | Mapping[str, ArrayLike],
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
        What the colours show; or several such by their titles, drawn side by side with one colour scale.
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
        Traces A and B of each panel, as discs to scale; one frame per slab.

    Raises
    ------
    GlassError
        When values, axis, thickness or structure do not fit the glass.
    """
    if axis not in (0, 1, 2):
        raise GlassError(f"expected 0, 1 or 2, got {axis!r}", field="axis")
    if not 0 < thickness <= glass.box[axis]:
        raise GlassError(f"expected 0 < thickness <= {glass.box[axis]:g}, got {thickness}", field="thickness")
    positions = glass.positions_in(structure)
    panels = values if isinstance(values, Mapping) else {"": values}
    rows = [checked(each, glass) for each in panels.values()]
    if not rows or any(row.ndim != 1 for row in rows):
        raise GlassError(f"expected shape ({len(glass)},) for each panel", field="values")
    n_slabs = int(glass.box[axis] // thickness)
    slab = np.minimum((positions[:, axis] / glass.box[axis] * n_slabs).astype(int), n_slabs - 1)
    across = [k for k in range(3) if k != axis]
    side, gap = (480, 0) if len(rows) == 1 else (340, 40)
    scale = side / float(glass.box[across].max())  # pixels per sigma

    frames = []
    for k in range(n_slabs):
        middle = (k + 0.5) * glass.box[axis] / n_slabs
        data = []
        for panel, row in enumerate(rows, start=1):
            for kind, diameter in zip(TYPE_NAMES, DIAMETERS, strict=True):
                here = np.flatnonzero((slab == k) & glass.is_type(kind))
                here = here[np.argsort(positions[here, axis])]  # the nearest is drawn last
                data.append(
                    go.Scatter(
                        x=short(positions[here, across[0]], 2),
                        y=short(positions[here, across[1]], 2),
                        mode="markers",
                        name=kind,
                        showlegend=panel == 1 and bool(glass.is_type(kind).any()),
                        xaxis=f"x{panel}",
                        yaxis=f"y{panel}",
                        hovertemplate=f"{kind}: %{{marker.color:.3f}}<extra></extra>",
                        marker={
                            "size": round(0.9 * diameter * scale, 1),
                            "symbol": "circle" if kind == "A" else "diamond",
                            "color": short(row[here], 3),
                            "coloraxis": "coloraxis",
                            "line": {"width": 0.8, "color": "#222"},
                        },
                    )
                )
        frames.append(go.Frame(name=f"{middle:.1f}", data=data, traces=list(range(len(data)))))

    letters = "xyz"
    start = n_slabs // 2
    across_all = len(rows) * side + (len(rows) - 1) * gap
    width = max(WIDTH, across_all + 70 + 130)
    figure = go.Figure(frames[start].data, frames=frames).update_layout(
        template=TEMPLATE,
        title=title,
        width=width,
        height=side + (60 if title else 30) + 155,
        margin={"l": 70, "r": width - 70 - across_all, "t": 60 if title else 30, "b": 155},
        coloraxis={"colorbar": {"title": {"text": name}, "y": 0.45}, **limits(np.array(rows), colour_range)},
        legend={"x": 1.02, "y": 1.0},
        sliders=[slider([frame.name for frame in frames], start, f"{letters[axis]} = ")],
    )
    for panel, text in enumerate(panels, start=1):
        left = (panel - 1) * (side + gap) / across_all
        right = left + side / across_all
        for kind, k, domain in (("xaxis", across[0], [left, right]), ("yaxis", across[1], [0.0, 1.0])):
            shown = kind == "xaxis" or panel == 1
            figure.layout[f"{kind}{panel}"] = {
                "title": {"text": letters[k] if shown else ""},
                "showticklabels": shown,
                "range": [0, float(glass.box[k])],
                "domain": domain,
                "anchor": f"{'y' if kind == 'xaxis' else 'x'}{panel}",
                "showgrid": False,
                "mirror": True,
            }
        if text:
            middle = (left + right) / 2
            figure.add_annotation(
                x=middle, y=1.0, xref="paper", yref="paper", yanchor="bottom", text=text, showarrow=False
            )
    return figure
