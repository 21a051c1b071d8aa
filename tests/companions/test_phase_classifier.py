"""The classifier of hot and cold, its maps, and the liquids it learns from."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glasslib import Glass, GlassError, catalog
from glasslib.companions import phase_classifier as pc
from glasslib.companions.phase_classifier import liquids, shelf
from glasslib.glass import minimum_image
from glasslib.simulate import measure
from glasslib.testing import assert_equivariant, assert_permutation_equivariant

SMALL = {"steps": 1, "cluster": 8}


def lattice(rattling: float, seed: int, n: int = 6) -> Glass:
    """A cubic lattice whose particles are displaced at random: hotter, the further."""
    rng = np.random.default_rng(seed)
    sites = np.stack(np.meshgrid(*[np.arange(n)] * 3), -1).reshape(-1, 3) + 0.5
    positions = sites + rng.normal(0, rattling, sites.shape)
    return Glass(positions, (np.arange(n**3) % 5 == 0).astype(np.int8), [n] * 3, inherent_positions=positions)


@pytest.mark.parametrize("kind", ["se3", "point"])
def test_the_mean_of_the_map_is_the_answer_and_grad_cam_agrees(glass, kind):
    classifier = pc.PhaseClassifier(pc.ClassifierOptions(kind)).eval()
    cam = classifier.activation(glass)
    features = classifier.features(classifier.graph(glass))
    logit = classifier.logits(features)
    assert cam.std() > 1e-4
    assert cam.mean() == pytest.approx(logit.item(), abs=1e-5)
    by_gradient = len(glass) * pc.grad_cam(features, logit).numpy()
    np.testing.assert_allclose(by_gradient - by_gradient.mean(), cam - cam.mean(), atol=1e-5)
    some = torch.tensor([[3, 1, 4], [1, 5, 9]])
    np.testing.assert_allclose(classifier.logits(features, some).detach(), cam[some].mean(1), atol=1e-5)


def test_grad_cam_against_finite_differences_where_it_is_not_exact():
    torch.manual_seed(0)
    features = torch.randn(30, 4, dtype=torch.float64, requires_grad=True)
    w = torch.randn(4, dtype=torch.float64)

    def answer(h):
        return (torch.tanh(h) ** 2 @ w).mean() + (h @ w).amax()

    alpha = []
    for channel in range(4):
        step = torch.zeros(4, dtype=torch.float64)
        step[channel] = 1e-6
        alpha.append((answer(features + step) - answer(features - step)).item() / 2e-6 / 30)
    found = pc.grad_cam(features, answer(features))
    np.testing.assert_allclose(found, features.detach().numpy() @ alpha, atol=1e-7)


def test_grad_cam_refuses_what_has_no_particles():
    features = torch.ones(3, 2, requires_grad=True)
    with pytest.raises(GlassError, match="one logit"):
        pc.grad_cam(features, features.sum(0))


def test_symmetries(glass):
    se3, point = (pc.PhaseClassifier(pc.ClassifierOptions(kind)).eval() for kind in ("se3", "point"))
    for classifier in (se3, point):
        assert_permutation_equivariant(lambda g, c=classifier: c.activation(g)[None], glass)
    graph = se3.graph(glass)
    assert_equivariant(se3.features, graph)
    with pytest.raises(AssertionError):  # the plain network has to learn it
        assert_equivariant(point.features, graph)


def test_nothing_but_positions_and_types_is_shown(glass):
    bare = Glass(glass.positions, glass.types, glass.box, inherent_positions=glass.inherent_positions)
    for structure in ("inherent", "thermal"):
        classifier = pc.PhaseClassifier(pc.ClassifierOptions("point", structure))
        np.testing.assert_array_equal(classifier.activation(glass), classifier.activation(bare))
    with pytest.raises(GlassError, match="inherent_positions"):
        pc.PhaseClassifier().activation(glass.replace(inherent_positions=None))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 50), st.integers(0, 1000))
def test_clusters_are_nearest_neighbours_through_the_boundary(size, seed):
    rng = np.random.default_rng(seed)
    box = np.array([3.0, 4.0, 5.0])
    positions = rng.uniform(-5, 9, (50, 3))
    for found in pc.clusters(positions, box, size, 3, rng):
        distance = np.linalg.norm(minimum_image(positions - positions[found[0]], box), axis=1)
        assert distance[found[0]] == 0
        assert len(set(found)) == size
        np.testing.assert_allclose(np.sort(distance[found]), np.sort(distance)[:size], atol=1e-12)


def test_clusters_refuse_more_particles_than_there_are():
    with pytest.raises(GlassError, match="expected 1 to 5"):
        pc.clusters(np.eye(5, 3), [2, 2, 2], 6, 1, np.random.default_rng(0))


@pytest.mark.parametrize("kind", ["se3", "point"])
def test_it_learns_what_can_be_learned(kind):
    """Lattices that shake more, on average one particle like another: judged right when unseen."""
    hot, cold = [[lattice(r, seed) for seed in range(3)] for r in (0.12, 0.06)]
    options = pc.ClassifierOptions(kind, steps=60, cluster=16)
    classifier, losses = pc.train(hot[:2], cold[:2], options, n_clusters=64, progress=False)
    assert np.mean(losses[-10:]) < 0.3 < losses[0]
    unseen = [hot[2], cold[2]]
    maps = [classifier.activation(glass) for glass in unseen]
    assert pc.accuracy(maps, unseen, [True, False], "inherent", 16) > 0.9
    swapped = pc.accuracy(maps, unseen, [False, True], "inherent", 16)
    assert swapped == pytest.approx(1 - pc.accuracy(maps, unseen, [True, False], "inherent", 16))
    lost, _ = pc.train(cold[:1], cold[1:2], options, n_clusters=64, progress=False)
    same = [lost.activation(glass) for glass in unseen[1:] * 2]
    assert pc.accuracy(same, unseen[1:] * 2, [True, False], "inherent", 216) == pytest.approx(0.5)


def test_accuracy_counts_both_classes_alike():
    """Three cold configurations, one of them judged wrong, and a hot one judged right: (1 + 2/3) / 2."""
    glasses, ones = [lattice(0.1, seed) for seed in range(4)], np.ones(216)
    maps = [ones, -ones, -ones, ones]
    found = pc.accuracy(maps, glasses, [True, False, False, False], "thermal", 5, number=7)
    assert found == pytest.approx(5 / 6)
    with pytest.raises(GlassError, match="both"):
        pc.accuracy(maps, glasses, [True] * 4, "thermal", 5)


def test_the_same_seed_gives_the_same_network():
    glasses, options = [lattice(0.1, 0)], pc.ClassifierOptions("point", seed=3, **SMALL)
    first, second = (pc.train(glasses, glasses, options, progress=False) for _ in range(2))
    assert first[1] == second[1]
    np.testing.assert_array_equal(first[0].activation(glasses[0]), second[0].activation(glasses[0]))


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"kind": "cnn"}, "kind"), ({"structure": "both"}, "structure"), ({"cluster": 0}, "cluster")],
)
def test_options_are_checked(wrong, field):
    with pytest.raises(GlassError, match=field):
        pc.ClassifierOptions(**wrong)
    with pytest.raises(GlassError, match="at least one"):
        pc.train([], [])


def test_the_liquids_that_ship_are_hot():
    """Their positions alone tell the temperature (Rugh), and no forces are left in inherent structures."""
    for split, number in liquids.NUMBERS.items():
        found = pc.hot_liquids(split)
        assert len(found) == number
    glass = found[0]
    cold = catalog.load("bundled", "test", temperature=0.64)[0]
    assert glass.density == pytest.approx(cold.density)
    np.testing.assert_array_equal(np.sort(glass.types), np.sort(cold.types))
    temperature = measure.configurational_temperature(glass.positions, glass.types, glass.box)
    assert temperature == pytest.approx(1.0, rel=0.04)
    force = [
        np.sqrt((measure.force_and_curvature(glass.positions_in(s), glass.types, glass.box)[0] ** 2).mean())
        for s in ("thermal", "inherent")
    ]
    assert force[1] < 0.01 * force[0]
    assert glass.provenance["train"]["protocol"]["temperature"] == 1.0
    with pytest.raises(GlassError, match="validation"):
        pc.hot_liquids("validation")


def test_making_liquids(tmp_path, monkeypatch):
    monkeypatch.setattr(liquids, "folder", lambda: tmp_path)
    liquids.make(tmp_path / "liquids.npz", {"train": 1, "test": 2}, particles=200)
    train, test = (pc.hot_liquids(split) for split in ("train", "test"))
    assert [len(glass) for glass in (*train, *test)] == [200] * 3
    again = Glass(test[0].positions, test[0].types, test[0].box)
    from glasslib.simulate import inherent_structure

    minimum = inherent_structure(again, cache=False)
    moved = minimum_image(minimum.inherent_positions - test[0].inherent_positions, again.box)
    assert np.median(np.linalg.norm(moved, axis=1)) < 0.01  # rounding may tip a few into another minimum


def test_the_networks_that_ship(tmp_path, monkeypatch):
    cold = catalog.load("bundled", "test", temperature=0.64)[0]
    first, second = pc.trained(), pc.trained(seed=1)
    assert first.options.name == "se3-inherent-0"
    assert not np.array_equal(first.activation(cold), second.activation(cold))
    with pytest.raises(GlassError, match="there are se3-inherent-0"):
        pc.trained(seed=99)
    monkeypatch.setattr(shelf, "folder", lambda: tmp_path)
    shelf.write([second])
    np.testing.assert_array_equal(pc.trained(seed=1).activation(cold), second.activation(cold))
    (tmp_path / "networks.pt").write_bytes(b"PK no zip")
    with pytest.raises(GlassError, match="not readable"):
        pc.trained()
