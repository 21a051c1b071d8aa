"""How a training goes, as a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from glasslib.explore.slab import heading
from glasslib.plots.style import COLOURS, TEMPLATE

#: Domains of the two panels.
_PANELS = ((0.0, 0.46), (0.56, 1.0))

#: Name in the history: panel, colour, dash, key in the legend.
_LINES = {
    "loss": (0, COLOURS[0], "solid", "—  training"),
    "validation_loss": (0, COLOURS[1], "dash", "- -  validation"),
    "validation_r": (1, COLOURS[2], "solid", "—  validation"),
}


def training_figure(
    history: Sequence[Mapping[str, float]],
    *,
    epochs: int | None = None,
    steps: Sequence[tuple[float, float]] = (),
) -> go.Figure:
    """The loss by epoch, and beside it the correlation with the truth.

    Parameters
    ----------
    history :
        As :func:`glasslib.training.fit` returns it. An epoch's numbers stand at its end: the first at 1.
    epochs :
        How far the axes go; by default as far as the history.
    steps :
        Loss of single steps, each with the number of epochs after which it was found.

    Returns
    -------
    plotly.graph_objects.Figure
        Traces: steps, training loss, validation loss, validation r (the mean over times).
    """
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "x": digits_of([x for x, _ in steps]),
            "y": digits_of([y for _, y in steps]),
            "mode": "markers",
            "marker": {"size": 4, "color": COLOURS[5]},
            "name": "steps",
            "xaxis": "x",
            "yaxis": "y",
        }
    ]
    notes = [
        heading(_PANELS[0][0], "loss, in units of the spread squared"),
        heading(_PANELS[1][0], "Pearson r, mean over times"),
    ]
    for name, (panel, colour, dash, key) in _LINES.items():
        known = [(record["epoch"] + 1, record[name]) for record in history if name in record]
        axis = "2" if panel else ""
        traces.append(
            {
                "type": "scatter",
                "x": digits_of([x for x, _ in known]),
                "y": digits_of([y for _, y in known]),
                "mode": "lines+markers",
                "line": {"color": colour, "dash": dash, "width": 2.2},
                "marker": {"color": colour, "size": 6},
                "name": name.replace("_", " "),
                "xaxis": f"x{axis}",
                "yaxis": f"y{axis}",
            }
        )
        place = {"x": _PANELS[panel][1] - 0.16, "y": 0.87 if name == "validation_loss" else 0.95}
        notes.append(heading(0, key) | place | {"yanchor": "middle", "font": {"color": colour}})
    last = max([epochs or 1, *(int(record["epoch"]) + 1 for record in history)])
    both = {"title": {"text": "epoch"}, "range": [0, last * 1.02]}
    return go.Figure(
        traces,
        {
            "template": TEMPLATE,
            "width": 860,
            "height": 360,
            "margin": {"l": 60, "r": 20, "t": 36, "b": 55},
            "showlegend": False,
            "annotations": notes,
            "xaxis": both | {"domain": _PANELS[0], "anchor": "y"},
            "xaxis2": both | {"domain": _PANELS[1], "anchor": "y2"},
            "yaxis": {"domain": [0, 1], "anchor": "x"},
            "yaxis2": {"domain": [0, 1], "anchor": "x2"},
        },
    )


def digits_of(values: Sequence[float]) -> list[float]:
    """Rounded to four significant digits."""
    return [float(f"{value:.4g}") for value in values]
