"""Turn a neighbourhood, and see which features of a convolution turn with it and which stay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
import torch
from e3nn import o3
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Data

from glasslib.equivariant import FactorisedConvolution, GaussianBasis, neighborhoods
from glasslib.equivariant.law import law
from glasslib.errors import GlassError
from glasslib.explore.marks import along
from glasslib.explore.slab import heading
from glasslib.explore.space import ball, rotation, seen
from glasslib.glass import FloatArray, Glass, minimum_image
from glasslib.graph import GraphOptions, build_graph
from glasslib.plots.style import COLOUR_SCALE, COLOURS, TEMPLATE, digits, short

#: Features that go in: is A, is B, energy; displacement.
INPUTS = "3x0e + 1x1o"
OUTPUTS = "4x0e + 2x1o + 2x2e"

#: Domains of the four panels, and pixels of the first.
_PANELS = ((0.0, 0.34), (0.42, 0.57), (0.66, 0.79), (0.86, 1.0))
_BALL_PIXELS = 330


@dataclass(frozen=True)
class TurnState:
    """How a neighbourhood is held: degrees about y (up), then x (right), then z (towards the viewer); whether
    it is also inverted; and which layer looks at it."""

    layer: str
    y: float = 0.0
    x: float = 0.0
    z: float = 0.0
    inverted: bool = False

    def matrix(self) -> FloatArray:
        """Rotation, or rotation and inversion, ``(3, 3)``."""
        turn = rotation(x=self.x, y=self.y, z=self.z)
        return -turn if self.inverted else turn


class Neighbourhood:
    """A ball of particles, and layers that look at it however it is turned.

    Parameters
    ----------
    glass :
        A configuration with its inherent structure.
    particle :
        In the middle of the ball.
    radius :
        Of the ball, in sigma_AA. Its particles are all that the layers see.
    layers :
        By name; each maps features ``(n, irreps_in.dim)`` and a graph with ``edge_index`` and
        ``edge_vector`` to ``(n, irreps_out.dim)``, and knows its ``irreps_in`` (which must be
        :data:`INPUTS`) and ``irreps_out``, scalars first. By default the package's convolution with random
        weights (seed 0).
    cutoff :
        Of the graph, in sigma_AA.

    Raises
    ------
    GlassError
        When a layer takes other features, or has no scalars.
    """

    def __init__(
        self,
        glass: Glass,
        particle: int,
        layers: Mapping[str, Any] | None = None,
        *,
        radius: float = 1.7,
        cutoff: float = 2.0,
    ) -> None:
        positions = glass.require("inherent_positions")
        vectors = minimum_image(positions - positions[particle], glass.box)
        distances = np.linalg.norm(vectors, axis=1)
        whole = build_graph(glass, GraphOptions(cutoff=cutoff, averaging_cutoff=0), dtype=torch.float64)
        inside = torch.from_numpy(distances < radius)
        self.graph: Data = whole.subgraph(inside)
        self.vectors, self.radius = vectors[inside.numpy()], radius
        self.types: NDArray[np.integer[Any]] = glass.types[inside.numpy()]
        self.middle = int(np.flatnonzero(np.flatnonzero(inside.numpy()) == particle)[0])
        self.numbers = np.flatnonzero(inside.numpy())
        self.features = _features(whole)[inside]
        self.layers = dict(layers or {"convolution": package_layer(cutoff)})
        for name, layer in self.layers.items():
            given, made = o3.Irreps(layer.irreps_in), o3.Irreps(layer.irreps_out)
            if given != o3.Irreps(INPUTS):
                raise GlassError(f"expected a layer that takes {INPUTS}, got {given}", field=name)
            if not len(made) or made[0].ir.l:
                raise GlassError(f"expected scalars first among the outputs, got {made}", field=name)

    @torch.no_grad()
    def output(self, layer: str, turn: FloatArray) -> Tensor:
        """What a layer says of every particle of the turned ball, ``(n, irreps_out.dim)``, anew."""
        it, matrix = self.layers[layer], torch.from_numpy(turn)
        turned = self.graph.clone()
        turned.edge_vector = self.graph.edge_vector @ matrix.T
        features = self.features @ law(INPUTS, matrix).T
        result: Tensor = it(features, turned)
        return result

    @torch.no_grad()
    def by_law(self, layer: str, turn: FloatArray) -> Tensor:
        """What an equivariant layer would have to say: its output for the ball as it lay, turned."""
        return self.output(layer, np.eye(3)) @ law(self.layers[layer].irreps_out, torch.from_numpy(turn)).T


def package_layer(cutoff: float = 2.0, seed: int = 0) -> Callable[[Tensor, Data], Tensor]:
    """The package's convolution with random weights, as a layer of features and a graph, in float64."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        convolution = FactorisedConvolution(INPUTS, OUTPUTS, l_max=2, n_radial=8, n_neighbors=40.0).double()
    basis = GaussianBasis(8, cutoff).double()

    def layer(features: Tensor, graph: Data) -> Tensor:
        around = neighborhoods(graph.edge_index, graph.edge_vector, len(features), basis, 2)
        result: Tensor = convolution(features, around)
        return result

    layer.irreps_in, layer.irreps_out = INPUTS, OUTPUTS  # type: ignore[attr-defined]
    return layer


def _features(graph: Data) -> Tensor:
    """Type, energy and displacement, scaled to be of order one, ``(n, 6)``."""
    energy, shift = graph.scalars[:, 2:] - graph.scalars[:, 2:].mean(), graph.vectors.flatten(1)
    scaled = [x / x.square().mean().sqrt() for x in (energy, shift)]
    return torch.cat([graph.scalars[:, :2], *scaled], dim=1)


def turning_figure(around: Neighbourhood, state: TurnState) -> go.Figure:
    """A turned neighbourhood, and what a layer says of the particle in its middle.

    Parameters
    ----------
    around :
        The neighbourhood and its layers.
    state :
        How it is held.

    Returns
    -------
    plotly.graph_objects.Figure
        Traces: the arrows and the ball, coloured by the layer's first scalar; a ring; then for l = 0, 1
        and 2 the layer's outputs of the middle particle (bars) and what the law of turning demands (open
        diamonds): for l = 0 the first scalars, for l > 0 the components of the first vector and quintet.
    """
    turn = state.matrix()
    found, lawful = around.output(state.layer, turn), around.by_law(state.layer, turn)
    unturned = around.output(state.layer, np.eye(3))
    irreps = o3.Irreps(around.layers[state.layer].irreps_out)
    pieces = {
        ir.l: (part, mul) for part, (mul, ir) in reversed(list(zip(irreps.slices(), irreps, strict=True)))
    }
    traces = _ball_traces(around, turn, found, unturned, pieces)
    notes = [heading(_PANELS[0][0], "colour: first scalar; arrows: first vector")]
    axes: dict[str, Any] = {}
    for degree in range(3):
        if degree not in pieces:
            continue
        start, mul = pieces[degree][0].start, pieces[degree][1]
        n = min(mul, 4) if degree == 0 else 2 * degree + 1
        here = slice(start, start + n)
        values, wanted, before = (x[around.middle, here].numpy() for x in (found, lawful, unturned))
        panel = str(degree + 2)
        ticks = (
            [str(k + 1) for k in range(n)] if degree == 0 else [f"{m}" for m in range(-degree, degree + 1)]
        )
        traces += _bars(values, wanted, degree, panel)
        length = np.linalg.norm(values)
        title = "l = 0: scalars" if degree == 0 else f"l = {degree}: length {length:.2f}"
        notes.append(heading(_PANELS[degree + 1][0], title))
        limit = 1.15 * max(float(np.linalg.norm(before)), float(np.abs(values).max()), 1e-9)
        axes[f"xaxis{panel}"] = {
            "tickvals": list(range(n)),
            "ticktext": [tick.replace("-", "−") for tick in ticks],
            "title": {"text": "channel" if degree == 0 else "m"},
            "range": [-0.6, n - 0.4],
            "domain": _PANELS[degree + 1],
            "anchor": f"y{panel}",
            "showgrid": False,
        }
        axes[f"yaxis{panel}"] = {"range": [-limit, limit], "anchor": f"x{panel}", "zeroline": True}
    hidden = {"visible": False, "range": [-1.25 * around.radius, 1.25 * around.radius]}
    return go.Figure(
        traces,
        {
            "template": TEMPLATE,
            "width": 970,
            "height": 430,
            "margin": {"l": 10, "r": 10, "t": 36, "b": 60},
            "showlegend": False,
            "annotations": notes,
            "xaxis": {**hidden, "domain": _PANELS[0], "anchor": "y"},
            "yaxis": {**hidden, "domain": [0, 1], "anchor": "x"},
            **axes,
        },
    )


def _ball_traces(
    around: Neighbourhood, turn: FloatArray, found: Tensor, unturned: Tensor, pieces: Mapping[int, Any]
) -> list[dict[str, Any]]:
    """Arrows, discs and a ring around the middle one."""
    vectors = around.vectors @ turn.T
    scalars, first = (x[:, 0].numpy() for x in (found, unturned))
    colours = along(COLOUR_SCALE, scalars, *np.percentile(first, [5, 95]))
    x: list[float | None] = []
    y: list[float | None] = []
    if 1 in pieces:
        start = pieces[1][0].start
        arrows, before = (z[:, start : start + 3].numpy() for z in (found, unturned))
        scale = 1.1 / max(float(np.linalg.norm(before, axis=1).max()), 1e-9)
        tails, _ = seen(vectors, around.radius)
        tips, _ = seen(vectors + scale * arrows, around.radius)
        for (x0, y0), (x1, y1) in zip(tails.round(3).tolist(), tips.round(3).tolist(), strict=True):
            x += [x0, x1, None]
            y += [y0, y1, None]
    pixels = _BALL_PIXELS / (2.5 * around.radius)
    names = [f"particle {i}: {value:.3f}" for i, value in zip(around.numbers, scalars, strict=True)]
    discs = ball(vectors, around.types, colours, radius=around.radius, pixels=pixels, hovertext=names)
    edge = {"width": 3.5, "color": "#000"}
    ring = {"symbol": "circle-open", "size": round(0.8 * pixels, 1), "color": "#000", "line": edge}
    place, _ = seen(vectors[[around.middle]], around.radius)
    line = {"color": COLOURS[1], "width": 4}
    flat = {"type": "scatter", "hoverinfo": "skip"}
    return [
        discs | {"name": "ball"},
        flat | {"x": x, "y": y, "mode": "lines", "line": line, "name": "arrows"},
        flat
        | {"x": short(place[:, 0], 3), "y": short(place[:, 1], 3), "mode": "markers", "marker": ring}
        | {"name": "middle"},
    ]


def _bars(values: FloatArray, wanted: FloatArray, degree: int, panel: str) -> list[dict[str, Any]]:
    place = {"x": list(range(len(values))), "xaxis": f"x{panel}", "yaxis": f"y{panel}"}
    dots = {"symbol": "diamond-open", "size": 11, "color": "#000", "line": {"width": 2, "color": "#000"}}
    return [
        place
        | {"type": "bar", "y": digits(values), "width": 0.7, "name": f"l = {degree}"}
        | {"marker": {"color": COLOURS[(0, 1, 2)[degree]]}},
        place
        | {"type": "scatter", "y": digits(wanted), "mode": "markers", "marker": dots}
        | {"name": f"l = {degree} by law"},
    ]
