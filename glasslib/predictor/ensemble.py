"""Several predictors that are asked together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from glasslib.errors import GlassError
from glasslib.evaluation import Predictor
from glasslib.glass import Glass


class EnsemblePredictor:
    """The mean of what its members predict; for example one network trained with several seeds.

    Errors that differ from member to member average out, so that it correlates better with the truth than
    the members do on average.

    Parameters
    ----------
    members :
        Trained or not; :meth:`fit` trains each of them.
    """

    def __init__(self, members: Sequence[Predictor]) -> None:
        if not members:
            raise GlassError("an ensemble needs members")
        self.members = list(members)

    def fit(self, glasses: Sequence[Glass], *, directory: str | Path | None = None, **options: Any) -> Self:
        """Train every member on the same configurations.

        Parameters
        ----------
        glasses :
            Configurations with propensity at common times.
        directory :
            Gets a folder for each member, ``member-0`` and so on, for predictors that keep checkpoints; a
            run that was cut off continues there.
        **options :
            Passed on to the members' ``fit``.
        """
        for k, member in enumerate(self.members):
            own = {} if directory is None else {"directory": Path(directory) / f"member-{k}"}
            member.fit(glasses, **own, **options)  # type: ignore[call-arg]  # more than every predictor has
        return self

    def predict(self, glass: Glass) -> NDArray[np.float64]:
        """Propensity ``(n_times, n_particles)``, in sigma_AA."""
        mean: NDArray[np.float64] = np.mean([member.predict(glass) for member in self.members], axis=0)
        return mean
