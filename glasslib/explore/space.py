"""Small balls of particles in space, drawn flat: turned, projected, the nearest on top."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glasslib.glass import FloatArray
from glasslib.plots.style import DIAMETERS, short

#: Distance of the eye from the centre of a ball, in multiples of its radius: what is near looks larger.
EYE = 5.0


def rotation(*, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> FloatArray:
    """Rotation ``(3, 3)`` about the axis y, then x, then z, by angles in degrees; axes do not turn along.

    x points to the right, y up and z towards the viewer, as e3nn's axes do.
    """
    turn = np.eye(3)
    for axis, degrees in ((1, y), (0, x), (2, z)):
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        step = np.eye(3)
        first, second = (axis + 1) % 3, (axis + 2) % 3
        step[first, first] = step[second, second] = c
        step[second, first], step[first, second] = s, -s
        turn = step @ turn
    return turn


def seen(vectors: ArrayLike, radius: float) -> tuple[FloatArray, FloatArray]:
    """Places on the paper ``(n, 2)`` of points ``(n, 3)`` and how much each is enlarged ``(n,)``."""
    vectors = np.asarray(vectors, dtype=float)
    nearness = 1 / (1 - vectors[:, 2] / (EYE * radius))
    return vectors[:, :2] * nearness[:, None], nearness


def ball(
    vectors: ArrayLike,
    types: NDArray[np.integer],
    colours: Sequence[str],
    *,
    radius: float,
    pixels: float,
    panel: str = "",
    **more: Sequence[str] | None,
) -> dict[str, Any]:
    """Particles as discs to scale, the farthest drawn first and with the faintest outline.

    Parameters
    ----------
    vectors : (n, 3)
        From the centre, in sigma_AA, already turned: x to the right, y up, z towards the viewer.
    types : (n,)
        0 for A, 1 for B, which is smaller, and a diamond.
    colours : (n,)
        Of the discs.
    radius :
        Of the ball, in sigma_AA.
    pixels :
        Pixels per sigma_AA on the paper.
    panel :
        Number of the axes, for any but the first.
    **more :
        Texts ``(n,)``: ``hovertext``, ``ids``.

    Returns
    -------
    dict
        A scatter trace of plotly, its points in the order in which they are drawn.
    """
    places, nearness = seen(vectors, radius)
    order = np.argsort(np.asarray(vectors)[:, 2], kind="stable")
    diameters = 0.62 * np.array(DIAMETERS)[types] * nearness * pixels
    depth = np.clip(0.5 - np.asarray(vectors)[order, 2] / (2 * radius), 0, 1)
    outline = (0x10 + 0xA0 * depth).astype(int).tolist()
    texts = {name: [values[k] for k in order] for name, values in more.items() if values is not None}
    marker = {
        "size": short(diameters[order], 1),
        "color": [colours[k] for k in order],
        "symbol": ["diamond" if types[k] else "circle" for k in order],
        "line": {"width": 1.2, "color": [f"#{grey:02x}{grey:02x}{grey:02x}" for grey in outline]},
        "opacity": 1,
    }
    return {
        "type": "scatter",
        "x": short(places[order, 0], 3),
        "y": short(places[order, 1], 3),
        "mode": "markers",
        "hoverinfo": "text" if "hovertext" in texts else "skip",
        "xaxis": f"x{panel}",
        "yaxis": f"y{panel}",
        "marker": marker,
        **texts,
    }
