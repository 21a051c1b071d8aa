"""Degrees taken away: nothing for none, no angles without l > 0, and no harm to the original."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from glasslib import GlassError
from glasslib.evaluation import evaluate
from glasslib.graph import build_graph
from glasslib.interpretation import ablate, ablation
from glasslib.testing import assert_equivariant


def graph_of(predictor, glass):
    return build_graph(glass, predictor.graph_options, dtype=torch.float64)


def with_other_directions(data, *, neighbors: bool = True, displacements: bool = True):
    """The same graph, every edge and every displacement turned by itself: distances stay."""
    torch.manual_seed(1)
    changed = data.clone()
    for name, turned in (("edge_vector", neighbors), ("vectors", displacements)):
        if turned:
            values = getattr(data, name)
            aside = torch.randn_like(values)
            aside = aside / aside.norm(dim=-1, keepdim=True) * values.norm(dim=-1, keepdim=True)
            setattr(changed, name, aside)
    return changed


def outputs(network, *graphs):
    with torch.no_grad():
        return [network.eval()(data) for data in graphs]


@pytest.mark.parametrize("where", ["harmonics", "features", "inputs"])
def test_nothing_taken_away_changes_nothing(predictor, glass, where):
    data = graph_of(predictor, glass)
    (before,), (after,) = (
        outputs(predictor.network, data),
        outputs(ablate(predictor.network, (), where), data),
    )
    assert torch.equal(before, after)


@pytest.mark.parametrize("where", ["harmonics", "features"])
@pytest.mark.parametrize("degree", [0, 1, 2])
def test_every_degree_matters_and_the_original_stays(predictor, glass, where, degree):
    data = graph_of(predictor, glass)
    (before,) = outputs(predictor.network, data)
    without = ablate(predictor.network, degree, where)
    (after,) = outputs(without, data)
    assert (after - before).abs().max() > 1e-6
    assert torch.equal(outputs(predictor.network, data)[0], before)
    assert_equivariant(without, data, tolerance=1e-10)


def test_without_features_of_any_direction_no_angle_counts(predictor, glass):
    data = graph_of(predictor, glass)
    other = with_other_directions(data)
    one, two = outputs(predictor.network, data, other)
    assert (one - two).abs().max() > 1e-3
    one, two = outputs(ablate(predictor.network, (1, 2), "features"), data, other)
    torch.testing.assert_close(one, two, rtol=0, atol=1e-12)
    one, two = outputs(ablate(predictor.network, 1, "features"), data, other)
    assert (one - two).abs().max() > 1e-6


def test_without_harmonics_directions_to_neighbours_do_not_count(predictor, glass):
    """Those of displacements still do, unlike without features."""
    data = graph_of(predictor, glass)
    blind = ablate(predictor.network, (1, 2), "harmonics")
    one, two = outputs(blind, data, with_other_directions(data, displacements=False))
    torch.testing.assert_close(one, two, rtol=0, atol=1e-12)
    one, two = outputs(blind, data, with_other_directions(data, neighbors=False))
    assert (one - two).abs().max() > 1e-6


def test_without_the_displacement_as_input_its_direction_and_length_do_not_count(predictor, glass):
    """Directions to neighbours still do; and features of l = 1 remain, which they make."""
    data = graph_of(predictor, glass)
    without = ablate(predictor.network, 1, "inputs")
    none = data.clone()
    none.vectors = torch.zeros_like(data.vectors)
    (expected,) = outputs(predictor.network, none)
    for one in outputs(without, data, none):
        torch.testing.assert_close(one, expected, rtol=0, atol=1e-12)
    (fewer,) = outputs(ablate(without, 1, "features"), data)
    assert (fewer - expected).abs().max() > 1e-6
    one, two = outputs(without, data, with_other_directions(data, displacements=False))
    assert (one - two).abs().max() > 1e-6


def test_harmonics_of_zero_are_weights_of_zero(predictor, glass, monkeypatch):
    """Taking a degree away by the weights equals setting the harmonics themselves to zero."""
    from glasslib.equivariant import network as module

    data = graph_of(predictor, glass)
    (expected,) = outputs(ablate(predictor.network, 2), data)
    real = module.neighborhoods

    def without(*args, **kwargs):
        around = real(*args, **kwargs)
        for block in around:
            block.harmonics[..., 4:9] = 0
        return around

    monkeypatch.setattr(module, "neighborhoods", without)
    torch.testing.assert_close(outputs(predictor.network, data)[0], expected, rtol=0, atol=1e-12)


def test_the_table_says_what_is_left(predictor, glasses):
    whole = evaluate(predictor_in_float32(predictor), glasses[:2]).mean
    rows = ablation(predictor, glasses[:2], [("harmonics", ()), ("harmonics", (1,)), ("features", (0, 1, 2))])
    nothing, one, everything = rows
    np.testing.assert_allclose(nothing.r, whole, atol=1e-4)
    assert (nothing.drop == 0).all()
    assert (nothing.r_squared == 1).all()
    np.testing.assert_allclose(nothing.agreement, 1)
    np.testing.assert_allclose(one.r + one.drop, whole, atol=1e-4)
    assert (one.agreement < 1 - 1e-6).all()
    assert (one.r_squared < 1).all()
    # a network that is shown nothing says the same of everyone
    np.testing.assert_array_equal(everything.r, 0)
    assert (everything.r_squared < 1e-10).all()


def predictor_in_float32(predictor):
    import copy

    other = copy.copy(predictor)
    other.network = copy.deepcopy(predictor.network).float()
    return other


def test_by_default_every_angular_degree_and_all_of_them(predictor, glasses):
    rows = ablation(predictor, glasses[:1])
    assert [(row.where, row.degrees) for row in rows] == [
        (where, degrees) for where in ("harmonics", "features") for degrees in ((1,), (2,), (1, 2))
    ] + [("inputs", (1,))]


def test_unknown_degrees_places_and_times_are_refused(predictor, glasses):
    with pytest.raises(GlassError, match=r"\[0, 1, 2\]"):
        ablate(predictor.network, 3)
    with pytest.raises(GlassError, match=r"\[0, 1\]"):
        ablate(predictor.network, 2, "inputs")
    with pytest.raises(GlassError, match="where"):
        ablate(predictor.network, 1, "weights")
    with pytest.raises(GlassError, match="times"):
        ablation(predictor, [glass.at_times([1.0]) for glass in glasses])
