"""What else end points tell: the numbers, how they turn, and a network that learns them too."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from e3nn import o3
from scipy.spatial.transform import Rotation

from glasslib import GlassError, train
from glasslib.equivariant import NetworkOptions
from glasslib.equivariant.law import law
from glasslib.graph import GraphOptions, build_graph
from glasslib.motion import HOP, MotionHeads, add_motion, motion
from glasslib.predictor import SE3Predictor
from glasslib.training import TrainingOptions
from tests.test_bonds import moving

GRAPH = GraphOptions(cutoff=1.8, averaging_cutoff=0)
NETWORK = NetworkOptions(hidden="8x0e + 4x1o + 2x2e", n_layers=2, n_radial=5, n_averages=0, width=8)


def predictor(weight=0.5, **training):
    options = TrainingOptions(**{"epochs": 3, "learning_rate": 0.02, **training})
    return SE3Predictor(GRAPH, NETWORK, options, motion_weight=weight)


def test_it_is_what_the_words_say():
    glass = moving()
    found = motion(glass)
    moved = glass.end_positions - glass.positions
    for t in range(2):
        where = glass.positions + moved[t].mean(0) - glass.inherent_positions
        where -= glass.box * np.round(where / glass.box)
        np.testing.assert_allclose(found.drift[:, t], where, atol=1e-12)
        far = sum(np.linalg.norm(one, axis=1) > HOP for one in moved[t]) / 3
        np.testing.assert_array_equal(found.hops[:, t], far)
        assert 0 < far.mean() < 1
        for particle in range(5):
            covariance = np.cov(moved[t, :, particle].T, bias=True)
            traceless = covariance - np.trace(covariance) / 3 * np.eye(3)
            size = np.sqrt(1.5 * (traceless**2).sum()) / np.trace(covariance)
            assert np.linalg.norm(found.anisotropy[particle, t]) == pytest.approx(size, abs=1e-12)


def test_it_turns_with_the_particles():
    glass, turn = moving(), Rotation.random(random_state=1).as_matrix()
    # the box cannot be turned: thermal positions and end points are, each about the inherent position
    inherent = glass.inherent_positions
    to_ends = glass.end_positions - glass.positions - glass.displacement()
    turned = glass.replace(
        positions=inherent - glass.displacement() @ turn.T, end_positions=inherent + to_ends @ turn.T
    )
    before, after = motion(glass), motion(turned)
    np.testing.assert_allclose(after.drift, before.drift @ turn.T, atol=1e-12)
    wigner = law("2e", torch.tensor(turn)).numpy()
    np.testing.assert_allclose(after.anisotropy, before.anisotropy @ wigner.T, atol=1e-12)
    np.testing.assert_array_equal(after.hops, before.hops)


def test_targets_are_in_units_of_their_spread_by_type():
    glass = moving()
    data = add_motion(build_graph(glass, GRAPH, dtype=torch.float64), glass)
    for number in (0, 1):
        of_type = data.types == number
        for name in ("drift", "anisotropy"):
            square = data[name][of_type].pow(2).sum(-1).mean(0)
            torch.testing.assert_close(square, torch.ones(2, dtype=torch.float64))
        torch.testing.assert_close(
            data.hops[of_type].std(0, correction=0), torch.ones(2, dtype=torch.float64)
        )
        assert data.hops[of_type].mean(0).abs().max() < 1e-12


def test_nobody_hops_at_short_times():
    glass = moving()
    ends = glass.positions + 1e-3 * (glass.end_positions - glass.positions)
    data = add_motion(build_graph(glass, GRAPH), glass.replace(end_positions=ends))
    assert (data.hops == 0).all()
    assert torch.isfinite(data.drift).all()


def test_the_heads_turn_with_the_features():
    torch.manual_seed(0)
    heads = MotionHeads(NETWORK.hidden, 8, 2).double()
    irreps, turn = o3.Irreps(NETWORK.hidden), -o3.rand_matrix(dtype=torch.float64)
    features, known = irreps.randn(20, -1, dtype=torch.float64), torch.randn(20, 8, dtype=torch.float64)
    types = torch.arange(20) % 2
    before = heads(features, known, types)
    after = heads(features @ law(irreps, turn).T, known, types)
    expected = {"drift": (20, 2, 3), "anisotropy": (20, 2, 5), "hops": (20, 2)}
    assert {name: tuple(said.shape) for name, said in before.items()} == expected
    for name, irrep in (("drift", "1o"), ("anisotropy", "2e")):
        torch.testing.assert_close(after[name], before[name] @ law(irrep, turn).T, rtol=0, atol=1e-12)
    assert torch.equal(after["hops"], before["hops"])


def test_saying_nothing_costs_one_for_each():
    glass = moving()
    data = add_motion(build_graph(glass, GRAPH), glass)
    heads = MotionHeads(NETWORK.hidden, 8, 2)
    for parameter in heads.parameters():
        torch.nn.init.zeros_(parameter)
    loss = heads.loss(torch.randn(120, o3.Irreps(NETWORK.hidden).dim), torch.randn(120, 8), data)
    assert loss.item() == pytest.approx(3, rel=1e-5)


def test_the_network_learns_otherwise_and_is_saved_as_any_other(tmp_path):
    glasses = [moving(seed) for seed in range(3)]
    with_motion = predictor().fit(glasses, progress=False)
    without = predictor(0.0).fit(glasses, progress=False)
    assert with_motion.n_parameters == without.n_parameters
    assert np.abs(with_motion.predict(glasses[0]) - without.predict(glasses[0])).max() > 1e-4
    with_motion.save(tmp_path / "model.pt")
    again = SE3Predictor.load(tmp_path / "model.pt")
    assert again.motion_weight == 0.5
    bare = glasses[0].replace(end_positions=None, propensity=None)
    np.testing.assert_array_equal(again.predict(bare), with_motion.predict(glasses[0]))


def test_cut_off_it_goes_on_to_the_same_end(tmp_path):
    glasses = [moving(seed) for seed in range(3)]
    whole = predictor().fit(glasses, progress=False)

    class Cut(Exception):
        pass

    def stop(progress):
        if len(progress.history) == 2:
            raise Cut

    with pytest.raises(Cut):
        predictor().fit(glasses, directory=tmp_path, progress=False, watch=stop)
    resumed = predictor().fit(glasses, directory=tmp_path, progress=False)
    np.testing.assert_array_equal(resumed.predict(glasses[0]), whole.predict(glasses[0]))


def test_what_makes_no_sense_is_refused():
    with pytest.raises(GlassError, match="motion_weight: expected 0 or more"):
        predictor(-1.0)
    with pytest.raises(GlassError, match="bonds or motion"):
        SE3Predictor(GRAPH, NETWORK, motion_weight=0.5, node_weight=0.4)
    with pytest.raises(GlassError, match="end_positions"):
        predictor().fit([moving(seed).replace(end_positions=None) for seed in range(3)], progress=False)
    with pytest.raises(GlassError, match="--motion-weight does not apply to botan"):
        train.make_predictor(train.parser().parse_args(["botan", "--motion-weight", "0.5"]))


def test_its_name_in_tables():
    options = train.parser().parse_args(["se3", "--motion-weight", "0.3"])
    assert train.make_predictor(options).motion_weight == 0.3
    assert train.label(options) == "SE(3) network with motion, inherent"
