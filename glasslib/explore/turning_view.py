"""The convolution explorer: sliders that turn a neighbourhood."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from glasslib.explore.controls import Screen, View, columns, control, rows, watch_values
from glasslib.explore.turning import Neighbourhood, TurnState, turning_figure
from glasslib.glass import Glass


class ConvolutionExplorer(View):
    """Turn a neighbourhood with sliders, and watch what a layer says of it: l = 0 stays, l = 1 and 2 turn.

    Parameters are those of :class:`glasslib.explore.turning.Neighbourhood`.

    Examples
    --------
    >>> ConvolutionExplorer(glass, particle=9)  # as the last line of a cell # doctest: +SKIP
    """

    def __init__(
        self, glass: Glass, particle: int, layers: Mapping[str, Any] | None = None, **options: float
    ) -> None:
        self.around = Neighbourhood(glass, particle, layers, **options)
        names = list(self.around.layers)
        angle = {"min": -180, "max": 180, "step": 5, "value": 0}
        self.controls = {
            "layer": control("Dropdown", "layer", options=names, value=names[-1]),
            "y": control("IntSlider", "about y (°)", **angle),
            "x": control("IntSlider", "about x (°)", **angle),
            "z": control("IntSlider", "about z (°)", **angle),
            "inverted": control("Checkbox", "inverted", value=False, indent=True),
        }
        self._screen = Screen("A neighbourhood and what a layer says of its middle")
        c = self.controls
        self.panel = rows(columns([c["layer"], c["inverted"]], [c["y"], c["x"], c["z"]]), self._screen.panel)
        self.draw()
        watch_values(list(c.values()), self.draw)

    @property
    def state(self) -> TurnState:
        """Where the controls stand."""
        return TurnState(**{name: each.value for name, each in self.controls.items()})

    def figure(self) -> go.Figure:
        """What the screen shows, as a plotly figure."""
        return turning_figure(self.around, self.state)

    def draw(self) -> None:
        """Show the state."""
        self._screen.show(self.figure())
