"""Curves and clouds of points."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from glasslib.errors import GlassError
from glasslib.plots.style import (
    DASHES,
    TEMPLATE,
    digits,
)


def curves(
    lines: Mapping[str, tuple[ArrayLike, ArrayLike]],
    x_title: str,
    y_title: str,
    *,
    log_x: bool = False,
    log_y: bool = False,
    steps: bool = False,
    dots: Collection[str] = (),
    errors: Mapping[str, ArrayLike] | None = None,
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
    errors :
        Name to half the length ``(n,)`` of a bar through each y, for example its standard error.
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
        When x, y and errors of a line differ in shape, or errors belong to no line.
    """
    figure = go.Figure()
    bars = {name: np.asarray(each, dtype=float) for name, each in (errors or {}).items()}
    if unknown := set(bars) - set(lines):
        raise GlassError(f"there is no line {sorted(unknown)[0]!r}", field="errors")
    for k, (name, (x, y)) in enumerate(lines.items()):
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        if x.ndim != 1 or x.shape != y.shape:
            raise GlassError(f"cannot draw x of shape {x.shape} against y of shape {y.shape}", field=name)
        if name in bars and bars[name].shape != y.shape:
            raise GlassError(f"expected errors of shape {y.shape}, got {bars[name].shape}", field=name)
        is_cloud = name in dots
        line = {"width": 2.2, "dash": DASHES[k % len(DASHES)], "shape": "hvh" if steps else "linear"}
        few = not steps and 2 < len(x) <= 12
        figure.add_scatter(
            x=digits(x),
            y=digits(y),
            name=name,
            mode="markers" if is_cloud else "lines+markers" if few else "lines",
            line=None if is_cloud else line,
            error_y={"array": digits(bars[name]), "thickness": 1.2, "width": 3} if name in bars else None,
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
        figure.update_yaxes(tickvals=digits(ticks), ticktext=[f"{tick:g}" for tick in ticks])
    for k, (text, x_mark) in enumerate((marks or {}).items()):
        place = float(np.log10(x_mark)) if log_x else float(x_mark)  # what annotations expect on a log axis
        figure.add_shape(
            type="line", x0=x_mark, x1=x_mark, y0=0, y1=1, yref="paper", line={"width": 1, "color": "#888"}
        )
        figure.add_annotation(
            x=place, y=1 - 0.07 * k, yref="paper", text=text, showarrow=False, xanchor="left", xshift=4
        )
    return figure
