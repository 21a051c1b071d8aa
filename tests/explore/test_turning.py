"""What turns and what stays: checked against e3nn's law, in float64, and by a layer that breaks it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from glasslib import GlassError
from glasslib.explore import ConvolutionExplorer
from glasslib.explore.turning import INPUTS, Neighbourhood, TurnState, turning_figure

TURN = TurnState("convolution", y=40, x=-25, z=110)


def plain(features, graph):
    """Sums over neighbours of the components, as if they were scalars: no equivariant layer."""
    neighbor, center = graph.edge_index
    summed = torch.zeros(len(features), 3, dtype=features.dtype).index_add(0, center, graph.edge_vector)
    return torch.cat([summed, features[:, :1]], dim=1) + 0 * features[neighbor].sum()


plain.irreps_in, plain.irreps_out = INPUTS, "4x0e"


@pytest.fixture(scope="module")
def around():
    from tests.conftest import make_glass

    layers = {"plain": plain}
    from glasslib.explore.turning import package_layer

    return Neighbourhood(make_glass(), 9, {**layers, "convolution": package_layer()})


def bars(figure, degree):
    found = {trace.name: np.array(trace.y) for trace in figure.data}
    return found[f"l = {degree}"], found[f"l = {degree} by law"]


@pytest.mark.parametrize("inverted", [False, True])
def test_a_convolution_obeys_the_law(around, inverted):
    turn = TurnState("convolution", y=40, x=-25, z=110, inverted=inverted).matrix()
    assert np.linalg.det(turn) == pytest.approx(-1 if inverted else 1)
    found, law = around.output("convolution", turn), around.by_law("convolution", turn)
    assert (found - law).abs().max() < 1e-12
    assert (found - around.output("convolution", np.eye(3))).abs().max() > 0.01


def test_scalars_stay_and_the_rest_turns(around):
    still, turned = (turning_figure(around, state) for state in (TurnState("convolution"), TURN))
    np.testing.assert_allclose(bars(still, 0)[0], bars(turned, 0)[0], rtol=1e-3)
    for degree in (1, 2):
        before, after = bars(still, degree)[0], bars(turned, degree)[0]
        assert np.abs(before - after).max() > 0.1 * np.abs(before).max()
        assert np.linalg.norm(before) == pytest.approx(np.linalg.norm(after), rel=2e-3)
        np.testing.assert_allclose(after, bars(turned, degree)[1], rtol=1e-3)


def test_a_plain_layer_breaks_it(around):
    found, law = bars(turning_figure(around, TurnState("plain", y=90)), 0)
    assert np.abs(found - law).max() > 0.1 * np.abs(law).max()


def test_arrows_are_the_vectors_seen_from_the_front(around):
    traces = {trace.name: trace for trace in turning_figure(around, TurnState("convolution")).data}
    assert len(traces["arrows"].x) == 3 * len(around.vectors) == 3 * len(traces["ball"].x)
    assert "arrows" in {trace.name for trace in turning_figure(around, TURN).data}
    assert len(turning_figure(around, TurnState("plain")).data[1].x) == 0


def test_the_middle_particle_has_all_its_neighbours(around):
    assert np.linalg.norm(around.vectors[around.middle]) < 1e-12
    assert around.numbers[around.middle] == 9
    assert around.graph.num_nodes == len(around.vectors) == len(around.features)


def test_layers_of_another_kind_are_refused(glass):
    def other(features, graph):
        return features

    other.irreps_in, other.irreps_out = "2x0e", "2x0e"
    with pytest.raises(GlassError, match="3x0e"):
        Neighbourhood(glass, 0, {"other": other})
    other.irreps_in, other.irreps_out = INPUTS, "2x1o"
    with pytest.raises(GlassError, match="scalars first"):
        Neighbourhood(glass, 0, {"other": other})


def test_sliders_turn_it(glass, capfd):
    view = ConvolutionExplorer(glass, 9)
    pictures = [view._screen.panel.value]
    for name, value in (("y", 30), ("x", 60), ("z", -90), ("inverted", True)):
        view.controls[name].value = value
        pictures.append(view._screen.panel.value)
        assert getattr(view.state, name) == value
    assert len(set(pictures)) == 5
    assert [trace.name for trace in view.figure().data][:3] == ["ball", "arrows", "middle"]
    assert capfd.readouterr() == ("", "")
