"""Where a glass explorer stands, and the figures of that state."""

from __future__ import annotations

from dataclasses import dataclass

import plotly.graph_objects as go

from glasslib.explore.colouring import Colouring
from glasslib.explore.particle import particle_figure
from glasslib.explore.shelf import Shelf
from glasslib.explore.slab import slab_figure


@dataclass(frozen=True)
class GlassState:
    """What is looked at, and how.

    Parameters
    ----------
    data, temperature, name :
        The configuration, as a :class:`Shelf` calls it.
    time :
        Index of the time.
    predictor :
        Name of the network.
    left, right :
        What the two panels show: one of :data:`glasslib.explore.shelf.COLOURINGS`.
    structure :
        ``"thermal"`` or ``"inherent"`` positions; features are measured in it.
    axis, middle, thickness :
        Direction across the slab, where it is and how thick, in sigma_AA.
    particle :
        Number of the particle that is looked at closely.
    radius, averaged :
        Shell of bond order and densities, in sigma_AA; how often features are averaged over neighbours.
    turned, tilted :
        From where its neighbours are seen, in degrees.
    """

    data: str
    temperature: str
    name: str
    time: int = 0
    predictor: str = ""
    left: str = "measured"
    right: str = "predicted"
    structure: str = "inherent"
    axis: int = 2
    middle: float = 0.0
    thickness: float = 1.0
    particle: int = 0
    radius: float = 1.1
    averaged: int = 0
    turned: float = 20.0
    tilted: float = 20.0

    @property
    def key(self) -> tuple[str, str, str]:
        """The configuration's, on the shelf."""
        return self.data, self.temperature, self.name


def slab_of(shelf: Shelf, state: GlassState) -> go.Figure:
    """Two slabs, each coloured by what its panel shows (:func:`glasslib.explore.slab.slab_figure`)."""
    return slab_figure(
        shelf.glass(*state.key),
        [_colouring(shelf, state, what) for what in (state.left, state.right)],
        axis=state.axis,
        middle=state.middle,
        thickness=state.thickness,
        structure=state.structure,
        selected=state.particle,
    )


def particle_of(shelf: Shelf, state: GlassState) -> go.Figure:
    """The particle closely (:func:`glasslib.explore.particle.particle_figure`), coloured as on the left."""
    glass = shelf.glass(*state.key)
    said = shelf.prediction(state.predictor, state.key)
    known = said is not None and shelf.knows(state.predictor, glass)[state.particle]
    return particle_figure(
        glass,
        state.particle,
        _colouring(shelf, state, state.left),
        radius=state.radius,
        structure=state.structure,
        predicted=said[:, state.particle] if said is not None and known else None,
        typical=shelf.typical(state.key, int(glass.types[state.particle]), state.radius, state.structure),
        turned=state.turned,
        tilted=state.tilted,
    )


def _colouring(shelf: Shelf, state: GlassState, what: str) -> Colouring:
    return shelf.colouring(
        what,
        state.key,
        time=state.time,
        predictor=state.predictor,
        radius=state.radius,
        averaged=state.averaged,
        structure=state.structure,
    )
