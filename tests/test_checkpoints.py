"""Checkpoints that ship with the package: whole, small, and never trusted."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from glasslib import Glass, GlassError, catalog, checkpoints, train
from glasslib.checkpoints import adding, shelf
from glasslib.checkpoints.__main__ import main
from glasslib.checkpoints.card import Card
from glasslib.checkpoints.conditions import QUANTITIES, conditions, outside, ranges
from glasslib.predictor import SE3Predictor
from tests.conftest import make_glass
from tests.test_train_command import SMALL
from tests.test_training import learnable
from tests.trouble import script

NAME = "se3-T0.64"


@pytest.fixture
def shelf_copy(tmp_path, monkeypatch) -> Path:
    """The shipped checkpoints in a folder that may be damaged."""
    folder = tmp_path / "checkpoints"
    shutil.copytree(shelf.shipped_folder(), folder)
    monkeypatch.setattr(shelf, "shipped_folder", lambda: folder)
    return folder


# what ships


def test_every_checkpoint_is_sound_and_all_are_small():
    folder = shelf.shipped_folder()
    files = {path.name for path in folder.iterdir()}
    listed = {f"{name}{ending}" for name in checkpoints.names() for ending in (".pt", ".json")}
    assert NAME in checkpoints.names()
    assert {path.name for path in shelf.verify()} == listed == files - {"SHA256SUMS", "README.md"}
    assert sum(path.stat().st_size for path in folder.iterdir()) < shelf.MAX_TOTAL == 10_000_000


@pytest.mark.parametrize("name", checkpoints.names())
def test_a_card_says_what_its_model_is(name):
    card, predictor = checkpoints.card(name), checkpoints.load(name)
    assert (card.name, card.n_parameters) == (name, predictor.n_parameters)
    assert card.times == tuple(predictor.times)
    assert card.particle_type == predictor.training_options.particle_type
    assert card.training["seed"] == predictor.training_options.seed
    assert set(card.ranges) >= set(QUANTITIES)
    for scores in (card.scores["test"], card.scores["validation"]):
        assert len(scores["mean"]) == len(scores["pooled"]) == len(card.times)
    assert not set(card.data["train"]) & set(card.data["validation"])
    assert f"`{name}`" in (shelf.shipped_folder() / "README.md").read_text()


@pytest.mark.parametrize("name", checkpoints.names())
def test_the_command_on_a_card_trains_such_a_model(name):
    words = shlex.split(checkpoints.card(name).training["command"])
    assert words[:3] == ["python", "-m", "glasslib.train"]
    fresh, trained = train.make_predictor(train.parser().parse_args(words[3:])), checkpoints.load(name)
    fresh.make_network(len(trained.times))  # fills in the number of times
    assert fresh.describe() == trained.describe()
    assert fresh.training_options == trained.training_options


def test_the_noted_score_is_that_of_the_model():
    card = checkpoints.card(NAME)
    (glass,) = catalog.load("bundled", "test", temperature=0.64, limit=1)
    prediction, mask = checkpoints.load(NAME).predict(glass), glass.is_type("A")
    truth = glass.at_times(card.times).propensity
    r = np.array([np.corrcoef(p[mask], t[mask])[0, 1] for p, t in zip(prediction, truth, strict=True)])
    # one configuration of four, so near the mean only
    np.testing.assert_allclose(r, card.scores["test"]["mean"], atol=0.12)


# loading


def test_a_changed_byte_of_the_model_is_refused(shelf_copy):
    path = shelf_copy / f"{NAME}.pt"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(GlassError, match=r"se3-T0.64.pt: is not the file that was published"):
        checkpoints.load(NAME)
    assert main(["verify"]) == 2


def test_a_changed_card_is_refused(shelf_copy):
    path = shelf_copy / f"{NAME}.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    for ask in (checkpoints.card, checkpoints.load):
        with pytest.raises(GlassError, match=r"se3-T0.64.json: is not the file that was published"):
            ask(NAME)


def test_a_missing_model_or_card_is_named(shelf_copy):
    (shelf_copy / f"{NAME}.json").unlink()
    with pytest.raises(GlassError, match=r"se3-T0.64.json: there is no such file"):
        checkpoints.load(NAME)
    (shelf_copy / f"{NAME}.pt").unlink()
    with pytest.raises(GlassError, match=r"there is no such file"):
        checkpoints.load(NAME)


def test_a_model_beside_the_shipped_ones_is_not_listed_and_not_loaded(shelf_copy):
    shutil.copy(shelf_copy / f"{NAME}.pt", shelf_copy / "other.pt")
    assert "other" not in checkpoints.names()
    with pytest.raises(GlassError, match=r"is not listed in SHA256SUMS"):
        checkpoints.load(shelf_copy / "other.pt")


def test_by_path_with_and_without_a_card(tmp_path):
    for ending in (".pt", ".json"):
        shutil.copy(shelf.shipped_folder() / f"{NAME}{ending}", tmp_path / f"mine{ending}")
    taken = checkpoints.take(tmp_path / "mine.pt")
    assert (taken.name, taken.card) == (NAME, checkpoints.card(NAME))
    with open(tmp_path / "mine.pt", "ab") as file:
        file.write(b"\0")
    with pytest.raises(GlassError, match="is not the file that was published"):
        checkpoints.load(tmp_path / "mine.pt")
    (tmp_path / "mine.json").unlink()
    shutil.copy(shelf.shipped_folder() / f"{NAME}.pt", tmp_path / "mine.pt")
    assert checkpoints.take(tmp_path / "mine.pt").card is None
    with pytest.raises(GlassError, match="has no card"):
        checkpoints.card(tmp_path / "mine.pt")


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(GlassError, match=r"there is no such checkpoint.*se3-T0\.64"):
        checkpoints.load("se3-T9")


def test_loading_never_runs_what_is_in_a_file(tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"format": SE3Predictor.FORMAT, "state": Hostile()}, tmp_path / "hostile.pt")
    with pytest.raises(GlassError, match="is not a readable checkpoint"):
        checkpoints.load(tmp_path / "hostile.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"junk", b"PK\x03\x04", b"\x80\x04K\x01."])
def test_files_that_are_no_checkpoints(tmp_path, content):
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(GlassError, match="is not a readable checkpoint"):
        checkpoints.load(tmp_path / "a.pt")


def test_a_checkpoint_of_another_kind(tmp_path):
    torch.save({"format": "something else"}, tmp_path / "a.pt")
    with pytest.raises(GlassError, match="has the format 'something else'; those known are"):
        checkpoints.load(tmp_path / "a.pt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: "[" * 100_000, "is damaged or cut short"),
        (lambda c: "[]", "is no card"),
        (lambda c: json.dumps({**c, "format": "x"}), "is no card"),
        (lambda c: json.dumps({**c, "times": []}), "times: is missing or of the wrong kind"),
        (lambda c: json.dumps({**c, "times": [float("nan")]}), "times: is missing or of the wrong kind"),
        (lambda c: json.dumps({**c, "ranges": {"density": [1]}}), "ranges: is missing"),
        (lambda c: json.dumps({k: v for k, v in c.items() if k != "scores"}), "scores: is missing"),
        (lambda c: " " * 2**21, "too long for a card"),
    ],
)
def test_hostile_cards(tmp_path, change, message):
    card = json.loads((shelf.shipped_folder() / f"{NAME}.json").read_text())
    (tmp_path / "a.json").write_text(change(card))
    with pytest.raises(GlassError, match=message):
        Card.load(tmp_path / "a.json")


def test_a_card_comes_back_as_it_was_saved(tmp_path):
    card = checkpoints.card(NAME)
    card.save(tmp_path / "a.json")
    assert Card.load(tmp_path / "a.json") == card
    assert (tmp_path / "a.json").read_bytes() == (shelf.shipped_folder() / f"{NAME}.json").read_bytes()


# the trained range


def test_conditions_of_a_lattice():
    found = conditions(make_glass(box=(5.0, 5.0, 5.0)))
    assert found["density"] == pytest.approx(120 / 125)
    assert found["fraction_b"] == pytest.approx(24 / 120)
    assert found["shortest_edge"] == 5.0
    assert conditions(make_glass(n=20)).keys().isdisjoint({"first_peak"})


def test_training_data_lie_inside_their_own_range():
    glasses = catalog.load("bundled", "train", temperature=0.64, limit=2)
    trained = checkpoints.card(NAME).ranges
    assert ranges(glasses).keys() == trained.keys()
    assert [outside(conditions(glass), trained) for glass in glasses] == [[], []]


def test_the_first_peak_does_not_ask_for_types_and_scales_with_lengths():
    (glass,) = catalog.load("bundled", "test", temperature=0.64, limit=1)
    swapped = glass.replace(types=1 - glass.types)
    doubled = Glass(2 * glass.positions, glass.types, 2 * glass.box)
    peaks = [conditions(one)["first_peak"] for one in (glass, swapped, doubled)]
    np.testing.assert_allclose(peaks, [1.075, 1.075, 2.15], atol=0.051)  # sigma_AA of the pair AA: 1


def test_what_is_outside_is_told_by_how_much():
    trained = {
        "density": (1.2, 1.2),
        "fraction_b": (0.2, 0.2),
        "energy": (-5.9, -5.8),
        "shortest_edge": (15, 15),
    }
    assert outside({"density": 1.205, "energy": -5.85, "n_particles": 4096}, trained) == []
    (told,) = outside({"density": 1.1}, trained)
    assert told == "number density 1.1 is below the trained 1.2 by 0.1 sigma_AA^-3"
    (told,) = outside({"fraction_b": 0.8}, trained)
    assert told.endswith("by 0.6 (are the types A and B swapped?)")
    assert (
        "above the trained -5.9 to -5.8 by 0.2" in outside({"energy": -5.6, "n_particles": 4096}, trained)[0]
    )
    assert outside({"energy": -5.6, "n_particles": 100}, trained) == []  # a small system fluctuates more
    assert outside({"shortest_edge": 30.0}, trained) == []
    assert len(outside({"shortest_edge": 10.0}, trained)) == 1


# adding


def small_load(name, split, temperature, limit, progress):
    seeds = range(4) if split == "train" else range(10, 12)
    return [learnable(seed) for seed in seeds][:limit]


@pytest.fixture
def run(tmp_path, monkeypatch) -> Path:
    """A finished run on small configurations."""
    monkeypatch.setattr(train, "load", small_load)
    directory = tmp_path / "run"
    assert train.main([*SMALL, "--data", "bundled", "--output", str(directory)]) == 0
    return directory


def test_a_run_becomes_a_checkpoint(run, tmp_path):
    folder = tmp_path / "shelf"
    folder.mkdir()
    card = adding.add("small", run, folder=folder, commit="abc", progress=False)
    assert card == Card.load(folder / "small.json")
    assert checkpoints.take(folder / "small.pt").card == card
    np.testing.assert_array_equal(
        checkpoints.load(folder / "small.pt").predict(learnable(0)),
        SE3Predictor.load(run / "model.pt").predict(learnable(0)),
    )
    assert shelf.sums(folder).keys() == {"small.pt", "small.json"}
    assert (len(card.data["train"]), len(card.data["validation"]), len(card.data["test"])) == (3, 1, 2)
    assert card.training["commit"] == "abc"
    assert "--data bundled" in card.training["command"]
    assert card.ranges["temperature"] == (0.5, 0.5)
    assert "| `small` |" in (folder / "README.md").read_text()
    with pytest.raises(GlassError, match="is there already"):
        adding.add("small", run, folder=folder, progress=False)
    adding.add("small", run, folder=folder, force=True, progress=False)


KILLER = """
import os, sys
from pathlib import Path
from glasslib import train
from glasslib.checkpoints import adding, shelf
from tests.test_checkpoints import small_load
from tests.trouble import in_a_fork, killing

train.load = small_load

def add(folder, step=0):
    if step:
        os.replace = killing(step, os.replace)
    adding.add("small", sys.argv[1], folder=folder, commit="abc", progress=False)

for step in (1, 2, 4, 6):  # before the first file has its name; after that of the model, the card, the table
    folder = Path(sys.argv[2], str(step))
    folder.mkdir(parents=True)
    assert not in_a_fork(lambda: add(folder, step))
    assert in_a_fork(lambda: add(folder))
    assert sorted(os.listdir(folder)) == ["README.md", "SHA256SUMS", "small.json", "small.pt"]
    assert shelf.sums(folder) == {name: shelf.checksum(folder / name) for name in ("small.pt", "small.json")}
"""


def test_killed_while_it_adds_the_same_command_completes_it(run, tmp_path):
    script(KILLER, run, tmp_path / "shelves")


def test_what_does_not_belong_together_is_not_added(run, tmp_path, monkeypatch):
    def add(**options):
        adding.add("small", run, folder=tmp_path / "shelf", progress=False, **options)

    scores = json.loads((run / "scores.json").read_text())
    (title,) = set(scores["scores"]) - {"constant", "energy alone", "ceiling"}
    scores["scores"][title]["mean"] = [0.99]
    other = tmp_path / "other.json"
    other.write_text(json.dumps(scores))
    with pytest.raises(GlassError, match=r"test r \[0.99\] was noted, but the model has"):
        add(scores=other)
    other.write_text(json.dumps({**scores, "command": "python -m glasslib.train --nonsense"}))
    with pytest.raises(GlassError, match="a command that is not understood"):
        add(scores=other)
    monkeypatch.setattr(adding, "MAX_TOTAL", 1000)
    with pytest.raises(GlassError, match="all checkpoints would take"):
        add()
    monkeypatch.undo()
    (run / "model.pt").unlink()
    with pytest.raises(GlassError, match="Name the directory of a finished run"):
        add()


def test_a_model_of_another_run_is_not_added(run, tmp_path):
    noted = json.loads((run / "run.json").read_text())
    noted["label"]["options"]["network"]["dropout"] = 0.9
    (run / "run.json").write_text(json.dumps(noted))
    with pytest.raises(GlassError, match="are not those of this run"):
        adding.add("small", run, folder=tmp_path, progress=False)


@pytest.mark.parametrize("name", ["../evil", "", ".hidden", "a b", "a/b"])
def test_names_that_are_paths_are_refused(tmp_path, name):
    with pytest.raises(GlassError, match="cannot be a name"):
        adding.add(name, tmp_path, folder=tmp_path)


def test_the_command(capsys):
    assert main(["list"]) == 0
    assert NAME in capsys.readouterr().out
    assert main(["card", NAME]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == NAME
    assert main(["verify"]) == 0
    assert main(["card", "nothing"]) == 2
    assert capsys.readouterr().err.startswith("glasslib.checkpoints: nothing: there is no such checkpoint")
