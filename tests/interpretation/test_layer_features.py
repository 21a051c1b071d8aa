"""Invariants of layers: the ones the network itself uses, and invariant."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from e3nn import o3

from glasslib import GlassError
from glasslib.graph import build_graph
from glasslib.interpretation import layer_features
from glasslib.predictor import SE3Predictor
from glasslib.testing import assert_equivariant, assert_periodic, assert_permutation_equivariant


def test_they_are_what_the_network_reads(predictor, glass):
    network = predictor.network.eval()
    data = build_graph(glass, predictor.graph_options, dtype=torch.float64)
    found = layer_features(predictor, glass)
    assert list(found) == ["input", "layer 1", "layer 2", "layer 3", "embedding", "average 1", "average 2"]
    with torch.no_grad():
        last = torch.from_numpy(found["layer 3"].values)
        np.testing.assert_allclose(network.embed(last), found["embedding"].values, atol=1e-12)
        np.testing.assert_allclose(network.representation(data), found["average 2"].values, atol=1e-12)
        hidden = network.features(data)
    np.testing.assert_allclose(found["layer 3"].values[:, :6], hidden[:, :6], atol=1e-12)
    all_norms = o3.Norm("6x0e + 4x1o + 3x2e")(hidden)[:, 6:]
    np.testing.assert_allclose(found["layer 3"].values[:, 6:], all_norms, atol=1e-12)
    assert found["layer 3"].names[6:8] == ["l=1 channel 0", "l=1 channel 1"]


def test_the_inputs_come_first(predictor, glass):
    values = layer_features(predictor, glass)["input"].values
    np.testing.assert_array_equal(values[:, :2], np.eye(2)[glass.types])
    np.testing.assert_allclose(values[:, 2], glass.inherent_energies)
    moved = np.linalg.norm(glass.inherent_positions - glass.positions, axis=1)
    np.testing.assert_allclose(values[:, 3], moved, atol=1e-12)


def test_all_of_them_are_invariant_and_follow_relabelling(predictor, glass):
    def values(g):
        return np.concatenate([each.values for each in layer_features(predictor, g).values()], axis=1).T

    assert np.ptp(values(glass), axis=1).min() > 0
    assert_permutation_equivariant(values, glass, tolerance=1e-10)
    assert_periodic(values, glass, tolerance=1e-10)
    network = predictor.network.eval()
    data = build_graph(glass, predictor.graph_options, dtype=torch.float64)
    assert_equivariant(network.representation, data, tolerance=1e-10)


def test_asking_leaves_no_trace(predictor, glass):
    predictor.network.train()
    first, second = (layer_features(predictor, glass)["average 2"].values for _ in range(2))
    np.testing.assert_array_equal(first, second)  # no dropout
    assert predictor.network.training
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in predictor.network.modules())


def test_an_unfitted_predictor_is_refused(glass):
    with pytest.raises(GlassError, match="Call fit"):
        layer_features(SE3Predictor(), glass)
