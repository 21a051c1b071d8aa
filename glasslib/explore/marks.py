"""What a picture consists of: lines, texts, colours and colour bars, as SVG."""

from __future__ import annotations

from functools import lru_cache
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plotly.colors import get_colorscale

from glasslib.simulate.live import Axis


class Page:
    """From plotly's paper coordinates, 0 to 1 from the lower left, to pixels."""

    def __init__(self, left: float, width: float, top: float, height: float) -> None:
        self.left, self.width, self.top, self.height = left, width, top, height

    def x(self, share: float) -> float:
        """Pixels from the left."""
        return self.left + share * self.width

    def y(self, share: float) -> float:
        """Pixels from the top."""
        return self.top + (1 - share) * self.height


def scale_of(axis: Any) -> Any:
    """The colour scale of a colour axis or a marker, as :func:`along` takes it."""
    scale = axis.get("colorscale", "Viridis")
    return scale if isinstance(scale, str) else tuple(map(tuple, scale))


def along(scale: Any, values: Any, low: float, high: float) -> list[str]:
    """Colours of values on a colour scale: a name that plotly knows, or pairs of position and #rrggbb."""
    places, table = _table(scale)
    share = np.clip((np.asarray(values, dtype=float) - low) / max(high - low, 1e-12), 0, 1)
    rgb = np.stack([np.interp(share, places, channel) for channel in table.T], axis=-1).round().astype(int)
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in rgb.tolist()]


@lru_cache(maxsize=16)
def _table(scale: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    pairs = get_colorscale(scale) if isinstance(scale, str) else scale
    channels = [[int(colour[k : k + 2], 16) for k in (1, 3, 5)] for _, colour in pairs]
    return np.array([place for place, _ in pairs], dtype=float), np.array(channels, dtype=float)


def colour_bar(axis: Any, page: Page) -> str:
    """A strip of colours with ticks to the right of it and its title above."""
    bar = axis.get("colorbar") or {}
    if axis.get("showscale", True) is False:
        return ""
    thickness, length = float(bar.get("thickness", 14)), float(bar.get("len", 0.8)) * page.height
    left, middle = page.x(float(bar.get("x", 1.02))) + 10, page.y(float(bar.get("y", 0.5)))
    steps, low, high = 40, float(axis["cmin"]), float(axis["cmax"])
    scale = Axis(low, high, False, (middle + length / 2, middle - length / 2))
    colours = along(scale_of(axis), np.arange(steps), 0, steps - 1)
    parts = [
        f'<rect x="{left:.1f}" y="{middle + length / 2 - (k + 1) * length / steps:.1f}" '
        f'width="{thickness:g}" height="{length / steps + 0.6:.1f}" fill="{colour}"/>'
        for k, colour in enumerate(colours)
    ]
    if "tickvals" in bar:
        ticks = list(zip(scale.place(bar["tickvals"]).tolist(), bar["ticktext"], strict=True))
    else:
        ticks = scale.ticks(5)
    parts += [text(left + thickness + 5, place + 4, label) for place, label in ticks]
    title = (bar.get("title") or {}).get("text")
    return "".join(parts) + text(left, middle - length / 2 - 10, title)


def line(x0: float, y0: float, x1: float, y1: float, colour: str = "#444") -> str:
    """A thin line between two points, in pixels."""
    return f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="{colour}"/>'


def text(
    x: float,
    y: float,
    words: str | None,
    *,
    anchor: str = "start",
    size: float = 13,
    colour: str = "#222",
    turned: bool = False,
) -> str:
    """Words at a point, in pixels; nothing where there are none."""
    if not words:
        return ""
    place = f'transform="translate({x:.1f} {y:.1f}) rotate(-90)"' if turned else f'x="{x:.1f}" y="{y:.1f}"'
    style = f'text-anchor="{anchor}" font-size="{size:g}" fill="{colour}"'
    return f"<text {place} {style}>{escape(words)}</text>"
