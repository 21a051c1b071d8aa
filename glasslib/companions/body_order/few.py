"""Linear classifiers that look at a few features, and how many it takes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import orthogonal_mp_gram  # type: ignore[import-untyped]

from glasslib.companions.body_order.classifier import Extremes, accuracy, extremes
from glasslib.errors import GlassError
from glasslib.glass import FloatArray
from glasslib.linear import LinearFit, Moments, Part, Standardised


class Labelled(NamedTuple):
    """Particles of one configuration, the active and the inactive ones among them known.

    Attributes
    ----------
    x : (n, n_features)
        Features of all of them.
    chosen :
        The extremes.
    """

    x: NDArray[np.floating]
    chosen: Extremes

    @classmethod
    def of(cls, x: NDArray[np.floating], values: ArrayLike, fraction: float) -> Labelled:
        """With the :func:`extremes` of some values ``(n,)``."""
        chosen = extremes(values, fraction)
        if x.ndim != 2 or len(x) != len(np.asarray(values)):
            raise GlassError(f"expected ({len(np.asarray(values))}, n_features), got {x.shape}", field="x")
        return cls(x, chosen)

    @property
    def part(self) -> Part:
        """Features and signs of the extremes alone."""
        return Part(self.x[self.chosen.particles], self.chosen.signs[:, None])


def few_features(fitted: Sequence[Part], counts: Sequence[int]) -> list[LinearFit]:
    r"""Least squares with so many features and no more, picked by orthogonal matching pursuit.

    One feature after the other: the one that correlates best with what those before it have left over;
    whereupon the weights of all are fitted anew. No penalty, as there are many more particles than features.

    Parameters
    ----------
    fitted :
        Features ``(n, n_features)`` and signs ``(n, 1)`` of each configuration.
    counts :
        How many features, up to all of them.

    Returns
    -------
    list of LinearFit
        One for each count, all other weights 0. Where features are linearly dependent the last ones may have
        fewer.

    Raises
    ------
    GlassError
        Without configurations, or with counts or shapes that do not fit.

    References
    ----------
    Pati, Rezaiifar and Krishnaprasad, Asilomar Conf. Signals Syst. Comput. 27, 40 (1993); by scikit-learn.
    """
    if not fitted or not counts:
        raise GlassError("expected configurations to fit to, and counts")
    n_features = fitted[0].x.shape[-1]
    for part in fitted:
        if part.x.shape != (len(part.x), n_features) or part.y.shape != (len(part.x), 1):
            raise GlassError(f"expected (n, {n_features}) and (n, 1), got {part.x.shape} and {part.y.shape}")
    if not 1 <= min(counts) <= max(counts) <= n_features:
        raise GlassError(f"expected 1 to {n_features}, got {list(counts)}", field="counts")
    offset, center, scale, gram, slope = Standardised.of([Moments.of(*part) for part in fitted])
    with warnings.catch_warnings():  # that it ends early where the rest depends on what it has
        warnings.filterwarnings("ignore", category=RuntimeWarning)
        path = orthogonal_mp_gram(gram, slope[:, 0], n_nonzero_coefs=max(counts), return_path=True)
    path = path.reshape(n_features, -1)
    weights = [path[:, [min(count, path.shape[1]) - 1]] for count in counts]
    return [LinearFit(offset, center, scale, each, np.zeros(1)) for each in weights]


class Curve(NamedTuple):
    """Accuracy by number of features.

    Attributes
    ----------
    counts : (n_counts,)
        Numbers of features.
    aside, tests : (n_configurations, n_counts)
        Accuracy in configurations set aside, and in those for the test.
    fits :
        The classifiers.
    """

    counts: NDArray[np.int64]
    aside: FloatArray
    tests: FloatArray
    fits: list[LinearFit]

    @property
    def best(self) -> int:
        """Index of the count that does best in those set aside, on average."""
        return int(self.aside.mean(axis=0).argmax())


def learning_curve(
    fitted: Sequence[Labelled], aside: Sequence[Labelled], tests: Sequence[Labelled], counts: Sequence[int]
) -> Curve:
    """Accuracy of classifiers that look at few features, by how many.

    Parameters
    ----------
    fitted :
        Configurations whose extremes pick the features and fit their weights.
    aside :
        Configurations that may choose the count.
    tests :
        Configurations that choose nothing.
    counts :
        As for :func:`few_features`.

    Raises
    ------
    GlassError
        As :func:`few_features`, and without configurations set aside or for the test.
    """
    if not aside or not tests:
        raise GlassError("expected configurations set aside, and others for the test")
    fits = few_features([each.part for each in fitted], counts)
    chose, tested = (np.array([_accuracies(fits, each) for each in group]) for group in (aside, tests))
    return Curve(np.array(counts), chose, tested, fits)


def _accuracies(fits: Sequence[LinearFit], labelled: Labelled) -> list[float]:
    """Of all fits, reading only the features that one of them uses."""
    weights = np.concatenate([fit.weights for fit in fits], axis=1)
    used = np.flatnonzero(weights.any(axis=1))
    z = (labelled.x[:, used] - fits[0].center[used]) / fits[0].scale[used]
    return [accuracy(scores, labelled.chosen) for scores in (z @ weights[used]).T]
