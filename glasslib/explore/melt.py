"""A running simulation, and what a network says of its particles at any moment."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from glasslib.errors import GlassError
from glasslib.evaluation import pearson
from glasslib.explore.colouring import Colouring
from glasslib.explore.slab import SIDE, heading, slab_figure
from glasslib.glass import TYPE_NAMES, FloatArray, Glass
from glasslib.plots.style import COLOURS, digits
from glasslib.predictor import NetworkPredictor
from glasslib.simulate import Protocol
from glasslib.simulate.inherent import minimised
from glasslib.simulate.lammps import Liquid, instance

#: Thickness of the slab, in sigma_AA; pixels of the whole width between the margins.
THICKNESS, INNER = 2.0, 890


class LiveGlass:
    """A mixture in LAMMPS, advanced step by step, and coloured by the propensity that a network predicts.

    The network wants the inherent structure of each snapshot: a second LAMMPS slides down to it from a copy,
    which does not touch the run.

    Parameters
    ----------
    protocol :
        Particles, box, time step, thermostat and the temperature to begin with.
    positions, velocities : (n_particles, 3)
        Where it begins; velocities by default drawn by the protocol.
    predictor :
        A trained network. Particles of types that it does not know stay grey.

    Raises
    ------
    GlassError
        When LAMMPS is missing.
    """

    def __init__(
        self,
        protocol: Protocol,
        positions: ArrayLike,
        predictor: NetworkPredictor,
        velocities: ArrayLike | None = None,
    ) -> None:
        self.protocol, self.predictor = protocol, predictor
        self.temperature, self.time = protocol.temperature, 0.0
        #: Of every frame: the time; the mean prediction over the particles that the network knows (sigma_AA,
        #: at each of its times); how much of the prediction of the first frame is left (Pearson r, at each).
        self.past: list[tuple[float, FloatArray, FloatArray]] = []
        self._first: FloatArray | None = None
        self._open = ExitStack()
        self._run, self._copy = (
            Liquid(self._open.enter_context(instance()), protocol.types, protocol.box) for _ in range(2)
        )
        kinds = predictor.training_options.particle_type
        self.known = np.isin(protocol.types, [TYPE_NAMES.index(kind) for kind in kinds])
        self._positions = np.asarray(positions, dtype=float)
        self._velocities = protocol.velocities(4) if velocities is None else np.asarray(velocities)
        self._place()
        self._frame: tuple[Glass, FloatArray] | None = None

    def _place(self) -> None:
        self._run.place(self._positions, self._velocities)
        self._run.thermostat(self.temperature, self.temperature, self.protocol.damping)

    def heat(self, temperature: float) -> None:
        """Couple it to a thermostat of another temperature, in epsilon_AA / k_B."""
        if not (np.isfinite(temperature) and temperature > 0):
            raise GlassError(f"expected a positive number, got {temperature}", field="temperature")
        if temperature != self.temperature:
            self.temperature = float(temperature)
            self._positions, self._velocities = self._run.unwrapped(), self._run.velocities()
            self._place()

    def advance(self, duration: float) -> None:
        """Run on for a time, in LJ units."""
        steps = max(1, round(duration / self.protocol.timestep))
        for _ in self._run.advance(steps, self.protocol.timestep):
            pass
        self.time += steps * self.protocol.timestep
        self._frame = None

    def frame(self) -> tuple[Glass, FloatArray]:
        """The present configuration with its inherent structure, and its predicted propensity ``(n_times,
        n_particles)``, in sigma_AA."""
        if self._frame is None:
            positions = self._run.unwrapped()
            minimum = minimised(self._copy, positions)
            glass = Glass(
                positions=positions,
                types=self.protocol.types,
                box=self.protocol.box,
                temperature=self.temperature,
                inherent_positions=minimum.positions,
                inherent_energies=minimum.energies,
                energies=minimum.thermal_energies,
                source=f"live, t = {self.time:g}",
            )
            self._frame = glass, self.predictor.predict(glass)
            self._remember(self._frame[1])
        return self._frame

    def _remember(self, said: FloatArray) -> None:
        shown = said[:, self.known]
        if self._first is None:
            self._first = shown
        left = [pearson(now, first) for now, first in zip(shown, self._first, strict=True)]
        self.past.append((self.time, shown.mean(axis=1), np.array(left)))

    def figure(self, time: int = -1) -> go.Figure:
        """The present frame and all before it, at one of the network's times (:func:`live_figure`)."""
        glass, said = self.frame()
        assert self.predictor.times is not None
        assert self._first is not None
        low, high = np.percentile(self._first[time], [2, 98])
        moments, means, left = zip(*self.past, strict=True)
        return live_figure(
            glass,
            Colouring(
                f"predicted for t = {self.predictor.times[time]:g}", said[time], unit="σ", known=self.known
            ),
            (float(low), float(high)),
            np.array(moments),
            np.array(means)[:, time],
            np.array(left)[:, time],
        )

    def close(self) -> None:
        """End both LAMMPS."""
        self._open.close()


def live_figure(
    glass: Glass,
    colouring: Colouring,
    limits: tuple[float, float],
    moments: FloatArray,
    means: FloatArray,
    left: FloatArray,
) -> go.Figure:
    """A slab of the present configuration, and what became of the prediction until now.

    Parameters
    ----------
    glass :
        The configuration, with its inherent structure.
    colouring :
        The prediction.
    limits :
        Ends of the colour scale, in sigma_AA: the same for every frame, so that colours can be compared.
    moments, means, left : (n_frames,)
        Time, in LJ units; mean of the prediction, in sigma_AA; its correlation with that of the first frame.

    Returns
    -------
    plotly.graph_objects.Figure
        Traces: A, B and an empty ring of the slab; the mean; the correlation.
    """
    figure = slab_figure(glass, [colouring], thickness=THICKNESS)
    share = SIDE / INNER
    last = max(float(moments[-1]), 1e-9)
    panels = (
        ("mean of the prediction (σ)", means, [0.6, 1.0], 2),
        ("r with the first frame", left, [0.0, 0.4], 3),
    )
    for k, (text, values, domain, number) in enumerate(panels):
        figure.add_scatter(
            x=digits(moments),
            y=digits(values),
            name=text,
            mode="lines+markers",
            line={"color": COLOURS[k], "width": 2.2},
            marker={"size": 5, "color": COLOURS[k]},
            xaxis=f"x{number}",
            yaxis=f"y{number}",
        )
        figure.layout[f"xaxis{number}"] = {
            "range": [-0.02 * last, 1.05 * last],
            "domain": [0.62, 1.0],
            "anchor": f"y{number}",
            "title": {"text": "t of the run  (LJ units)" if k else ""},
        }
        figure.layout[f"yaxis{number}"] = {"domain": domain, "anchor": f"x{number}"}
        figure.add_annotation(heading(0.62, text) | {"y": domain[1]})
    figure.layout.yaxis3.range = [min(0.0, float(left.min())) - 0.02, 1.05]
    return figure.update_layout(
        width=60 + INNER + 20,
        margin={"r": 20},
        xaxis={"domain": [0, share]},
        coloraxis={"cmin": round(limits[0], 4), "cmax": round(limits[1], 4), "colorbar": {"x": share}},
    )
