"""Experts and network, each read out of the other: what is there, and what it explains."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from glasslib.errors import GlassError
from glasslib.evaluation import common_times, pearson
from glasslib.features import FeatureOptions, Features, features
from glasslib.glass import FloatArray, Glass
from glasslib.interpretation.invariants import asked, graph, layer_features, trained
from glasslib.interpretation.readout import fit_readout, r_squared
from glasslib.linear import Part
from glasslib.predictor import SE3Predictor


def kind_of(name: str) -> tuple[str, int]:
    """Kind and generation of an expert feature: ``"q6 r=1.3 generation 2"`` is ``("q6", 2)``."""
    generation = re.search(r" generation (\d+)$", name)
    return name.removeprefix("thermal ").removeprefix("inherent ").split()[0], int(
        generation[1] if generation else 0
    )


@dataclass(frozen=True, eq=False)
class Probe:
    r"""How well a linear probe reads expert features out of the layers of a network.

    Attributes
    ----------
    layers :
        As :func:`layer_features` calls them.
    names :
        Of the expert features.
    particles, configurations : (n_layers, n_features)
        R^2 on particles that the probe was not fitted to, in the configurations it was fitted to; and on
        other configurations. The first are neighbours of particles it was fitted to, whose features are
        much like theirs, so the second is what counts; that both agree shows that nothing was learned by
        heart. nan for a feature that does not vary.
    """

    layers: list[str]
    names: list[str]
    particles: FloatArray
    configurations: FloatArray

    def by_kind(
        self, held_out: Literal["particles", "configurations"] = "configurations"
    ) -> dict[tuple[str, int], FloatArray]:
        """Mean R^2 ``(n_layers,)`` over the shells of each kind and generation, ``("q6", 1)`` for example."""
        values = self.configurations if held_out == "configurations" else self.particles
        kinds = [kind_of(name) for name in self.names]
        found = {}
        for kind in dict.fromkeys(kinds):
            chosen = values[:, [each == kind for each in kinds]]
            chosen = chosen[:, np.isfinite(chosen[0])]
            found[kind] = chosen.mean(1) if chosen.shape[1] else np.full(len(values), np.nan)
        return found


def probe(
    predictor: SE3Predictor,
    train: Sequence[Glass],
    test: Sequence[Glass],
    options: FeatureOptions | None = None,
    *,
    names: Sequence[str] | None = None,
    particle_type: str = "A",
    held_out: float = 0.25,
    seed: int = 0,
) -> Probe:
    """Read expert features out of the invariants of every layer by ridge regression.

    Convolutions with random weights hold much of the experts' features already: what training added is the
    difference to the probe of an untrained network. Averages over neighbours hardly vary within a
    configuration, so that R^2 of higher generations, all held-out particles together, also asks for the mean
    of each configuration.

    Parameters
    ----------
    predictor :
        Fitted; it stays as it is.
    train :
        Configurations the probe is fitted to, two at least: the last one chooses the penalty.
    test :
        Configurations held out.
    options :
        Expert features; by default all that fit into the box.
    names :
        Only these of them.
    particle_type :
        Particles that are looked at.
    held_out :
        Share of the particles of ``train`` held out, drawn at random with ``seed``.

    Raises
    ------
    GlassError
        When there are too few configurations, there is no such feature, or the predictor is not fitted.
    """
    if not 0 < held_out < 1:
        raise GlassError(f"expected a share between 0 and 1, got {held_out}", field="held_out")
    _require_enough(train, test)
    options = options or FeatureOptions().within(train[0].box)
    generator = np.random.default_rng(seed)
    layers: list[str] = []
    kept: list[list[Part]] = []  # by configuration, then by layer
    spared: list[list[Part]] = []
    for number, glass in enumerate([*train, *test]):
        mask = np.flatnonzero(glass.is_type(particle_type))
        table = features(glass, options)
        names = table.names if names is None else list(names)
        targets = np.stack([table.column(name) for name in names], axis=1)
        found = layer_features(predictor, glass)
        layers = list(found)
        out = np.zeros(len(mask), dtype=bool)
        if number < len(train):
            out[generator.permutation(len(mask))[: round(held_out * len(mask))]] = True
        kept.append(_parts(found, targets, mask[~out]))
        spared.append(_parts(found, targets, mask[out]))
    particles: list[FloatArray] = []
    configurations: list[FloatArray] = []
    for k in range(len(layers)):
        *parts, aside = (each[k] for each in kept[: len(train)])
        read = fit_readout(parts, aside)
        for scores, where in ((particles, spared[: len(train)]), (configurations, kept[len(train) :])):
            x, y = (np.concatenate(arrays) for arrays in zip(*(each[k] for each in where), strict=True))
            scores.append(r_squared(read.predict(x), y))
    return Probe(layers, list(names or ()), np.array(particles), np.array(configurations))


def _parts(found: dict[str, Features], targets: NDArray[np.floating], rows: NDArray[np.intp]) -> list[Part]:
    return [Part(each.values[rows], targets[rows]) for each in found.values()]


@dataclass(frozen=True, eq=False)
class Explained:
    """How much of a network's prediction is linear in expert features.

    Attributes
    ----------
    times : (n_times,)
        In LJ units.
    generations : (n,)
        Features of generations up to this one.
    r_squared : (n, n_times)
        On held-out configurations, all their particles together.
    rest : (n, n_times)
        Pearson r between propensity and what the features leave unexplained of the prediction, mean over
        held-out configurations: above zero, the network knows what they (linearly) do not say. nan where
        propensities are missing.
    """

    times: FloatArray
    generations: list[int] = field(repr=False)
    r_squared: FloatArray
    rest: FloatArray


def explained(
    predictor: SE3Predictor,
    train: Sequence[Glass],
    test: Sequence[Glass],
    options: FeatureOptions | None = None,
    *,
    particle_type: str = "A",
) -> Explained:
    """Ridge regression from expert features, of more and more generations, to a network's prediction.

    Parameters
    ----------
    predictor :
        Fitted; it stays as it is.
    train :
        Configurations the regression is fitted to, two at least: the last one chooses the penalty. Their
        propensity is not used.
    test :
        Configurations held out.
    options :
        Expert features; by default all that fit into the box.
    particle_type :
        Particles that are looked at.

    Raises
    ------
    GlassError
        When there are too few configurations, or the predictor is not fitted.
    """
    _require_enough(train, test)
    options = options or FeatureOptions().within(train[0].box)
    parts, generation_of = [], np.zeros(0, dtype=int)
    for glass in [*train, *test]:
        mask = glass.is_type(particle_type)
        table = features(glass, options)
        generation_of = np.array([kind_of(name)[1] for name in table.names])
        parts.append(Part(table.values[mask], _predicted(predictor, glass)[mask]))
    generations = [int(generation) for generation in np.unique(generation_of)]
    shares, rests = [], []
    for generation in generations:
        chosen = generation_of <= generation
        cut = [Part(part.x[:, chosen], part.y) for part in parts]
        *fitted, aside = cut[: len(train)]
        read = fit_readout(fitted, aside)
        held = cut[len(train) :]
        shares.append(
            r_squared(
                np.concatenate([read.predict(x) for x, _ in held]), np.concatenate([y for _, y in held])
            )
        )
        left = [y - read.predict(x) for x, y in held]
        rests.append(_correlation_with_truth(left, test, particle_type))
    assert predictor.times is not None
    return Explained(predictor.times, generations, np.array(shares), np.array(rests))


def _predicted(predictor: SE3Predictor, glass: Glass) -> FloatArray:
    """The prediction ``(n_particles, n_times)``."""
    network = trained(predictor)
    with asked(network):
        out: FloatArray = network(graph(predictor, glass)).double().cpu().numpy()
    return out


def _correlation_with_truth(
    values: Sequence[FloatArray], glasses: Sequence[Glass], particle_type: str
) -> FloatArray:
    """Pearson r with the propensity ``(n_times,)``, mean over configurations."""
    if any(glass.propensity is None for glass in glasses):
        return np.full(values[0].shape[1], np.nan)
    common_times(glasses)
    each = [
        [pearson(*rows) for rows in zip(x.T, glass.require("propensity")[:, mask], strict=True)]
        for x, glass in zip(values, glasses, strict=True)
        for mask in [glass.is_type(particle_type)]
    ]
    mean: FloatArray = np.mean(each, axis=0)
    return mean


def _require_enough(train: Sequence[Glass], test: Sequence[Glass]) -> None:
    if len(train) < 2 or not test:
        raise GlassError(
            f"expected two configurations to fit to and one held out, got {len(train)} and {len(test)}",
            remedy="One of the first chooses the penalty",
        )
