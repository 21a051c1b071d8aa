"""The glass explorer: controls, and what they show."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import plotly.graph_objects as go

from glasslib.errors import GlassError
from glasslib.explore.controls import Screen, View, columns, control, rows, watch_values
from glasslib.explore.glass_state import GlassState, particle_of, slab_of
from glasslib.explore.shelf import COLOURINGS, Shelf
from glasslib.explore.slab import slab
from glasslib.glass import Glass
from glasslib.predictor import NetworkPredictor

THICKNESS = 1.0


class GlassExplorer(View):
    """Look at configurations: a slab in two colourings side by side, and any particle closely.

    Every control can be reached with Tab and moved with the arrow keys. A click on a disc selects its
    particle; so does its number, and a slider that goes through the slab. What takes long (a network's
    prediction, a feature of all particles) is computed beside the kernel and drawn when it is there.

    Parameters
    ----------
    glasses :
        Further configurations by a name of their own, beside the data sets of the catalogue that are there.
    predictors :
        Further trained networks by name, beside the checkpoints that ship with the package.
    **start :
        Where to begin: fields of :class:`GlassState`, such as ``data="bundled"``, ``left="error"``.

    Raises
    ------
    GlassError
        Where ipywidgets is not installed, or ``start`` names something that is not there.

    Examples
    --------
    >>> explorer = GlassExplorer(temperature="0.64", name="test 1")  # doctest: +SKIP
    >>> explorer  # as the last line of a cell # doctest: +SKIP
    >>> explorer.slab_figure()  # the same as a figure # doctest: +SKIP
    """

    def __init__(
        self,
        glasses: Mapping[str, Sequence[Glass]] | None = None,
        predictors: Mapping[str, NetworkPredictor] | None = None,
        **start: Any,
    ) -> None:
        self._lock = threading.RLock()
        self._settling = True
        self._drawn: tuple[Any, Any] = (None, None)
        self.shelf = Shelf(glasses, predictors, ready=self._arrived)
        c = self.controls = _controls(self.shelf)
        self._slabs = Screen("Two slabs of the glass, coloured as chosen", click=c["particle"])
        self._closely = Screen(
            "The selected particle, its neighbours and its propensity", click=c["particle"]
        )
        self._start(start)
        self.panel = rows(
            columns(
                [c[name] for name in ("data", "temperature", "name", "time")],
                [c[name] for name in ("predictor", "left", "right", "structure")],
                [c[name] for name in ("axis", "middle", "particle", "step")],
            ),
            self._slabs.panel,
            columns([c["turned"], c["tilted"]], [c["radius"], c["averaged"]]),
            self._closely.panel,
        )
        self._settling = False
        self.draw()
        for name, each in c.items():
            watch_values([each], lambda name=name: self._changed(name))  # type: ignore[misc]

    @property
    def state(self) -> GlassState:
        """Where the controls stand."""
        values = {name: each.value for name, each in self.controls.items() if name != "step"}
        return GlassState(thickness=THICKNESS, **values)

    def slab_figure(self) -> go.Figure:
        """What the upper screen shows, as a plotly figure, once everything is computed."""
        return self._whole(slab_of)

    def particle_figure(self) -> go.Figure:
        """What the lower screen shows, as a plotly figure, once everything is computed."""
        return self._whole(particle_of)

    def _whole(self, figure_of: Any) -> go.Figure:
        figure_of(self.shelf, self.state)  # asks for whatever is missing
        self.shelf.wait()
        return figure_of(self.shelf, self.state)

    def draw(self) -> None:
        """Show the state; only what has changed."""
        with self._lock:
            state = self.state
            wanted = replace(state, turned=0.0, tilted=0.0), state
            for k, (screen, figure_of) in enumerate(((self._slabs, slab_of), (self._closely, particle_of))):
                if wanted[k] == self._drawn[k]:
                    continue
                try:
                    screen.show(figure_of(self.shelf, state))
                except GlassError as problem:
                    screen.say(str(problem))
            self._drawn = wanted

    def _arrived(self) -> None:
        """Something has been computed: draw again, if all is set up."""
        with self._lock:
            self._drawn = (None, None)
            if not self._settling:
                self.draw()

    def _changed(self, name: str) -> None:
        """A control was moved: bring the others in step, then draw."""
        with self._lock:
            if self._settling:
                return
            self._settling = True
            try:
                self._settle(name)
            except GlassError as problem:
                self._slabs.say(str(problem))
                return
            finally:
                self._settling = False
            self.draw()

    def _settle(self, name: str) -> None:
        c, shelf = self.controls, self.shelf
        if name == "data":
            _choose(c["temperature"], shelf.temperatures(c["data"].value))
        if name in ("data", "temperature"):
            _choose(c["name"], shelf.names(c["data"].value, c["temperature"].value))
        if name in ("data", "temperature", "name"):
            self._enter(shelf.glass(c["data"].value, c["temperature"].value, c["name"].value))
        if name == "step":
            here = self._here()
            if len(here):
                c["particle"].value = int(here[min(c["step"].value, len(here) - 1)])
        if name in ("particle", "structure", "axis") or name in ("data", "temperature", "name"):
            self._bring_into_view()
        if name != "step":
            self._count()

    def _enter(self, glass: Glass) -> None:
        """Controls whose range depends on the configuration."""
        c = self.controls
        times = ["—"] if glass.times is None else [f"{time:g}" for time in glass.times]
        before = c["time"].value
        c["time"].options = [(text, k) for k, text in enumerate(times)]
        c["time"].value = min(before or 0, len(times) - 1)
        c["particle"].max = len(glass) - 1
        c["middle"].max = float(glass.box.min())

    def _bring_into_view(self) -> None:
        """Move the slab to the particle, if it is not in it."""
        state = self.state
        if state.particle not in self._here():
            place = self.shelf.glass(*state.key).positions_in(state.structure)[state.particle, state.axis]
            self.controls["middle"].value = round(float(place) * 4) / 4

    def _here(self) -> Any:
        """Particles in the slab, row by row."""
        state = self.state
        glass = self.shelf.glass(*state.key)
        positions = glass.positions_in(state.structure)
        chosen = slab(positions, float(glass.box[state.axis]), state.axis, state.middle, state.thickness)
        across = [k for k in range(3) if k != state.axis]
        return chosen[np.lexsort((positions[chosen, across[0]], np.floor(positions[chosen, across[1]])))]

    def _count(self) -> None:
        here, step = self._here(), self.controls["step"]
        step.max = max(len(here) - 1, 0)
        place = np.flatnonzero(here == self.controls["particle"].value)
        if len(place):
            step.value = int(place[0])

    def _start(self, start: Mapping[str, Any]) -> None:
        """Set the controls in the order in which they depend on each other."""
        c, shelf = self.controls, self.shelf
        if unknown := set(start) - set(c):
            raise GlassError(f"there is no {sorted(unknown)[0]!r}", remedy=f"Choose from {', '.join(c)}")
        options: dict[str, Callable[[], list[str]]] = {
            "data": shelf.data_sets,
            "temperature": lambda: shelf.temperatures(c["data"].value),
            "name": lambda: shelf.names(c["data"].value, c["temperature"].value),
        }
        for name, known in options.items():
            _choose(c[name], known())
            _set(c, name, start)
        glass = shelf.glass(c["data"].value, c["temperature"].value, c["name"].value)
        self._enter(glass)
        c["middle"].value = round(float(glass.box[2]) * 2) / 4
        c["predictor"].value = shelf.usual_predictor(c["temperature"].value)
        for name in [name for name in start if name not in options]:
            _set(c, name, start)
        if "particle" in start:
            self._bring_into_view()
        else:
            here = self._here()
            c["particle"].value = int(here[len(here) // 2]) if len(here) else 0
        self._count()


def _choose(dropdown: Any, options: Sequence[str]) -> None:
    """New options; the choice stays where it can."""
    before = dropdown.value
    dropdown.options = list(options)
    dropdown.value = before if before in options else options[0]


def _set(controls: Mapping[str, Any], name: str, start: Mapping[str, Any]) -> None:
    if name not in start:
        return
    each, value = controls[name], start[name]
    known = [
        option[-1] if isinstance(option, tuple) else option for option in getattr(each, "options", [value])
    ]
    if value not in known:
        raise GlassError(f"there is no {value!r}; there are {', '.join(map(str, known))}", field=name)
    each.value = value


def _controls(shelf: Shelf) -> dict[str, Any]:
    """All controls, by the field of the state that they stand for."""
    live = {"continuous_update": True}
    return {
        "data": control("Dropdown", "data set"),
        "temperature": control("Dropdown", "temperature"),
        "name": control("Dropdown", "configuration"),
        "time": control("SelectionSlider", "time", options=[("—", 0)], **live),
        "predictor": control("Dropdown", "network", options=shelf.predictors()),
        "left": control("Dropdown", "left panel", options=COLOURINGS, value="measured"),
        "right": control("Dropdown", "right panel", options=COLOURINGS, value="predicted"),
        "structure": control("Dropdown", "structure", options=["inherent", "thermal"]),
        "axis": control("Dropdown", "cut across", options=[("x", 0), ("y", 1), ("z", 2)], value=2),
        "middle": control("FloatSlider", "cut at (σ)", min=0.0, max=15.0, step=0.25, **live),
        "particle": control("BoundedIntText", "particle", min=0, max=0),
        "step": control("IntSlider", "in the slab", min=0, max=0, **live),
        "turned": control("IntSlider", "turn (°)", min=-180, max=180, step=5, value=20, **live),
        "tilted": control("IntSlider", "tilt (°)", min=-90, max=90, step=5, value=20, **live),
        "radius": control("FloatSlider", "shell r (σ)", min=0.8, max=3.0, step=0.1, value=1.1, **live),
        "averaged": control("IntSlider", "averaged", min=0, max=3, **live),
    }
