"""Slabs of a configuration, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from glasslib.errors import GlassError
from glasslib.explore.colouring import GREY, Colouring
from glasslib.glass import TYPE_NAMES, FloatArray, Glass
from glasslib.plots.style import DIAMETERS, TEMPLATE, short

#: Pixels of the side of a panel, and for the colour bar beside it.
SIDE, BAR = 360, 100


def slab(positions: FloatArray, edge: float, axis: int, middle: float, thickness: float) -> NDArray[np.int64]:
    """Particles whose distance from the plane at ``middle`` is at most half of ``thickness``, periodically;
    the lowest first."""
    height = positions[:, axis] - middle
    height -= edge * np.round(height / edge)
    chosen = np.flatnonzero(np.abs(height) <= thickness / 2)
    order: NDArray[np.int64] = chosen[np.argsort(height[chosen], kind="stable")]
    return order


def slab_figure(
    glass: Glass,
    colourings: Sequence[Colouring],
    *,
    axis: int = 2,
    middle: float | None = None,
    thickness: float = 1.0,
    structure: str = "thermal",
    selected: int | None = None,
) -> go.Figure:
    """A slab of a configuration, once for each colouring, side by side.

    Parameters
    ----------
    glass :
        The configuration.
    colourings :
        What the colours of each panel show. Panels of the same unit share one scale.
    axis :
        Direction across the slab: 0, 1 or 2.
    middle, thickness :
        Where it is along that axis (by default in the middle of the box) and how thick, in sigma_AA. It may
        reach through the periodic boundary.
    structure :
        ``"thermal"`` or ``"inherent"`` positions.
    selected :
        A particle with a ring around it, where it is in the slab.

    Returns
    -------
    plotly.graph_objects.Figure
        For each panel the traces A (discs) and B (diamonds), whose ``ids`` are the particles' numbers, and
        the ring, which may be empty.

    Raises
    ------
    GlassError
        When axis, thickness or structure do not fit the glass.
    """
    if axis not in (0, 1, 2):
        raise GlassError(f"expected 0, 1 or 2, got {axis!r}", field="axis")
    if not 0 < thickness <= glass.box[axis]:
        raise GlassError(f"expected 0 < thickness <= {glass.box[axis]:g}, got {thickness}", field="thickness")
    positions, across = glass.positions_in(structure), [k for k in range(3) if k != axis]
    middle = float(glass.box[axis]) / 2 if middle is None else middle
    here = slab(positions, float(glass.box[axis]), axis, middle, thickness)
    pixels = SIDE / float(glass.box[across].max())
    width = 60 + len(colourings) * (SIDE + BAR)
    inner = width - 60 - BAR
    traces: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"annotations": []}
    for k, each in enumerate(colourings):
        panel, left = str(k + 1) if k else "", k * (SIDE + BAR) / inner
        place = {"type": "scatter", "mode": "markers", "xaxis": f"x{panel}", "yaxis": f"y{panel}"}
        for number, kind in enumerate(TYPE_NAMES):
            chosen = here[glass.types[here] == number]
            discs = _discs(positions[chosen][:, across], chosen, number, each, pixels, f"coloraxis{panel}")
            words = each.words(chosen, glass.types)
            traces.append({**place, **discs, "name": kind, "hovertext": words, "hoverinfo": "text"})
        ring = here[here == (-1 if selected is None else selected)]
        traces.append({**place, **_ring(positions[ring][:, across], pixels)})
        bar = {
            "title": {"text": each.unit},
            "x": left + SIDE / inner,
            "thickness": 14,
            "len": 0.86,
            "y": 0.46,
        }
        alike = [other.limits() for other in colourings if (other.unit, other.kind) == (each.unit, each.kind)]
        limits = min(low for low, _ in alike), max(high for _, high in alike)
        layout[f"coloraxis{panel}"] = {**each.scale(limits), "colorbar": bar}
        layout |= _square(glass.box, across, panel, [left, left + SIDE / inner], first=k == 0)
        layout["annotations"].append(heading(left, each.title))
    return go.Figure(
        traces,
        {
            "template": TEMPLATE,
            "width": width,
            "height": SIDE + 85,
            "margin": {"l": 60, "r": BAR, "t": 32, "b": 53},
            "showlegend": False,
            **layout,
        },
    )


def heading(left: float, text: str) -> dict[str, Any]:
    """The title of a panel that begins there, in paper coordinates."""
    place = {"x": left, "y": 1, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom"}
    return {**place, "text": text, "showarrow": False}


def _discs(
    places: FloatArray, chosen: NDArray[np.int64], kind: int, colouring: Colouring, pixels: float, axis: str
) -> dict[str, Any]:
    """Particles of one type, grey where the values of none of them mean anything."""
    marker: dict[str, Any] = {
        "size": round((0.9, 0.8)[kind] * DIAMETERS[kind] * pixels, 1),
        "symbol": ("circle", "diamond")[kind],
        "line": {"width": 0.8, "color": "#222"},
    }
    if colouring.values is None or not colouring.mask()[chosen].any():
        marker["color"] = GREY
    else:
        marker |= {"color": short(np.nan_to_num(colouring.values[chosen]), 3), "coloraxis": axis}
    x, y = (short(each, 2) for each in places.T)
    return {"x": x, "y": y, "ids": [str(i) for i in chosen.tolist()], "marker": marker}


def _ring(places: FloatArray, pixels: float) -> dict[str, Any]:
    line = {"width": 3.5, "color": "#000"}
    marker = {"size": round(1.25 * pixels, 1), "symbol": "circle-open", "color": "#000", "line": line}
    x, y = (short(each, 2) for each in places.T)
    return {"x": x, "y": y, "marker": marker, "hoverinfo": "skip", "name": "selected"}


def _square(
    box: FloatArray, across: list[int], panel: str, domain: list[float], *, first: bool
) -> dict[str, Any]:
    """Axes of a panel, at one scale along both."""
    axes = {}
    for letter, k, span in (("x", across[0], domain), ("y", across[1], [0.0, 1.0])):
        axes[f"{letter}axis{panel}"] = {
            "title": {"text": f"{'xyz'[k]}  (σ)" if letter == "x" or first else ""},
            "range": [0, float(box[across].max())],
            "tickvals": np.arange(0, float(box[k]) + 1e-9, 5.0).tolist(),
            "domain": span,
            "anchor": f"{'y' if letter == 'x' else 'x'}{panel}",
            "showgrid": False,
            "showticklabels": letter == "x" or first,
        }
    return axes
