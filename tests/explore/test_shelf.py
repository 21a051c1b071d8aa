"""What can be shown: configurations, predictions at the right times, features as the package has them."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from glasslib import GlassError
from glasslib.catalog import paths
from glasslib.explore.background import Later, Run
from glasslib.explore.shelf import COLOURINGS, Shelf
from glasslib.features import Shells, bond_order_parameters, coarse_grain, radial_densities
from tests.conftest import make_glass
from tests.explore.conftest import Stub

KEY = ("mine", "0.5", "1")


@pytest.fixture
def shelf(glasses, stub):
    return Shelf({"mine": glasses}, {"stub": stub})


def colouring(shelf, what, key=KEY, **more):
    shelf.colouring(what, key, **more)
    shelf.wait()
    return shelf.colouring(what, key, **more)


def test_data_sets_temperatures_names(shelf):
    assert shelf.data_sets()[:2] == ["mine", "bundled"]
    assert shelf.temperatures("mine") == ["0.5"]
    assert shelf.names("mine", "0.5") == ["1", "2"]
    assert "0.64" in shelf.temperatures("bundled")
    names = shelf.names("bundled", "0.64")
    assert names[:2] == ["test 1", "test 2"]
    assert len(names) == len(paths("bundled", temperature=0.64))
    glass = shelf.glass("bundled", "0.64", "test 2")
    assert glass.source.endswith("002.npz")
    assert shelf.glass("bundled", "0.64", "test 2") is glass


def test_temperatures_apart_and_unknown(glasses):
    shelf = Shelf(
        {"mine": [glasses[0].replace(temperature=None), glasses[1], glasses[0].replace(temperature=0.7)]}
    )
    assert shelf.temperatures("mine") == ["0.7", "0.5", "?"]
    assert shelf.glass("mine", "?", "1").temperature is None


def test_the_network_to_begin_with_was_trained_nearest(shelf):
    assert shelf.usual_predictor("0.5") == "stub"
    assert Shelf().usual_predictor("0.64") == "se3-both-T0.64"
    assert Shelf().usual_predictor("0.44") == "se3-T0.44"


def test_a_prediction_comes_later_and_once(glasses, stub):
    arrived = threading.Event()
    shelf = Shelf({"mine": glasses}, {"stub": stub}, ready=arrived.set)
    first = shelf.colouring("predicted", KEY, predictor="stub")
    assert first.values is None or arrived.is_set()
    shelf.wait()
    assert arrived.is_set()
    again = shelf.colouring("predicted", KEY, time=1, predictor="stub")
    np.testing.assert_allclose(again.values, 0.4 + 0.001 * np.arange(120))
    np.testing.assert_array_equal(again.known, glasses[0].is_type("A"))
    assert "r = " in again.title
    assert stub.asked == 1


def test_errors_are_predicted_less_measured(shelf, glasses):
    error = colouring(shelf, "error", predictor="stub", time=0)
    said = 0.3 + 0.001 * np.arange(120)
    np.testing.assert_allclose(error.values, said - glasses[0].propensity[0])
    assert error.kind == "difference"


def test_only_times_that_the_network_knows(glasses):
    shelf = Shelf({"mine": glasses}, {"late": Stub(times=(2.0, 9.0))})
    shelf.prediction("late", KEY)
    shelf.wait()
    rows = shelf.prediction("late", KEY)
    assert np.isnan(rows[0]).all()
    np.testing.assert_allclose(rows[1], 0.3 + 0.001 * np.arange(120))
    assert "does not know" in colouring(shelf, "predicted", predictor="late", time=0).title


def test_times_are_alike_in_units_of_tau(monkeypatch, glasses):
    shelf = Shelf({"mine": [glasses[0].replace(temperature=0.56, times=[16.5, 52.0])]})
    taken = Stub(times=(5.2, 16.5))
    monkeypatch.setattr(shelf, "_trained", lambda name: (taken, 0.64))
    rows = shelf._predict("any", shelf.glass("mine", "0.56", "1"))
    np.testing.assert_allclose(rows, taken.predict(glasses[0]))


def test_features_are_the_packages(shelf, glasses):
    x, box, types = glasses[0].inherent_positions, glasses[0].box, glasses[0].types
    shells = [Shells(1.2, 1.2, 0.1)]
    wanted = {
        "type": types,
        "energy": glasses[0].inherent_energies,
        "displacement": np.linalg.norm(glasses[0].displacement(), axis=1),
        "density of B": radial_densities(x, types, box, shells)[:, 1, 0],
        "bond order q6": bond_order_parameters(x, box, shells, 8)[:, 5, 0],
    }
    for what, values in wanted.items():
        np.testing.assert_allclose(colouring(shelf, what, radius=1.2).values, values, err_msg=what)


def test_features_may_be_averaged():
    large = make_glass(512, (8.0, 8.2, 8.4))
    shelf = Shelf({"mine": [large]})
    found = colouring(shelf, "energy", averaged=2)
    x = large.inherent_positions
    wanted = coarse_grain(large.inherent_energies[:, None], x, large.box, generations=2)[-1][:, 0]
    np.testing.assert_allclose(found.values, wanted)
    assert "averaged 2 times" in found.title


def test_what_is_typical(shelf, glasses):
    shelf.typical(KEY, 1, 1.1, "thermal")
    shelf.wait()
    q = bond_order_parameters(glasses[0].positions, glasses[0].box, [Shells(1.1, 1.1, 0.1)], 8)
    b = q[glasses[0].is_type("B"), :, 0]
    np.testing.assert_allclose(shelf.typical(KEY, 1, 1.1, "thermal"), [b.mean(0), b.std(0)])


def test_what_goes_wrong_is_told_each_time(shelf):
    with pytest.raises(GlassError, match="colour"):
        shelf.colouring("taste", KEY)
    for _ in range(2):
        with pytest.raises(GlassError, match="box"):
            colouring(shelf, "bond order q6", radius=2.9)  # more than half the box
    assert set(COLOURINGS) >= {"measured", "predicted", "error", "type"}


def test_results_are_kept_up_to_a_number():
    made = []
    later = Later(lambda: None, keep=2)
    for key in "abca":
        later.get(key, lambda key=key: made.append(key) or key)
        later.wait()
        assert later.get(key, pytest.fail) == key
    assert made == ["a", "b", "c", "a"]
    assert not later.busy


def test_a_run_stops_goes_on_and_ends():
    done, told = [], []
    gate = threading.Semaphore(0)

    def work(check):
        while len(done) < 5:
            gate.acquire(timeout=20)
            done.append(len(done))
            check()

    run = Run(work, lambda: told.append(run.running))
    run.start()
    run.start()  # nothing happens
    gate.release()
    gate.release()
    run.stop(wait=False)
    gate.release()
    run.wait(20)
    assert not run.running
    assert not run.finished
    before = len(done)
    assert before <= 3
    run.start()
    for _ in range(5):
        gate.release()
    run.wait(20)
    assert run.finished
    assert len(done) >= 5
    assert told == [True, False, True, False]


def test_a_run_that_fails_says_why():
    run = Run(lambda check: 1 / 0, lambda: None)
    run.start()
    run.wait(20)
    assert isinstance(run.error, ZeroDivisionError)
    assert not run.finished
