"""A prediction, and whether its input is of the kind that the network was trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glasslib.checkpoints import Checkpoint, conditions, outside
from glasslib.errors import GlassError
from glasslib.glass import REMEDIES, TYPE_NAMES, FloatArray, Glass
from glasslib.simulate import inherent_structure

#: A first peak of g(r) outside this multiple of the trained one is a matter of units, not of physics.
SCALE = (0.75, 1.33)

#: What becomes of the name of a step.
Report = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a network says about a configuration.

    Parameters
    ----------
    glass :
        The configuration; with its inherent structure where that was needed.
    times : (n_times,)
        In LJ units.
    propensity : (n_times, n_particles)
        Predicted, in sigma_AA.
    trained : (n_particles,)
        Whether the particle is of a type that the network was trained on; elsewhere ``propensity`` means
        nothing.
    checkpoint, sha256 :
        Name of the network and checksum of its file.
    warnings :
        What lies outside the range it was trained on, one sentence each.
    """

    glass: Glass
    times: FloatArray
    propensity: FloatArray
    trained: NDArray[np.bool_]
    checkpoint: str
    sha256: str
    warnings: tuple[str, ...]


def predict(
    glass: Glass,
    checkpoint: Checkpoint,
    *,
    times: Sequence[float] | None = None,
    report: Report = lambda step: None,
) -> Prediction:
    """Predict the propensity of a configuration, and say what about it is unlike the training data.

    Parameters
    ----------
    glass :
        The configuration. Where the network wants its inherent structure and that is missing, LAMMPS computes
        it (nothing is left beside the file).
    checkpoint :
        From :func:`glasslib.checkpoints.take`.
    times :
        Some of the network's times; by default all.
    report :
        Called with the name of each step before it begins.

    Raises
    ------
    GlassError
        When the input is impossible: no particle of a trained type, lengths in other units, a box smaller
        than twice a cutoff; and for a time that the network does not know.
    """
    predictor = checkpoint.predictor
    kinds = predictor.training_options.particle_type
    trained = np.isin(glass.types, [TYPE_NAMES.index(kind) for kind in kinds])
    if not trained.any():
        raise GlassError(
            f"holds no particle of type {' or '.join(kinds)}, and {checkpoint.name} predicts only those",
            source=glass.source,
            field="types",
            remedy="Type 0 (A) is the large majority species",
        )
    rows = _rows(predictor.times, times)
    report("checking")
    _require_units(glass, checkpoint)
    report("predicting")
    try:
        everything = predictor.predict(glass)
    except GlassError as error:
        if error.field not in REMEDIES:
            raise
        report("inherent structure")
        glass = inherent_structure(glass, cache=False)
        report("predicting")
        everything = predictor.predict(glass)
    if not np.isfinite(everything).all():
        raise GlassError("the prediction is not finite", source=glass.source, remedy="Check the input")
    assert predictor.times is not None
    return Prediction(
        glass=glass,
        times=predictor.times[rows],
        propensity=everything[rows],
        trained=trained,
        checkpoint=checkpoint.name,
        sha256=checkpoint.sha256,
        warnings=_warnings(glass, checkpoint),
    )


def _warnings(glass: Glass, checkpoint: Checkpoint) -> tuple[str, ...]:
    if checkpoint.card is None:
        return (f"{checkpoint.name} has no card, so the range it was trained on is unknown",)
    return tuple(outside(conditions(glass), checkpoint.card.ranges))


def _require_units(glass: Glass, checkpoint: Checkpoint) -> None:
    """GlassError where the distances between particles cannot be meant in sigma_AA."""
    if checkpoint.card is None or "first_peak" not in checkpoint.card.ranges:
        return
    peak = conditions(glass).get("first_peak")
    low, high = checkpoint.card.ranges["first_peak"]
    if peak is None or SCALE[0] * low <= peak <= SCALE[1] * high:
        return
    raise GlassError(
        f"g(r) has its first peak at {peak:.3g}, and {checkpoint.name} knows liquids with theirs at "
        f"{(low + high) / 2:.3g}: these lengths are not in sigma_AA",
        source=glass.source,
        field="positions",
        remedy=f"If so, divide positions and box by sigma_AA (about {2 * peak / (low + high):.3g} in them)",
    )


def _rows(have: FloatArray | None, wanted: Sequence[float] | None) -> list[int]:
    assert have is not None
    if wanted is None:
        return list(range(len(have)))
    rows = []
    for time in wanted:
        match = np.flatnonzero(np.isclose(have, time, rtol=1e-6, atol=0.0))
        if len(match) == 0:
            raise GlassError(
                f"nothing is predicted for t = {time:g}; the times are {', '.join(f'{t:g}' for t in have)}",
                field="times",
            )
        rows.append(int(match[0]))
    return sorted(set(rows))
