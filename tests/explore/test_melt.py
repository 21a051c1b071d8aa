"""A live simulation: looking at it changes nothing, and what it shows is what the package computes."""

from __future__ import annotations

import time

import numpy as np
import pytest

from glasslib import GlassError
from glasslib.evaluation import pearson
from glasslib.explore import LiveExplorer, LiveGlass
from glasslib.explore.picture import picture
from glasslib.simulate import Protocol, inherent_structure
from tests.explore.conftest import Stub

PROTOCOL = Protocol(1.0, particles=160, replicas=2, times=(0.1, 1.0), seed=3)


class Nearby(Stub):
    """A function of the inherent structure: x of each particle."""

    def predict(self, glass):
        x = glass.inherent_positions[:, 0]
        return np.stack([0.1 + x, 0.2 + 2 * x])


@pytest.fixture
def start():
    rng = np.random.default_rng(0)
    sites = np.stack(np.unravel_index(rng.permutation(216)[:160], (6,) * 3), axis=1)
    return (sites + 0.5) / 6 * PROTOCOL.box


@pytest.fixture
def live(start):
    made = LiveGlass(PROTOCOL, start, Nearby())
    yield made
    made.close()


def test_a_frame_is_the_configuration_its_minimum_and_the_prediction(live):
    live.advance(0.5)
    glass, said = live.frame()
    wanted = inherent_structure(glass.replace(inherent_positions=None, source=None), cache=False)
    np.testing.assert_allclose(glass.inherent_positions, wanted.inherent_positions, atol=1e-9)
    np.testing.assert_allclose(glass.inherent_energies, wanted.inherent_energies, atol=1e-9)
    np.testing.assert_array_equal(said, live.predictor.predict(glass))
    assert live.frame()[0] is glass
    assert (live.time, glass.temperature) == (0.5, 1.0)


def test_looking_changes_nothing(start):
    ends = []
    for looks in (False, True):
        live = LiveGlass(PROTOCOL, start, Nearby())
        for _ in range(4):
            live.advance(0.1)
            if looks:
                live.figure()
        ends.append(live._run.unwrapped())
        live.close()
    np.testing.assert_array_equal(*ends)


def test_the_thermostat_is_turned(live):
    def kinetic():
        return (live._run.velocities() ** 2).sum() / (3 * PROTOCOL.particles)

    live.advance(3.0)
    live.heat(0.2)
    assert live.temperature == 0.2
    before = live._run.unwrapped()
    live.heat(0.2)
    np.testing.assert_array_equal(live._run.unwrapped(), before)
    live.advance(6.0)
    assert np.mean([(live.advance(0.2), kinetic())[1] for _ in range(10)]) == pytest.approx(0.2, abs=0.06)
    with pytest.raises(GlassError, match="temperature"):
        live.heat(-1.0)


def test_the_figure_shows_this_frame_and_all_before(live):
    first = live.frame()
    live.figure()
    live.advance(0.3)
    figure = live.figure(0)
    glass, said = live.frame()
    a, b, _, mean, left = figure.data
    chosen = np.array(a.ids, dtype=int)
    height = glass.positions[chosen, 2] - glass.box[2] / 2
    assert (np.abs(height) <= 1.0).all()
    np.testing.assert_allclose(a.marker.color, said[0, chosen], atol=0.001)
    assert isinstance(b.marker.color, str)  # B is not known
    is_a = glass.is_type("A")
    np.testing.assert_allclose(mean.y, [first[1][0, is_a].mean(), said[0, is_a].mean()], rtol=1e-3)
    np.testing.assert_allclose(left.y, [1.0, pearson(said[0, is_a], first[1][0, is_a])], atol=1e-3)
    assert list(mean.x) == pytest.approx([0.0, 0.3])
    low, high = np.percentile(first[1][0, is_a], [2, 98])
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == pytest.approx(
        (low, high), abs=1e-3
    )
    assert "predicted for t = 1" in picture(figure)


def test_it_runs_pauses_and_runs_on(live, capfd):
    view = LiveExplorer(live, chunk=0.05)
    assert "paused" in view._status.value
    first = view._screen.panel.value
    view._go.click()
    deadline = time.monotonic() + 60
    while len(live.past) < 4 and time.monotonic() < deadline:
        time.sleep(0.02)
    view._pause.click()
    view.run.wait(60)
    assert not view.run.running
    assert view.run.error is None
    assert view._screen.panel.value != first
    reached = live.time
    assert reached >= 0.1
    view.controls["temperature"].value = 0.5
    shown = view._screen.panel.value
    view.controls["time"].value = 0
    assert view._screen.panel.value != shown
    view.start()
    while live.time <= reached and time.monotonic() < deadline:
        time.sleep(0.02)
    view.stop()
    assert live.temperature == 0.5
    assert live.time > reached
    assert capfd.readouterr() == ("", "")


def test_a_simulation_that_fails_says_so(live, monkeypatch):
    view = LiveExplorer(live)
    monkeypatch.setattr(live, "advance", lambda duration: 1 / 0)
    view.start()
    view.run.wait(60)
    assert "ZeroDivisionError" in view._screen.panel.value
