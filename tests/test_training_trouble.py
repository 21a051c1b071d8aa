"""Training on a full disk, in a forbidden folder, killed, interrupted, beside another: it ends the same."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch

from glasslib import GlassError, train
from glasslib.training import PropensityModule
from glasslib.training.directory import held
from tests.test_training import learnable, predictor
from tests.trouble import forbidden, limited_files, script, small_disk

GLASSES = [learnable(seed) for seed in range(3)]
EPOCHS = 3


def fit(directory: Path):
    return predictor(epochs=EPOCHS).fit(GLASSES, directory=directory, progress=False)


def same(found, expected) -> bool:
    weights, others = (trained.network.state_dict() for trained in (found, expected))
    return found.history == expected.history and all(
        torch.equal(weights[name], others[name]) for name in others
    )


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """What a run gives that nothing happens to, and the size of its checkpoints."""
    directory = tmp_path_factory.mktemp("unbroken")
    trained = fit(directory)
    assert sorted(os.listdir(directory)) == [".lock", "best.ckpt", "history.json", "last.ckpt", "run.json"]
    return trained, (directory / "last.ckpt").stat().st_size


# of checkpoints of this size: none fits, best.ckpt alone does, those of the first epoch do but no later one
@pytest.mark.parametrize(
    ("disk", "room", "whole"),
    [
        (limited_files, 0.5, []),
        (small_disk, 1.5, ["best.ckpt"]),
        (small_disk, 2.5, ["best.ckpt", "last.ckpt"]),
    ],
)
def test_on_a_full_disk(disk, room, whole, unbroken, tmp_path):
    expected, size = unbroken
    with disk(tmp_path) as place:
        directory = place.folder / "run"
        with (
            place.with_room_for(int(room * size) + 4096),
            pytest.raises(GlassError, match=rf"\.ckpt: cannot be written: {place.message}"),
        ):
            fit(directory)
        assert sorted(os.listdir(directory)) == [".lock", *whole, "run.json"]
        assert same(fit(directory), expected)


def test_in_a_forbidden_folder(tmp_path):
    with forbidden(tmp_path), pytest.raises(GlassError, match=r"may not be written|Permission denied"):
        fit(tmp_path)
    assert os.listdir(tmp_path) == []


KILLER = """
import os, random, sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
from tests.test_training_trouble import fit
from tests.trouble import in_a_fork, killing

folder = Path(sys.argv[1])

def run(name, step=0):
    if step:
        os.replace = killing(step, os.replace)
    fit(folder / name).save(folder / name / "model.pt")

begin = time.monotonic()
assert in_a_fork(lambda: run("whole"))
whole = time.monotonic() - begin
chance = random.Random(1)
for _ in range(2):
    in_a_fork(lambda: run("random"), kill_after=chance.uniform(0.1, 1) * whole)
step = 1
while not in_a_fork(lambda: run("steps", step)):
    step += 1
assert step > 4
for name in ("random", "steps"):
    assert in_a_fork(lambda: run(name))
    for file in ("model.pt", "history.json"):
        assert (folder / name / file).read_bytes() == (folder / "whole" / file).read_bytes(), (name, file)
assert not list(folder.rglob("*.tmp"))
"""


def test_killed_at_random_and_at_every_step_of_writing_checkpoints(tmp_path):
    script(KILLER, tmp_path)


@pytest.fixture
def hears_interrupts():
    """As a program that a terminal started; a shell lets those in its background ignore them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_interrupted_it_is_an_interrupt_and_goes_on(unbroken, tmp_path, monkeypatch, hears_interrupts):
    module = PropensityModule
    finish = module.on_train_epoch_end

    def stopping(self):
        finish(self)
        if self.current_epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(module, "on_train_epoch_end", stopping)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path)
    assert signal.getsignal(signal.SIGINT) is before
    monkeypatch.undo()
    assert same(fit(tmp_path), unbroken[0])


def test_the_command_says_that_it_can_go_on(tmp_path, monkeypatch, capsys):
    def stopped(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "run", stopped)
    assert train.main(["--output", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "glasslib.train: interrupted; the same command continues\n"


def test_two_in_one_directory(unbroken, tmp_path):
    with (
        held(tmp_path),
        pytest.raises(GlassError, match=r"another process trains there at this moment\. Wait for it"),
    ):
        fit(tmp_path)
    assert os.listdir(tmp_path) == [".lock"]
    assert same(fit(tmp_path), unbroken[0])


@pytest.mark.parametrize(
    ("damaged", "removed"), [("last.ckpt", "history.json"), ("best.ckpt", None), ("history.json", None)]
)
def test_damage_from_elsewhere_is_told(damaged, removed, tmp_path):
    predictor(epochs=1).fit(GLASSES, directory=tmp_path, progress=False)
    content = (tmp_path / damaged).read_bytes()
    (tmp_path / damaged).write_bytes(content[: len(content) // 2])
    if removed:
        (tmp_path / removed).unlink()
    with pytest.raises(GlassError, match=rf"{damaged}: (is not a readable checkpoint|cannot be read)"):
        predictor(epochs=1).fit(GLASSES, directory=tmp_path, progress=False)
