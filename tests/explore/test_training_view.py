"""The training watcher: stopped and resumed it ends like an unbroken run, and says what it does."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from glasslib import GlassError
from glasslib.explore import TrainingWatcher, training_figure
from glasslib.explore.picture import picture
from glasslib.training import history_of
from tests.test_training import learnable, predictor


@pytest.fixture(scope="module")
def glasses():
    return [learnable(seed) for seed in range(4)]


@pytest.fixture(scope="module")
def unbroken(glasses):
    return predictor(epochs=6).fit(glasses, progress=False)


class Halting(TrainingWatcher):
    """Waits in the middle of an epoch until it is told to go on."""

    def __init__(self, *arguments, halt_at=None):
        self.halt_at, self.reached, self.go_on = halt_at, threading.Event(), threading.Event()
        super().__init__(*arguments)

    def _take(self, progress, begin, before):
        super()._take(progress, begin, before)
        if (progress.epoch, progress.step) == self.halt_at:
            self.reached.set()
            assert self.go_on.wait(60)


def test_stopped_and_resumed_it_ends_like_an_unbroken_run(glasses, unbroken, tmp_path, capfd):
    watcher = Halting(predictor(epochs=6), glasses, tmp_path / "run", halt_at=(2, 2))
    assert watcher._go.description == "Start"
    watcher._go.click()
    assert watcher.reached.wait(60)
    assert watcher._go.disabled
    assert not watcher._stop.disabled
    watcher._stop.click()
    watcher.go_on.set()
    watcher.wait(60)
    assert watcher.run.error is None
    assert [record["epoch"] for record in watcher.history] == [0, 1]
    assert [record["epoch"] for record in history_of(tmp_path / "run")] == [0, 1]
    assert watcher._go.description == "Resume"
    assert watcher._status.value == "not running"
    assert not (tmp_path / "run" / "history.json").exists()

    watcher._go.click()
    watcher.wait(60)
    assert watcher._status.value == "finished"
    assert watcher._go.disabled
    assert watcher._stop.disabled
    assert watcher.history == unbroken.history
    np.testing.assert_array_equal(watcher.predictor.predict(glasses[0]), unbroken.predict(glasses[0]))
    assert capfd.readouterr() == ("", "")


def test_a_new_watcher_shows_what_there_is_and_goes_on(glasses, unbroken, tmp_path):
    first = Halting(predictor(epochs=6), glasses, tmp_path, halt_at=(3, 1))
    first.start()
    assert first.reached.wait(60)
    first.stop(wait=False)
    first.go_on.set()
    first.wait(60)
    second = TrainingWatcher(predictor(epochs=6), glasses, tmp_path)
    assert len(second.history) == 3
    assert second._bar.value == 3
    second.start()
    second.wait(60)
    assert second.history == unbroken.history
    third = TrainingWatcher(predictor(epochs=6), glasses, tmp_path)
    assert third._status.value == "finished"
    assert third._go.disabled
    assert third.history == unbroken.history


def test_the_figure_grows_and_shows_steps_and_epochs(glasses, unbroken, tmp_path, read, monkeypatch):
    from glasslib.explore import training_view

    monkeypatch.setattr(training_view, "INTERVAL", 0.0)
    monkeypatch.setattr(training_view, "SHARE", 1.0)
    watcher = TrainingWatcher(predictor(epochs=6), glasses, tmp_path)
    seen = []
    watcher._screen.panel.observe(
        lambda change: seen.append(len(read(change["new"], "circle"))), names="value"
    )
    watcher.start()
    watcher.wait(60)
    assert len(seen) > 6
    assert seen == sorted(seen)
    steps, loss, validation_loss, r = watcher.figure().data
    assert len(steps.x) == 6 * 3
    np.testing.assert_allclose(steps.x[-1], 6)
    np.testing.assert_allclose(loss.y, [record["loss"] for record in unbroken.history], rtol=1e-3)
    np.testing.assert_allclose(np.reshape(steps.y, (6, 3)).mean(1), loss.y, rtol=2e-3)
    assert list(loss.x) == list(validation_loss.x) == list(r.x) == [1, 2, 3, 4, 5, 6]


def test_a_figure_without_validation_or_history():
    empty = training_figure([], epochs=10)
    assert all(len(trace.x) == 0 for trace in empty.data)
    assert empty.layout.xaxis.range[1] == pytest.approx(10.2)
    picture(empty)
    alone = training_figure([{"epoch": 0, "loss": 1.0}])
    assert [len(trace.x) for trace in alone.data] == [0, 1, 0, 0]


def test_what_goes_wrong_is_said(glasses, unbroken, tmp_path):
    TrainingWatcher(predictor(epochs=2), glasses, tmp_path).start()
    other = TrainingWatcher(predictor(epochs=3), glasses[:1], tmp_path / "one")
    other.start()
    other.wait(60)
    assert isinstance(other.run.error, GlassError)
    assert "cannot be split" in other._screen.panel.value
    assert other._status.value == "ended"
    assert not other._go.disabled
