"""The generator: repeatable to the byte, unbreakable by kills, plain about bad arguments."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from glasslib.errors import GlassError
from glasslib.readers import load
from glasslib.simulate import measure, production
from glasslib.simulate.__main__ import SHIPPED, main
from glasslib.simulate.lammps import Liquid
from glasslib.simulate.parent import Parent
from glasslib.simulate.production import produce, tasks
from glasslib.simulate.protocol import Protocol, default_times, expected_tau
from tests.trouble import forbidden, script, small_disk

TINY = {
    "times": (0.1, 0.5),
    "replicas": 3,
    "particles": 160,
    "seed": 7,
    "ageing": 2,
    "window": 8,
    "spacing": 1,
    "melt_time": 2.0,
    "quench_time": 2.0,
}

#: Forks a run, kills it at a random moment, looks at what it left; twenty times, then lets it finish.
KILLER = """
import os, random, signal, sys, time
from pathlib import Path
from glasslib.simulate.production import produce, tasks
from glasslib.simulate.protocol import Protocol
folder, expected = Path(sys.argv[1]), Path(sys.argv[2])

def forked(run, patience):
    child = os.fork()
    if child == 0:
        todo = tasks(Protocol(1.0, **{tiny}), 2, run / "out", run / "work")
        produce(todo)
        os._exit(0)
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if os.waitpid(child, os.WNOHANG)[0]:
            return True
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False

def same(run, complete):
    for wanted in expected.rglob("*.npz"):
        path = run / "out" / wanted.relative_to(expected)
        if complete or path.exists():
            assert path.read_bytes() == wanted.read_bytes(), path

begin = time.monotonic()
assert forked(folder / "whole", 600)
whole = time.monotonic() - begin
same(folder / "whole", True)
chance, kills, run = random.Random(1), 0, 0
while kills < 20:
    if forked(folder / str(run), chance.uniform(0.02, 0.5) * whole):
        same(folder / str(run), True)
        run += 1
    else:
        kills += 1
        same(folder / str(run), False)
assert forked(folder / str(run), 600)
same(folder / str(run), True)
left = [path for path in folder.rglob(".*.tmp") if path.parent.parent.parent.name == "out"]
print(kills, "kills", run + 1, "runs", len(left), "left")
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A data set of two configurations."""
    folder = tmp_path_factory.mktemp("made")
    produce(tasks(Protocol(1.0, **TINY), 2, folder / "out", folder / "work"))
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Bytes of each configuration."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.npz"))}


@pytest.mark.slow
def test_a_run_killed_at_twenty_random_moments_gives_the_same_bytes(made, tmp_path):
    script = KILLER.replace("{tiny}", repr(TINY))
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path, made / "out"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("20 kills")
    assert done.stdout.endswith("0 left\n")


def test_the_data_do_not_depend_on_how_the_work_is_shared(tmp_path):
    protocol = Protocol(1.0, **{**TINY, "parents": 2})
    produce(tasks(protocol, 3, tmp_path / "one", tmp_path / "work-one"))
    for shard in range(2):
        produce(tasks(protocol, 3, tmp_path / "two", tmp_path / "work-two", shard=(shard, 2)))
    produce(tasks(protocol, 2, tmp_path / "three", tmp_path / "work-three"), processes=2)
    produce(tasks(protocol, 3, tmp_path / "three", tmp_path / "work-three"))  # added to later
    one = contents(tmp_path / "one")
    assert list(one) == [f"T1.00/train/{number:03d}.npz" for number in (1, 2, 3)]
    assert one == contents(tmp_path / "two") == contents(tmp_path / "three")


def test_a_restart_file_replaces_the_working_files(made, tmp_path, monkeypatch):
    whole, added = tmp_path / "whole", tmp_path / "added"
    protocol = Protocol(1.0, **TINY)
    produce(tasks(protocol, 4, whole, tmp_path / "work"))
    shutil.copytree(made / "out", added)  # two configurations, and where their parent stands

    monkeypatch.setattr(Parent, "equilibrate", lambda self: pytest.fail("equilibrated again"))
    starts = []
    forget = Parent._forget
    monkeypatch.setattr(Parent, "_forget", lambda *of: starts.append(of[2]) or forget(*of))
    produce(tasks(protocol, 3, added, tmp_path / "no-work"))
    assert starts == [2]
    (added / "T1.00/train/002.npz").unlink()  # a hole is filled, and the parent still stands where it stood
    produce(tasks(protocol, 3, added, tmp_path / "no-work-either"))
    assert starts == [2, 1]
    produce(tasks(protocol, 4, added, tmp_path / "none-at-all"))
    assert starts == [2, 1, 3]
    assert contents(added) == contents(whole)
    sums = (added / "SHA256SUMS").read_text()
    assert sums == (whole / "SHA256SUMS").read_text()
    assert "restart" not in sums


def test_a_damaged_restart_file_counts_as_missing(made, tmp_path):
    protocol = Protocol(1.0, **TINY)
    (task,) = tasks(protocol, 2, tmp_path / "out", tmp_path / "work")
    task.restart.parent.mkdir(parents=True)
    task.restart.write_bytes(b"PK, but no more")
    produce([task])
    assert contents(tmp_path / "out") == contents(made / "out")
    assert len(task.restart.read_bytes()) > 5000


def test_a_file_holds_what_it_should(made):
    glass = load(made / "out/T1.00/train/002.npz")
    assert (len(glass), glass.temperature) == (160, 1.0)
    np.testing.assert_allclose(glass.times, TINY["times"])
    assert glass.density == pytest.approx(1.2)
    assert glass.is_type("A").sum() == 128
    weights = np.array([1, 2]) / 3  # three replicas: halves of one and two
    mean = np.tensordot(weights, glass.propensity_halves, 1)
    np.testing.assert_allclose(mean, glass.propensity, rtol=2e-3)
    assert 0.1 < glass.propensity[0].mean() < glass.propensity[1].mean() < 1.5
    assert glass.extras["mean_displacement"].shape == (3, 160)
    assert (np.linalg.norm(glass.extras["mean_displacement"], axis=0) <= glass.propensity[1] + 1e-5).all()
    assert ((glass.bond_breaking >= 0) & (glass.bond_breaking <= 1)).all()
    assert glass.bond_breaking[1].mean() > glass.bond_breaking[0].mean()
    assert glass.end_positions is None
    energies = measure.pair_energies(glass.inherent_positions, glass.types, glass.box)
    np.testing.assert_allclose(energies, glass.inherent_energies, rtol=1e-4)
    provenance = glass.provenance
    assert provenance["protocol"]["seed"] == 7
    assert provenance["lammps"] > 20240000
    judged = {name: check["passed"] for name, check in provenance["checks"].items() if "limit" in check}
    assert set(judged) >= {
        "scattering_difference",
        "energy_drift",
        "memory_of_previous_start",
        "configurational_temperature",
        "residual_force",
    }
    assert 0.5 < provenance["checks"]["tau_alpha"]["value"] < 3


def test_splits_seeds_and_configurations_differ(made, tmp_path):
    other = Protocol(1.0, **{**TINY, "split": "test"})
    produce(tasks(other, 1, tmp_path, tmp_path / "work"))
    starts = [
        load(path).positions for path in (*(made / "out").rglob("*.npz"), *tmp_path.rglob("test/0*.npz"))
    ]
    assert len(starts) == 3
    for i in range(3):
        for j in range(i):
            assert np.abs(starts[i] - starts[j]).max() > 0.5


def test_end_points_can_be_kept(tmp_path):
    (task,) = tasks(Protocol(1.0, **TINY), 1, tmp_path / "out", tmp_path / "work", keep_end_positions=True)
    produce([task])
    glass = load(task.path(0))
    assert glass.end_positions.shape == (2, 3, 160, 3)
    moved = np.linalg.norm(glass.end_positions - glass.positions, axis=-1)
    np.testing.assert_allclose(moved.mean(axis=1), glass.propensity, atol=1e-5)


def test_velocities_are_maxwellian_without_momentum():
    protocol = Protocol(0.64, particles=4096)
    velocities = protocol.velocities(3, 0, 0)
    assert np.abs(velocities.mean(axis=0)).max() < 1e-15
    assert (velocities**2).mean() == pytest.approx(0.64, rel=0.04)
    np.testing.assert_array_equal(velocities, protocol.velocities(3, 0, 0))
    assert not np.array_equal(velocities, protocol.velocities(3, 0, 1))


def test_literature_times():
    assert expected_tau(0.56) == pytest.approx(52)
    assert expected_tau(0.50) == pytest.approx(217)
    assert 52 < expected_tau(0.53) < 217
    assert 1 < expected_tau(1.0) < 2
    assert expected_tau(0.64) == pytest.approx(expected_tau(0.6401), rel=0.02)
    assert default_times(0.64)[-2:] == (16.5, 52)
    assert default_times(0.50)[-1] == 217
    assert default_times(0.8)[-1] == pytest.approx(expected_tau(0.8), rel=0.01)


def test_the_shipped_set_is_to_be_large_enough_to_train_on():
    rows = [row for row in SHIPPED if row[2] == 4096]
    train = {t: n for t, split, _, n, replicas, *_ in rows if split == "train" and replicas >= 12}
    held_out = {t: n for t, split, _, n, replicas, *_ in rows if split == "test" and replicas == 32}
    assert held_out == {0.64: 4, 0.56: 4, 0.50: 4}
    assert min(train.values()) >= 12
    assert train[0.50] >= 24


BAD = {
    "--temperature -0.5": "temperature: expected a positive number",
    "--temperature nan": "temperature: expected a positive number",
    "--temperature 0.3": "crystallises",
    "--temperature warm": "invalid float",
    "--temperature 1 --particles 100": "exceeds half of the shortest box edge",
    "--temperature 1 --replicas 1": "replicas: expected at least 2",
    "--temperature 1 --times 2 1": "increasing times",
    "--temperature 1 --shard 1/1": "shard: expected",
    "--temperature 1 --shard one": "shard",
    "--temperature 1 --configurations 0": "configurations",
    "--temperature 1 --processes 0": "processes",
    "--configurations 3": "--temperature or --shipped",
}


@pytest.mark.parametrize(("arguments", "reason"), BAD.items())
def test_bad_arguments_end_in_one_line(tmp_path, capsys, arguments, reason):
    try:
        status = main([*arguments.split(), "--out", str(tmp_path / "out"), "--work", str(tmp_path / "work")])
    except SystemExit as stop:
        status = stop.code
    assert status == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert reason in message
    assert not list(tmp_path.rglob("*.npz"))


def test_an_unwritable_folder_is_refused_at_once(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    arguments = ["--temperature", "1", "--work", str(tmp_path / "work"), "--out"]
    assert main([*arguments, str(tmp_path / "file" / "out")]) == 2
    assert "cannot be made" in capsys.readouterr().err


def test_a_folder_without_permission_is_refused_at_once(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "train")
    arguments = ["--temperature", "1", "--work", str(tmp_path / "work"), "--out", str(tmp_path)]
    assert main(arguments) == 2
    assert "train: may not be written" in capsys.readouterr().err


def test_a_full_disk_leaves_no_half_file(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(GlassError, match="No space left on device"):
        produce(tasks(Protocol(1.0, **TINY), 1, tmp_path / "out", tmp_path / "work"))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_on_a_full_disk_it_says_so_and_then_continues(made, tmp_path, capfd):
    with small_disk(tmp_path) as disk:
        todo = tasks(Protocol(1.0, **TINY), 2, tmp_path / "out", tmp_path / "work")
        with (
            disk.with_room_for(120_000),
            pytest.raises(GlassError, match=r"segment-\d+.npz: cannot be written: No space left on device"),
        ):
            produce(todo, log_file=tmp_path / "log.txt")
        assert "Traceback" not in capfd.readouterr().err
        assert list(tmp_path.rglob("segment-*.npz")), "there was room for some"
        assert not list(tmp_path.rglob(".*"))
        produce(todo, log_file=tmp_path / "log.txt")
        assert contents(tmp_path / "out") == contents(made / "out")


def test_a_forbidden_folder_is_refused_before_anything_runs(tmp_path):
    (tmp_path / "out").mkdir()
    with (
        forbidden(tmp_path / "out"),
        pytest.raises(GlassError, match=r"cannot be made: Permission denied|may not be written"),
    ):
        produce(tasks(Protocol(1.0, **TINY), 1, tmp_path / "out", tmp_path / "work"))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_log_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(GlassError, match=r"work: cannot be written: Is a directory"):
        produce(tasks(Protocol(1.0, **TINY), 1, tmp_path, tmp_path / "work"), log_file=tmp_path / "work")


TWICE = """
import sys
from pathlib import Path
from glasslib.simulate.production import produce, tasks
from glasslib.simulate.protocol import Protocol
from tests.simulate.test_generator import TINY
from tests.trouble import in_forks
folder = Path(sys.argv[1])
in_forks(lambda: produce(tasks(Protocol(1.0, **TINY), 2, folder / "out", folder / "work")), 2)
"""


def test_the_same_command_started_twice_gives_the_same_bytes(made, tmp_path):
    script(TWICE, tmp_path)
    assert contents(tmp_path / "out") == contents(made / "out")
    assert not list(tmp_path.rglob(".*"))
    assert (tmp_path / "out/SHA256SUMS").read_bytes() == (made / "out/SHA256SUMS").read_bytes()


def test_an_error_of_lammps_reaches_the_caller(tmp_path):
    wild = Protocol(1.0, **{**TINY, "timestep": 0.5, "melt_time": 500.0})
    with pytest.raises(GlassError, match="LAMMPS stopped"):
        produce(tasks(wild, 1, tmp_path / "out", tmp_path / "work"))
    assert not list(tmp_path.rglob("*.npz"))


def test_a_run_that_does_not_equilibrate_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("glasslib.simulate.parent.MOST_SEGMENTS", 6)
    monkeypatch.setattr("glasslib.simulate.parent.ENERGY_TOLERANCE", 0.0)
    with pytest.raises(GlassError, match="not equilibrated after"):
        produce(tasks(Protocol(1.0, **TINY), 1, tmp_path / "out", tmp_path / "work"))


def test_a_damaged_segment_is_run_again(made, tmp_path, monkeypatch):
    protocol = Protocol(1.0, **TINY)
    (task,) = tasks(protocol, 1, tmp_path / "out", made / "work")
    segment = task.segments / "segment-002.npz"
    whole = segment.read_bytes()
    segment.write_bytes(whole[:1000])
    produce([task])
    assert segment.read_bytes() == whole
    assert contents(tmp_path / "out") == {
        name: data for name, data in contents(made / "out").items() if name.endswith("001.npz")
    }


def test_only_the_main_rank_writes(tmp_path, monkeypatch):
    monkeypatch.setattr(Liquid, "is_main", property(lambda self: False))
    produce(tasks(Protocol(1.0, **TINY), 1, tmp_path / "out", tmp_path / "work"))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_command_makes_files_logs_and_checksums(tmp_path, capsys):
    size = ["--particles", "160", "--configurations", "1", "--replicas", "2"]
    arguments = ["--temperature", "3", *size, "--times", "0.05", "0.1"]
    out, work = tmp_path / "out", tmp_path / "work"
    assert main([*arguments, "--out", str(out), "--work", str(work)]) == 0
    assert load(out / "T3.00/train/001.npz").temperature == 3.0
    assert "atom-steps/s" in (work / "log.txt").read_text()
    before = (out / "T3.00/train/001.npz").stat().st_mtime_ns
    assert main([*arguments, "--out", str(out), "--work", str(work)]) == 0
    assert (out / "T3.00/train/001.npz").stat().st_mtime_ns == before
    (out / "SHA256SUMS").unlink()
    assert main(["--checksums", "--out", str(out)]) == 0
    assert "1 files" in capsys.readouterr().out
    subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=out, check=True)


def test_outside_a_repository_there_is_no_commit(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert production.git_commit() == ""
