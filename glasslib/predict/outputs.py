"""Predictions as files of numbers and as a figure in a page of its own."""

from __future__ import annotations

from html import escape
from os import PathLike
from pathlib import Path

import numpy as np
import plotly.graph_objects as go

from glasslib.glass import Glass
from glasslib.plots import glass_3d
from glasslib.predict.prediction import Prediction
from glasslib.readers.boundary import atomic_write


def write_npz(prediction: Prediction, path: str | PathLike[str]) -> None:
    """Write a prediction as npz, whole or not at all.

    ``positions`` (n_particles, 3), ``types`` (n_particles,), ``box`` (3,), ``times`` (n_times,),
    ``propensity`` (n_times, n_particles) as predicted, ``trained`` (n_particles,), ``checkpoint``,
    ``checkpoint_sha256``, ``warnings``; where known, ``temperature``, ``inherent_positions`` and
    ``inherent_energies``. No pickles.

    Raises
    ------
    GlassError
        When the folder is missing, full or read-only.
    """
    glass = prediction.glass
    known = {
        name: value
        for name in ("temperature", "inherent_positions", "inherent_energies")
        if (value := getattr(glass, name)) is not None
    }
    with atomic_write(path) as file:
        np.savez_compressed(
            file,
            positions=glass.positions,
            types=glass.types,
            box=glass.box,
            times=prediction.times,
            propensity=prediction.propensity,
            trained=prediction.trained,
            checkpoint=np.array(prediction.checkpoint),
            checkpoint_sha256=np.array(prediction.sha256),
            warnings=np.array(prediction.warnings, dtype=np.str_),
            **known,
        )


def figure(prediction: Prediction) -> go.Figure:
    """The particles of trained types, coloured by prediction, with a slider through the times."""
    glass, shown = prediction.glass, prediction.trained
    part = Glass(glass.positions[shown], glass.types[shown], glass.box, source=glass.source)
    file = escape(Path(glass.source).name) if glass.source else "configuration"
    title = f"{file}: propensity predicted by {escape(prediction.checkpoint)}"
    if prediction.warnings:
        title += f"<br><sub>extrapolation: {escape(prediction.warnings[0])}</sub>"
    drawn = glass_3d(
        part,
        prediction.propensity[:, shown],
        name="predicted<br>propensity",
        frames=[f"{time:g}" for time in prediction.times],
        title=title,
    )
    for trace in drawn.data:
        if trace.x is None or len(trace.x) == 0:
            trace.showlegend = False
    return drawn


def write_html(prediction: Prediction, path: str | PathLike[str]) -> None:
    """Write :func:`figure` as a page that works without a network (about 5 MB, most of it plotly).

    Raises
    ------
    GlassError
        When the folder is missing, full or read-only.
    """
    page: str = figure(prediction).to_html(include_plotlyjs=True, auto_play=False)
    with atomic_write(path) as file:
        file.write(f"{page}\n<!-- checkpoint_sha256 {prediction.sha256} -->\n".encode())
