"""What the package writes is whole or absent: on a full disk, in a forbidden folder, killed at any moment."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from glasslib import Glass, GlassError, save
from glasslib.baselines import RidgePredictor
from glasslib.bonds import Bonds
from glasslib.checkpoints.card import Card
from glasslib.companions import one_structure
from glasslib.companions.body_order.study import Study
from glasslib.companions.body_order.study import save as save_study
from glasslib.companions.phase_classifier import ClassifierOptions, PhaseClassifier, shelf
from glasslib.companions.strings import draws
from glasslib.evaluation import Score, save_scores
from glasslib.features import FeatureOptions, Shells
from glasslib.predict import Prediction, write_html, write_npz, write_xyz
from glasslib.readers.boundary import atomic_write
from glasslib.simulate.bonds.stretching import Stretching
from glasslib.simulate.bonds.stretching import save as save_bonds
from glasslib.simulate.shear.rearrangements import Rearrangements
from glasslib.simulate.shear.rearrangements import save as save_shear
from glasslib.simulate.storage import write_arrays
from glasslib.training.directory import WholeCheckpoints
from tests.conftest import make_glass
from tests.test_training import predictor
from tests.trouble import Disk, forbidden, limited_files, script, small_disk

ROOT = Path(__file__).parents[1]

Write = Callable[[Path], object]
#: By function: makes something of some kilobytes from a seed, and returns what writes it to a path.
WRITERS: dict[str, Callable[[int], Write]] = {}

#: Functions that write as part of something larger, and where that is tested.
ELSEWHERE = {
    "checkpoints/adding.py add": "test_checkpoints.py",
    "checkpoints/adding.py write_lists": "test_checkpoints.py",
    "companions/phase_classifier/liquids.py make": "companions/test_phase_classifier.py",
    "results/__main__.py _make": "test_results.py",
    "simulate/production.py write_checksums": "simulate/test_generator.py",
    "training/directory.py claim": "test_training_trouble.py",
    "training/loop.py _train": "test_training_trouble.py",
}


def writes(function: str) -> Callable[[Callable[[int], Write]], Callable[[int], Write]]:
    def listed(make: Callable[[int], Write]) -> Callable[[int], Write]:
        WRITERS[function] = make
        return make

    return listed


@writes("readers/native.py save")
def _native(seed: int) -> Write:
    glass = make_glass(seed=seed)
    return lambda path: save(glass, path)


@writes("simulate/storage.py write_arrays")
def _arrays(seed: int) -> Write:
    arrays = {"a": np.random.default_rng(seed).random(3000)}
    return lambda path: write_arrays(path, arrays)


@writes("evaluation.py save_scores")
def _scores(seed: int) -> Write:
    score = Score(*np.random.default_rng(seed).random((5, 200)))
    return lambda path: save_scores(path, {"a": score})


@writes("training/directory.py save_checkpoint")
def _checkpoint(seed: int) -> Write:
    state = {"epoch": seed, "state_dict": torch.nn.Linear(100, 100).state_dict()}
    return lambda path: WholeCheckpoints().save_checkpoint(state, path)


@writes("predictor/network.py save")
def _network(seed: int) -> Write:
    trained = predictor(seed=seed)
    trained.network, trained.times = trained.make_network(1), np.ones(1)
    return trained.save


@writes("baselines/ridge.py save")
def _ridge(seed: int) -> Write:
    options = FeatureOptions(
        radial=(Shells(0.7, 1.6, 0.01),), angular=(), displacement=False, averaging_cutoff=2.0, generations=1
    )
    return RidgePredictor(options, n_validation=1).fit([make_glass(seed=seed), make_glass(seed=2)]).save


@writes("checkpoints/card.py save")
def _card(seed: int) -> Write:
    numbers = np.random.default_rng(seed).random(800).tolist()
    return Card("a", "0", "b", 1, "A", (1.0,), {}, {}, {"test": numbers}, {}).save


def _prediction(seed: int) -> Prediction:
    glass = make_glass(seed=seed)
    return Prediction(glass, glass.times, glass.propensity, glass.is_type("A"), "mine", "0" * 64, ())


@writes("predict/outputs.py write_npz")
def _npz(seed: int) -> Write:
    prediction = _prediction(seed)
    return lambda path: write_npz(prediction, path)


@writes("predict/outputs.py write_html")
def _html(seed: int) -> Write:
    prediction = _prediction(seed)
    return lambda path: write_html(prediction, path)


@writes("predict/xyz.py write_xyz")
def _xyz(seed: int) -> Write:
    prediction = _prediction(seed)
    return lambda path: write_xyz(prediction, path)


@writes("companions/one_structure.py save")
def _one_structure(seed: int) -> Write:
    random = np.random.default_rng(seed).random
    counts = np.zeros((1, 1, 1, 1, 5000), np.uint8)
    one = one_structure.OneStructure(*np.ones((3, 1)), counts, random((1, 1, 5000)), 1, {})
    return lambda path: one_structure.save(one, path)


@writes("companions/strings/draws.py save")
def _strings(seed: int) -> Write:
    glass: Glass = make_glass(n=1000, box=(9.0, 9.0, 9.0), seed=seed)
    moved = glass.positions + 0.2 * np.random.default_rng(seed).random((1, 2, 1000, 3))
    moving = draws.Draws(moved, np.arange(2.0), glass.types, glass.box, 0.5)
    return lambda path: draws.save(path, moving)


@writes("companions/phase_classifier/shelf.py write")
def _classifiers(seed: int) -> Write:
    classifier = PhaseClassifier(ClassifierOptions(seed=seed))

    def write(path: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(shelf, "folder", lambda: path.parent)
            shelf.write([classifier])

    return write


@writes("companions/body_order/study.py save")
def _body_order(seed: int) -> Write:
    study = Study([], {"a": np.random.default_rng(seed).random(900).tolist()})
    return lambda path: save_study(study, path)


@writes("simulate/bonds/stretching.py save")
def _bonds(seed: int) -> Write:
    first = np.arange(2000)
    bonds = Bonds(np.stack([first, first + 1]), np.random.default_rng(seed).random((1, 2000)))
    stretched = Stretching(np.ones(1), bonds, np.ones(1), {})
    return lambda path: save_bonds(stretched, path)


@writes("simulate/shear/rearrangements.py save")
def _shear(seed: int) -> Write:
    random = np.random.default_rng(seed).random
    steps, curves = np.linspace(0, 0.01, 999), random((2, 1, 999))
    sheared = Rearrangements(("xy",), np.array([0.01]), random((1, 1, 999)), steps, *curves)
    return lambda path: save_shear(sheared, path)


def target(folder: Path, function: str) -> Path:
    """Of what is written there; classifiers have but one place."""
    place = folder / function.replace("/", "-").replace(" ", "-")
    place.mkdir(parents=True, exist_ok=True)
    return place / "networks.pt"


@pytest.fixture(scope="module", params=[small_disk, limited_files], ids=["full disk", "file too large"])
def disk(request, tmp_path_factory) -> Iterator[Disk]:
    with request.param(tmp_path_factory.mktemp("disk")) as found:
        yield found


@pytest.mark.parametrize("function", WRITERS)
def test_without_room_the_old_file_stays(function, disk):
    path = target(disk.folder, function)
    WRITERS[function](0)(path)
    old, write = path.read_bytes(), WRITERS[function](1)
    for room in (0, len(old) // 2 - 4096):
        with disk.with_room_for(max(room, 0)), pytest.raises(GlassError) as told:
            write(path)
        assert f"{path}: cannot be written: {disk.message}. Choose a folder" in str(told.value)
        assert path.read_bytes() == old
        assert os.listdir(path.parent) == [path.name]
    write(path)
    assert path.read_bytes() != old


@pytest.mark.parametrize("function", WRITERS)
def test_a_forbidden_folder_is_named_and_the_old_file_stays(function, tmp_path):
    path = target(tmp_path, function)
    WRITERS[function](0)(path)
    old, write = path.read_bytes(), WRITERS[function](1)
    with forbidden(path.parent), pytest.raises(GlassError, match=r"cannot be written: Permission denied"):
        write(path)
    assert path.read_bytes() == old
    assert os.listdir(path.parent) == [path.name]


KILLER = """
import os, random, sys, time
from itertools import cycle
from pathlib import Path
from tests.test_writers import WRITERS, target
from tests.trouble import in_a_fork, killing

folder = Path(sys.argv[1])
ready = [{function: make(seed) for function, make in WRITERS.items()} for seed in (0, 1)]
wholes = {function: set() for function in WRITERS}

def write_all(seed):
    for function, write in ready[seed].items():
        write(target(folder, function))

def write_on():
    for seed in cycle((0, 1)):
        write_all(seed)

def killed_while_it_stores():
    os.fsync = killing(chance.randrange(1, 2 * len(WRITERS)), os.fsync)
    write_on()

def left():
    return [path for path in folder.rglob(".*.tmp")]

begin = time.monotonic()
for seed in (0, 1):
    write_all(seed)
    for function in WRITERS:
        wholes[function].add(target(folder, function).read_bytes())
both = time.monotonic() - begin
chance, found = random.Random(1), 0
for kill in range(16):
    if kill % 2:
        assert not in_a_fork(write_on, kill_after=chance.uniform(0.0, both / 2))
    else:
        chance.random()  # what a fork draws is drawn there only
        assert not in_a_fork(killed_while_it_stores)
    found += bool(left())
    for function in WRITERS:
        content = target(folder, function).read_bytes()
        if function.endswith("write_html"):  # holds names made by chance
            assert content.endswith(b" -->\\n"), function
        else:
            assert content in wholes[function], function
write_all(0)
print(found, "kills left something unfinished;", len(left()), "such files at the end")
"""


def test_killed_at_sixteen_random_moments_every_file_is_whole(tmp_path):
    told = script(KILLER, tmp_path)
    found = int(told.split()[0])
    assert found >= 8, "kills have to meet writers at work"
    assert told.endswith("0 such files at the end\n")


TOGETHER = """
import sys
from pathlib import Path
from tests.test_writers import WRITERS
from tests.trouble import in_forks
from glasslib import load
path = Path(sys.argv[1])
writes = [WRITERS["readers/native.py save"](seed) for seed in range(3)]

def write_and_read():
    for write in 8 * writes:
        write(path)
        load(path)

in_forks(write_and_read, 3)
"""


def test_three_processes_may_write_and_read_one_file(tmp_path):
    script(TOGETHER, tmp_path / "a.npz")
    assert os.listdir(tmp_path) == ["a.npz"]


def test_one_at_work_is_not_taken_for_a_killed_one(tmp_path):
    path = tmp_path / "a"
    with atomic_write(path) as first:
        first.write(b"first")
        with atomic_write(path) as second:
            second.write(b"second")
        assert path.read_bytes() == b"second"
    assert path.read_bytes() == b"first"
    (tmp_path / ".a.0.tmp").write_bytes(b"of a killed one")
    (tmp_path / ".b.0.tmp").write_bytes(b"of another file's")
    with atomic_write(path) as third:
        third.write(b"third")
    assert sorted(os.listdir(tmp_path)) == [".b.0.tmp", "a"]


def test_a_mistake_in_the_code_stays_one(tmp_path):
    with pytest.raises(RuntimeError, match="a mistake"), atomic_write(tmp_path / "a"):
        raise RuntimeError("a mistake")
    assert os.listdir(tmp_path) == []


def functions_that_call(name: str, tree: ast.Module) -> set[str]:
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == name
    }


def test_every_writer_is_tested():
    package = ROOT / "glasslib"
    found = {
        f"{path.relative_to(package).as_posix()} {function}"
        for path in package.rglob("*.py")
        for function in functions_that_call("atomic_write", ast.parse(path.read_text()))
    }
    assert found == WRITERS.keys() | ELSEWHERE.keys(), "list a new one in WRITERS, with something to write"
    assert all((ROOT / "tests" / path).exists() for path in ELSEWHERE.values())
