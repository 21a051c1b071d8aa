"""Scaled out: two Dask workers give the same bytes as one process, two MPI ranks the same physics."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from distributed import LocalCluster

from glasslib.errors import GlassError
from glasslib.readers import load
from glasslib.simulate import measure
from glasslib.simulate.__main__ import main
from glasslib.simulate.cluster import on_dask
from glasslib.simulate.production import produce, tasks
from glasslib.simulate.protocol import Protocol

PROTOCOL = Protocol(
    3.0,
    times=(0.05, 0.1),
    replicas=2,
    particles=160,
    parents=2,
    ageing=2,
    window=8,
    melt_time=1,
    quench_time=1,
)

SCRIPT = f"""
from pathlib import Path
from glasslib.simulate.production import produce, tasks
from glasslib.simulate.protocol import Protocol
produce(tasks({PROTOCOL!r}, 2, Path("out"), Path("work"))[:1], log_file=Path("log.txt"))
"""

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


def cluster(threads: int) -> LocalCluster:
    return LocalCluster(
        n_workers=2 // threads, threads_per_worker=threads, host="127.0.0.1", dashboard_address=None
    )


def made(folder, processes: int) -> dict[str, bytes]:
    produce(tasks(PROTOCOL, 2, folder / "out", folder / "work"), processes=processes)
    return {path.name: path.read_bytes() for path in (folder / "out").rglob("*.npz")}


def test_the_same_bytes(tmp_path):
    with cluster(threads=1) as dask:
        with on_dask(dask.scheduler_address) as workers:
            there = made(tmp_path / "there", workers)
        assert dask.scheduler.transition_counter > 0  # tasks went through it
    assert workers == 2
    assert sorted(there) == ["001.npz", "002.npz"]
    assert there == made(tmp_path / "here", 1)


def test_workers_of_several_threads_are_refused():
    with (
        cluster(threads=2) as dask,
        pytest.raises(GlassError, match="one thread each"),
        on_dask(dask.scheduler_address),
    ):
        pytest.fail("accepted")


def test_no_scheduler(capsys, tmp_path):
    arguments = ["--temperature", "1", "--out", str(tmp_path), "--dask", "no-scheduler"]
    assert main(arguments) == 2
    assert "no Dask scheduler answers" in capsys.readouterr().err


def test_two_ranks_of_mpi_share_one_liquid(tmp_path):
    mpiexec = Path(sys.prefix, "bin", "mpiexec")
    if not mpiexec.exists():
        pytest.skip("this environment's MPI library came without mpiexec")
    done = subprocess.run([mpiexec, "-n", "2", sys.executable, "-c", SCRIPT], cwd=tmp_path, timeout=300)
    assert done.returncode == 0
    assert (tmp_path / "log.txt").read_text().count("configurations to make") == 1  # one rank speaks
    glass = load(tmp_path / "out/T3.00/train/001.npz")
    energies = measure.pair_energies(glass.positions, glass.types, glass.box)
    np.testing.assert_allclose(energies, glass.energies, atol=2e-3)
    assert not list(tmp_path.rglob("*.tmp"))


def test_sigterm_ends_the_workers_too(tmp_path):
    size = ["--temperature", "1", "--parents", "2", "--processes", "2", "--out", "out", "--work", "work"]
    with subprocess.Popen(
        [sys.executable, "-m", "glasslib.simulate", *size], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as run:
        parent = psutil.Process(run.pid)
        while not (tmp_path / "work/log.txt").exists() and run.poll() is None:
            time.sleep(0.1)
        workers = parent.children(recursive=True)
        assert len(workers) >= 2
        run.terminate()
        _, message = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "the same command continues" in message
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive
