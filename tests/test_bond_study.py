"""The study of bonds as targets, on small made-up configurations."""

from __future__ import annotations

import numpy as np
import pytest

from glasslib import train
from glasslib.evaluation import ceiling
from glasslib.graph import GraphOptions
from glasslib.results import bonds as study
from glasslib.results import studies
from glasslib.simulate import bonds as stretched
from tests.test_bonds import SMALL, keeping_bonds, moving


@pytest.fixture
def small(monkeypatch):
    """Four configurations to learn from, two to test, one of them with bonds."""

    def known(seed):
        glass = keeping_bonds(moving(seed))
        return glass.replace(propensity_halves=np.stack([glass.propensity * 0.9, glass.propensity * 1.1]))

    tests = [known(10), known(11)]
    split = {"train": [known(seed) for seed in range(4)], "test": tests[:1]}
    monkeypatch.setattr(stretched, "shipped", lambda name: split[name])
    monkeypatch.setattr(train, "load", lambda *_: [glass.replace(bonds=None) for glass in tests])
    monkeypatch.setattr(study, "bond_ceiling", lambda _, tests: ceiling(tests))
    monkeypatch.setattr(study, "PASSES", {"BOTAN": 2, "twin": 2})
    monkeypatch.setattr(study, "NETWORK", SMALL)
    shown = GraphOptions("thermal", energy=False, displacement=False, averaging_cutoff=2.2)
    monkeypatch.setattr(study, "GRAPH", shown)
    return split


def test_every_way_is_scored_on_what_it_learned_and_finished_fits_stay(small, tmp_path):
    scores = study.bonds(tmp_path, progress=False)
    for kind in ("BOTAN", "twin"):
        for way, learned in (
            ("p = 1", {"particles"}),
            ("p = 0.4", {"particles", "bonds"}),
            ("p = 0", {"bonds"}),
            ("p = 0.4 after p = 0", {"particles", "bonds"}),
        ):
            for seed in study.SEEDS[kind]:
                known = {w for w in ("particles", "bonds") if f"{kind}; {way}; {w}; seed {seed}" in scores}
                assert known == learned
    for name, score in scores.items():
        assert score.each.shape == (2 if "particles" in name else 1, 2)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("history.json")}
    assert len(before) == 3 * 5  # BOTAN once, its twin twice
    first, second = (scores[f"twin; p = 1; particles; seed {seed}"].each for seed in (0, 1))
    assert (first != second).any()
    again = study.bonds(tmp_path, progress=False)
    for name, score in scores.items():
        np.testing.assert_array_equal(again[name].each, score.each)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("history.json")} == before


def test_after_bonds_alone_it_sets_out_from_their_weights(small, tmp_path, monkeypatch):
    starts = []
    fit = study.InteractionPredictor.fit

    def spy(self, glasses, **options):
        starts.append((self.node_weight, self.training_options.epochs, options["start"] is not None))
        return fit(self, glasses, **options)

    monkeypatch.setattr(
        study.InteractionPredictor, "fit", lambda self, g, **o: spy(self, g, **{"start": None} | o)
    )
    study.fitted("BOTAN", None, small["train"], tmp_path)
    study.fitted("BOTAN", 1.0, small["train"], tmp_path)
    assert starts == [(0.0, 1, False), (0.4, 1, True), (1.0, 2, False)]


def test_what_the_length_tells_is_a_fit_to_training_bonds_alone(small):
    found = study.by_length(small["train"], small["test"])
    length, truth = (np.concatenate(x, axis=-1) for x in zip(*map(study.scored, small["train"]), strict=True))
    own, known = study.scored(small["test"][0])
    assert own.max() < 1.35
    for t in range(2):
        design = np.vander(length - 1, study.DEGREE + 1)
        weights = np.linalg.lstsq(design, truth[t], rcond=None)[0]
        said = np.vander(own - 1, study.DEGREE + 1) @ weights
        assert found.mean[t] == pytest.approx(np.corrcoef(said, known[t])[0, 1], abs=1e-6)


def test_it_is_one_of_the_studies():
    assert studies.STUDIES["bonds"].command == "python -m glasslib.results make bonds"
