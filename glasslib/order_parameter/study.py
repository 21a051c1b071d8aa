"""The order parameter beside everything that it should be held against, on many configurations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from glasslib.errors import GlassError
from glasslib.evaluation import Score, ceiling, common_times, pearson, score
from glasslib.features import (
    FeatureOptions,
    averaged_steinhardt,
    coarse_grain,
    features,
    nearest_neighbors,
    steinhardt,
    voronoi_cells,
)
from glasslib.glass import FloatArray, Glass
from glasslib.interpretation import layer_features
from glasslib.order_parameter.components import Component, principal_component, untrained
from glasslib.order_parameter.correlations import (
    CorrelationLength,
    SpatialCorrelation,
    correlation_length,
    spatial_correlation,
)
from glasslib.predictor import SE3Predictor

#: The field that the others are held against.
LEADING = "order parameter"
#: Where the fields lie that are components: name, table, number.
COMPONENTS = (
    (LEADING, "network", 0),
    ("second component", "network", 1),
    ("component of predictions", "predictions", 0),
    ("untrained network", "untrained", 0),
    ("expert features", "expert", 0),
)
#: Expert features whose leading component is taken: those with which ridge does best, without bond order.
EXPERT = FeatureOptions(angular=())
#: Bins of the distributions, in units of the spread at the state point where the field was fixed.
BINS = np.linspace(-5.0, 7.0, 61)

Tables = dict[str, NDArray[np.floating]]


@dataclass(frozen=True, eq=False)
class Study:
    """What :func:`study` finds.

    Attributes
    ----------
    scores : dict
        Of every field against the propensity at all times, and ``"ceiling"`` where known.
    about : dict
        JSON-like: ``shares`` of the variance by component; ``alignment``, the cosine between the
        order parameter's direction and that fixed on these configurations instead; for each field
        ``with_order_parameter``, Pearson r by configuration; whatever
        :class:`glasslib.order_parameter.CorrelationLength` holds, for each field and
        ``"propensity, t = ..."`` (from the two halves of the replicas) and ``"..., raw"`` (from all of them);
        their ``curves`` over ``r``; ``means`` and ``spreads`` of the ``propensity`` by configuration and
        time; the ``distribution`` of the order parameter.
    """

    scores: dict[str, Score]
    about: dict[str, Any]


def study(
    predictor: SE3Predictor,
    fixed_on: Sequence[Glass],
    glasses: Sequence[Glass],
    also: Sequence[Glass] = (),
    *,
    particle_type: str = "A",
    seed: int = 0,
    progress: bool = False,
) -> Study:
    """Measure the order parameter and its controls.

    Besides the order parameter: the ``"second component"``; the ``"component of predictions"``, the leading
    one of the network's standardised predictions at all times, a bottleneck of one number; the leading
    components of the ``"untrained network"`` and of standardised ``"expert features"``; the predictions;
    single expert features; and ``"averaged noise"``, random numbers averaged over neighbours as often as the
    network averages, which shows what averages alone do to a length.

    Parameters
    ----------
    predictor :
        Fitted.
    fixed_on :
        Configurations that fix the components. The signs of the two controls without predictions come from
        their propensity; of the others, from predictions.
    glasses :
        Configurations measured. Their propensity fixes nothing.
    also :
        Others of the same state point, for example those of training, that add to the lengths of the
        propensity and to nothing else.
    particle_type :
        Particles that count.
    seed :
        Of the untrained network and the noise.
    progress :
        Show bars.

    Raises
    ------
    GlassError
        When there are no configurations, times differ, or one lacks halves of the propensity.
    """
    if not fixed_on:
        raise GlassError("no configurations were given", field="fixed_on")
    times = common_times([*glasses, *also])
    control, rng = untrained(predictor, seed), np.random.default_rng(seed)
    before = [_tables(predictor, control, glass, particle_type) for glass in _bar(fixed_on, "fix", progress)]
    truths = [glass.require("propensity")[:, glass.is_type(particle_type)] for glass in fixed_on]
    components = fix_components(before, truths)

    tables, fields, found = [], [], []
    for glass in _bar(glasses, "measure", progress):
        tables.append(_tables(predictor, control, glass, particle_type))
        fields.append(_fields(glass, predictor, tables[-1], components, particle_type, rng))
        found.append(spatial_correlation(glass, [*fields[-1].values()], particle_type=particle_type))
    names = list(fields[0])
    scores = {
        name: score(
            [
                np.broadcast_to(each[name], (len(times), len(glass)))
                for each, glass in zip(fields, glasses, strict=True)
            ],
            glasses,
            particle_type=particle_type,
        )
        for name in names
    }
    scores["ceiling"] = ceiling(glasses, particle_type=particle_type)
    again = principal_component(
        [each["network"] for each in tables], [each["predictions"].T for each in tables]
    )
    leading = components[LEADING]
    cosine = again.direction @ leading.direction
    cosine /= np.linalg.norm(again.direction) * np.linalg.norm(leading.direction)
    inside = [glass.is_type(particle_type) for glass in glasses]
    known = [(glass, glass.is_type(particle_type)) for glass in (*glasses, *also)]
    values = [each[LEADING][mask] for each, mask in zip(fields, inside, strict=True)]
    about = {
        "shares": {name: _rounded(component.shares[:6]) for name, component in components.items()},
        "alignment": round(float(cosine), 4),
        "with_order_parameter": {
            name: _rounded(
                [pearson(each[name][mask], x) for each, mask, x in zip(fields, inside, values, strict=True)]
            )
            for name in names[1:]
        },
        **_lengths(names, found, times, [*glasses, *also], particle_type, progress),
        "propensity": {
            "means": [_rounded(glass.require("propensity")[:, mask].mean(1)) for glass, mask in known],
            "spreads": [_rounded(glass.require("propensity")[:, mask].std(1)) for glass, mask in known],
        },
        "distribution": {
            "edges": _rounded(BINS),
            "counts": np.histogram(np.concatenate(values), BINS)[0].tolist(),
            "means": _rounded([x.mean() for x in values]),
            "spreads": _rounded([x.std() for x in values]),
        },
    }
    return Study(scores, about)


def fix_components(tables: Sequence[Tables], truths: Sequence[NDArray[np.floating]]) -> dict[str, Component]:
    """Each of :data:`COMPONENTS` from tables of the particles ``(n, n_columns)``, by configuration."""
    predicted = [table["predictions"].T for table in tables]
    return {
        name: principal_component(
            [table[source] for table in tables],
            predicted if source in ("network", "predictions") else truths,
            number=number,
            standardize=source in ("predictions", "expert"),
        )
        for name, source, number in COMPONENTS
    }


def _tables(predictor: SE3Predictor, control: SE3Predictor, glass: Glass, particle_type: str) -> Tables:
    """Everything of which components are taken, for the particles that count ``(n, n_columns)``."""
    found: Tables = {
        "network": list(layer_features(predictor, glass).values())[-1].values,
        "predictions": predictor.predict(glass).T,
        "untrained": list(layer_features(control, glass).values())[-1].values,
        "expert": features(glass, EXPERT.within(glass.box)).values,
    }
    mask = glass.is_type(particle_type)
    return {name: table[mask] for name, table in found.items()}


def _fields(
    glass: Glass,
    predictor: SE3Predictor,
    tables: Tables,
    components: Mapping[str, Component],
    particle_type: str,
    rng: np.random.Generator,
) -> dict[str, FloatArray]:
    """All fields ``(n_particles,)``; components and predictions are 0 for particles that do not count."""
    mask = glass.is_type(particle_type)
    found = {name: components[name].values(tables[source]) for name, source, _ in COMPONENTS}
    assert predictor.times is not None
    for time, row in zip(predictor.times, tables["predictions"].T, strict=True):
        found[f"prediction, t = {time:g}"] = row
    full: dict[str, FloatArray] = {name: np.zeros(len(glass)) for name in found}
    for name, values in found.items():
        full[name][mask] = values
    return full | _single(glass, predictor, rng)


def _single(glass: Glass, predictor: SE3Predictor, rng: np.random.Generator) -> dict[str, FloatArray]:
    """Single expert features, in the inherent structure, and averaged noise."""
    positions, box = glass.positions_in("inherent"), glass.box
    options = predictor.graph_options
    bare = {
        "displacement": np.linalg.norm(glass.displacement(), axis=1),
        "energy": glass.energies_in("inherent"),
        "noise": rng.normal(size=len(glass)),
    }
    averages = coarse_grain(
        np.stack(list(bare.values()), axis=1),
        positions,
        box,
        generations=predictor.network_options.n_averages,
        length=options.averaging_length,
        cutoff=options.averaging_cutoff,
        source=glass.source,
    )
    found = {name: bare[name] for name in ("displacement", "energy")}
    found |= {f"averaged {name}": column for name, column in zip(bare, averages[-1].T, strict=True)}
    pairs = nearest_neighbors(positions, box, 12)
    found["Voronoi volume"] = voronoi_cells(positions, box)[1]
    found["q6"] = steinhardt(positions, box, 6, pairs)
    found["averaged q6"] = averaged_steinhardt(positions, box, 6, pairs)
    return found


def _lengths(
    names: Sequence[str],
    of_fields: Sequence[SpatialCorrelation],
    times: FloatArray,
    glasses: Sequence[Glass],
    particle_type: str,
    progress: bool,
) -> dict[str, Any]:
    """Lengths and curves of the fields and, on more configurations, of the propensity."""
    of_propensity = []
    for glass in _bar(glasses, "propensity", progress):
        (first, second), whole = glass.require("propensity_halves"), glass.require("propensity")
        one, other = np.concatenate([first, whole]), np.concatenate([second, whole])
        of_propensity.append(spatial_correlation(glass, one, other, particle_type=particle_type))
    labels = [f"propensity, t = {t:g}{kind}" for kind in ("", ", raw") for t in times]
    about: dict[str, Any] = {key: {} for key in (*CorrelationLength._fields, "curves")}
    for each, parts in ((names, of_fields), (labels, of_propensity)):
        found, every = correlation_length(parts), SpatialCorrelation.mean(parts)
        shown = every.n_pairs > 0
        about["r"] = _rounded(every.r[shown])
        for key in CorrelationLength._fields:
            about[key] |= dict(zip(each, _rounded(getattr(found, key)), strict=True))
        curves = [_rounded(row) for row in every.normalized[:, shown]]
        about["curves"] |= dict(zip(each, curves, strict=True))
    return about


def _rounded(values: Any) -> list[float | None]:
    """To four decimals; None for nan, which JSON does not know."""
    return [round(float(value), 4) if np.isfinite(value) else None for value in values]


def _bar(glasses: Sequence[Glass], text: str, progress: bool) -> Any:
    return tqdm(glasses, desc=text, disable=not progress)
