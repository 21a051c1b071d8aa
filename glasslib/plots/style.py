"""One style for all figures, and small parts that several of them need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from glasslib.errors import GlassError
from glasslib.glass import FloatArray, Glass

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


def checked(values: ArrayLike, glass: Glass) -> FloatArray:
    """The values as ``(n,)`` or ``(n_frames, n)`` floats; GlassError when they do not fit the Glass."""
    array = np.asarray(values, dtype=float)
    if array.ndim not in (1, 2) or array.shape[-1] != len(glass) or array.size == 0:
        raise GlassError(
            f"expected shape ({len(glass)},) or (n_frames, {len(glass)}), got {array.shape}", field="values"
        )
    if not np.isfinite(array).all():
        raise GlassError("some values are NaN or infinite", field="values")
    return array


def short(values: NDArray[np.floating], decimals: int) -> list[float]:
    """Rounded to so many decimals, as plain numbers."""
    rounded: list[float] = np.round(values, decimals).tolist()
    return rounded


def digits(values: NDArray[np.floating]) -> list[float]:
    """Rounded to four significant digits, as plain numbers."""
    return [float(f"{value:.4g}") for value in values]


def limits(values: FloatArray, wanted: tuple[float, float] | None) -> dict[str, float]:
    """Ends of the colour scale: as wanted, or the 2nd and 98th percentile."""
    low, high = np.percentile(values, [2, 98]) if wanted is None else wanted
    return {"cmin": round(float(low), 3), "cmax": round(float(high), 3)}


def eye(turns: float) -> dict[str, float]:
    """Where the camera stands after so many turns about the z axis."""
    angle = 2 * np.pi * turns
    return {"x": round(1.8 * np.cos(angle), 3), "y": round(1.8 * np.sin(angle), 3), "z": 0.8}


def box_outline(box: FloatArray) -> go.Scatter3d:
    """The twelve edges of the box."""
    corners = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    points: list[list[float | None]] = []
    for i, first in enumerate(corners):
        for second in corners[i + 1 :]:
            if np.abs(first - second).sum() == 1:
                points += [short(first * box, 2), short(second * box, 2), [None] * 3]  # type: ignore[list-item]
    x, y, z = (list(column) for column in zip(*points, strict=True))
    line = {"color": "#888", "width": 2}
    return go.Scatter3d(x=x, y=y, z=z, mode="lines", line=line, hoverinfo="skip", showlegend=False)


def slider(names: Sequence[str], start: int, prefix: str) -> dict[str, Any]:
    """A slider that shows the frame of each name."""
    now = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}, "transition": {"duration": 0}}
    return {
        "active": start,
        "currentvalue": {"prefix": prefix, "font": {"size": 15}},
        "steps": [{"label": name, "method": "animate", "args": [[name], now]} for name in names],
        "pad": {"t": 55, "l": 5, "r": 5},
    }


def buttons(actions: Mapping[str, Sequence[str | None]]) -> dict[str, Any]:
    """Buttons that play a list of frames each."""
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
