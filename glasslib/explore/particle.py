"""One particle closely: its neighbours, their bond order, and what becomes of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from glasslib.explore.colouring import Colouring
from glasslib.explore.slab import heading
from glasslib.explore.space import ball, rotation, seen
from glasslib.features.expansion import harmonics
from glasslib.glass import TYPE_NAMES, FloatArray, Glass, minimum_image
from glasslib.plots.style import COLOURS, TEMPLATE, digits, short

#: Radius of the ball drawn around a particle, in sigma_AA: the network's cutoff.
BALL = 2.0
#: Neighbours closer than this are joined to it: the first minimum of g_AA(r), in sigma_AA.
BOND = 1.4
#: Width of the shell whose bond-order parameters are drawn, in sigma_AA, and their highest degree.
SHELL_WIDTH, L_MAX = 0.1, 8

#: Domains of the three panels, and pixels of the first.
_PANELS = ((0.0, 0.3), (0.4, 0.65), (0.77, 1.0))
_BALL_PIXELS = 264
_HIDDEN = {"visible": False, "range": [-1.25 * BALL, 1.25 * BALL]}
_TICKS = (10.0 ** np.arange(-3, 3)[:, None] * [1, 2, 5]).ravel()  # rarely more than a decade or two
_AXES: dict[str, Any] = {
    "xaxis": {**_HIDDEN, "domain": _PANELS[0], "anchor": "y"},
    "yaxis": {**_HIDDEN, "domain": [0, 1], "anchor": "x"},
    "xaxis2": {
        "title": {"text": "degree l"},
        "tickvals": list(range(1, L_MAX + 1)),
        "range": [0.4, L_MAX + 0.6],
        "domain": _PANELS[1],
        "anchor": "y2",
        "showgrid": False,
    },
    "yaxis2": {"range": [0, 1.02], "tickvals": [0, 0.25, 0.5, 0.75, 1.0], "anchor": "x2"},
    "xaxis3": {
        "title": {"text": "t  (LJ units)"},
        "type": "log",
        "dtick": 1,
        "domain": _PANELS[2],
        "anchor": "y3",
    },
    "yaxis3": {
        "type": "log",
        "anchor": "x3",
        "tickvals": digits(_TICKS),
        "ticktext": [f"{tick:g}" for tick in _TICKS],
    },
}


def particle_figure(
    glass: Glass,
    particle: int,
    colouring: Colouring,
    *,
    radius: float = 1.1,
    structure: str = "inherent",
    predicted: FloatArray | None = None,
    typical: FloatArray | None = None,
    turned: float = 0.0,
    tilted: float = 0.0,
) -> go.Figure:
    """One particle: its neighbours in space, its bond-order parameters, its propensity by time.

    Parameters
    ----------
    glass :
        The configuration.
    particle :
        Its number.
    colouring :
        What the colours of the neighbours show.
    radius :
        Of the shell in which bond order is measured, in sigma_AA; its width is 0.1.
    structure :
        ``"thermal"`` or ``"inherent"`` positions.
    predicted : (n_times,)
        What a network says, at the times of the glass; not finite where it says nothing.
    typical : (2, l_max)
        Mean and standard deviation of the bond-order parameters of particles of the same type.
    turned, tilted :
        Angles of view, in degrees, about the vertical and about the horizontal.

    Returns
    -------
    plotly.graph_objects.Figure
        Traces: bonds, the neighbours (with the particle itself), the particle's ring; the bond-order
        parameters and what is typical; propensity measured, mean of its type, predicted.
    """
    positions = glass.positions_in(structure)
    vectors = minimum_image(positions - positions[particle], glass.box)
    distances = np.linalg.norm(vectors, axis=1)
    near = np.flatnonzero(distances < BALL)
    turn = rotation(x=tilted, y=turned)
    kind = TYPE_NAMES[glass.types[particle]]
    within = int((distances < BOND).sum()) - 1
    titles = (
        f"particle {particle} ({kind}): {within} neighbours within {BOND} σ",
        f"bond order q_l at r = {radius:g} σ",
        "propensity (σ) by time",
    )
    notes = [heading(left, text) for text, (left, _) in zip(titles, _PANELS, strict=True)]
    lines, names = _by_time(glass, particle, predicted)
    q = spectrum(glass, particle, radius, structure=structure)
    return go.Figure(
        [*_neighbours(near, vectors[near] @ turn.T, glass, particle, colouring), *_bars(q, typical), *lines],
        {
            "template": TEMPLATE,
            "width": 970,
            "height": 390,
            "margin": {"l": 20, "r": 20, "t": 36, "b": 60},
            "showlegend": False,
            "annotations": notes + names,
            **_AXES,
        },
    )


def _neighbours(
    near: NDArray[np.int64], vectors: FloatArray, glass: Glass, particle: int, colouring: Colouring
) -> list[dict[str, Any]]:
    """Bonds to the first shell, the ball, and a ring around the particle itself."""
    places, _ = seen(vectors, BALL)
    bonded = places[(np.linalg.norm(vectors, axis=1) < BOND) & (near != particle)]
    x, y = ([v for end in short(axis, 3) for v in (0.0, end, None)] for axis in bonded.T)
    pixels = _BALL_PIXELS / (2.5 * BALL)
    words, ids = colouring.words(near, glass.types), [str(i) for i in near.tolist()]
    edge = {"width": 3.5, "color": "#000"}
    ring = {"symbol": "circle-open", "size": round(0.95 * pixels, 1), "color": "#000", "line": edge}
    return [
        {
            "type": "scatter",
            "x": x,
            "y": y,
            "mode": "lines",
            "line": {"color": "#888", "width": 2},
            "hoverinfo": "skip",
            "name": "bonds",
        },
        ball(
            vectors,
            glass.types[near],
            colouring.colours(near),
            radius=BALL,
            pixels=pixels,
            hovertext=words,
            ids=ids,
        )
        | {"name": "neighbours"},
        {
            "type": "scatter",
            "x": [0.0],
            "y": [0.0],
            "mode": "markers",
            "marker": ring,
            "hoverinfo": "skip",
            "name": "selected",
        },
    ]


def _bars(q: FloatArray, typical: FloatArray | None) -> list[dict[str, Any]]:
    """Bond-order parameters, and what is typical as dots with bars through them."""
    degrees = np.arange(1, len(q) + 1)
    mean, spread = np.full((2, len(q)), np.nan) if typical is None else typical
    shown = np.isfinite(mean)
    place = {"xaxis": "x2", "yaxis": "y2"}
    dots = {"color": "#222", "size": 8, "symbol": "diamond"}
    return [
        {
            "type": "bar",
            "x": degrees.tolist(),
            "y": digits(q),
            "width": 0.7,
            "marker": {"color": COLOURS[0]},
            "name": "q_l",
            **place,
        },
        {
            "type": "scatter",
            "x": degrees[shown].tolist(),
            "y": digits(mean[shown]),
            "mode": "markers",
            "error_y": {"type": "data", "array": digits(spread[shown]), "color": "#222"},
            "marker": dots,
            "name": "typical",
            **place,
        },
    ]


def _by_time(
    glass: Glass, particle: int, predicted: FloatArray | None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Propensity as measured, with half of what the halves of the replicas differ by; the mean of its type;
    the prediction. Lines, and their names in the colours of the lines."""
    empty = np.zeros(0)
    times = empty if glass.times is None else glass.times
    measured = mean = errors = empty
    if glass.propensity is not None:
        measured = glass.propensity[:, particle]
        mean = glass.propensity[:, glass.types == glass.types[particle]].mean(axis=1)
    if glass.propensity_halves is not None:
        errors = np.abs(np.diff(glass.propensity_halves[:, :, particle], axis=0)[0]) / 2
    said = np.full(len(times), np.nan) if predicted is None else predicted
    shown = np.isfinite(said)
    lines: list[dict[str, Any]] = []
    names: list[dict[str, Any]] = []
    for name, x, y, (key, dash, colour) in (
        ("measured", times[: len(measured)], measured, ("—", "solid", COLOURS[0])),
        ("mean of its type", times[: len(mean)], mean, ("···", "dot", "#666666")),
        ("predicted", times[shown], said[shown], ("- -", "dash", COLOURS[1])),
    ):
        lines.append(
            {
                "type": "scatter",
                "x": digits(x),
                "y": digits(y),
                "name": name,
                "mode": "lines+markers",
                "line": {"color": colour, "dash": dash, "width": 2.2},
                "marker": {"color": colour, "size": 7, "symbol": "diamond" if dash == "dash" else "circle"},
                "xaxis": "x3",
                "yaxis": "y3",
            }
        )
        if name == "measured" and len(errors):
            lines[-1]["error_y"] = {"type": "data", "array": digits(errors)}
        note = heading(_PANELS[2][0] + 0.015, f"{key} {name}") | {"y": 0.95 - 0.07 * len(names)}
        names.append(note | {"yanchor": "middle", "font": {"color": colour}})
    return lines, names


def spectrum(
    glass: Glass, particle: int, radius: float, *, structure: str = "inherent", l_max: int = L_MAX
) -> FloatArray:
    """Bond-order parameters q_1 to q_l_max ``(l_max,)`` of one particle, in a Gaussian shell.

    The same numbers as :func:`glasslib.features.bond_order_parameters`, with the width :data:`SHELL_WIDTH`.
    """
    positions = glass.positions_in(structure)
    vectors = minimum_image(positions - positions[particle], glass.box)
    distances = np.linalg.norm(vectors, axis=1)
    near = (np.abs(distances - radius) < 5 * SHELL_WIDTH) & (distances > 0)
    if not near.any():
        return np.zeros(l_max)
    weights = np.exp(-(((distances[near] - radius) / SHELL_WIDTH) ** 2) / 2)
    q = weights @ harmonics(vectors[near], l_max) / weights.sum()
    sums = [np.sum(q[d**2 : (d + 1) ** 2] ** 2) * 4 * np.pi / (2 * d + 1) for d in range(1, l_max + 1)]
    return np.sqrt(sums)
