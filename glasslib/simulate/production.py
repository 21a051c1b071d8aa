"""Finished files, one per configuration, by any number of processes, shards and interruptions."""

from __future__ import annotations

import hashlib
import logging
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
from tqdm.auto import tqdm

import glasslib
from glasslib.errors import GlassError
from glasslib.readers import save
from glasslib.readers.boundary import atomic_write
from glasslib.simulate import lammps
from glasslib.simulate.ensemble import isoconfigurational_ensemble
from glasslib.simulate.parent import Parent
from glasslib.simulate.protocol import Protocol
from glasslib.simulate.storage import make_folder, remove_unfinished

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """The configurations of one parent: indices ``parent``, ``parent + parents``, ... below ``configurations``."""

    protocol: Protocol
    configurations: int
    parent: int
    out: Path
    work: Path
    keep_end_positions: bool = False

    @property
    def name(self) -> str:
        p = self.protocol
        return f"T={p.temperature:.2f} {p.split} {self.parent + 1}/{p.parents}"

    @property
    def indices(self) -> range:
        return range(self.parent, self.configurations, self.protocol.parents)

    def path(self, index: int) -> Path:
        """Of a finished configuration; files are numbered from 001."""
        return self.out / f"T{self.protocol.temperature:.2f}" / self.protocol.split / f"{index + 1:03d}.npz"


def tasks(
    protocol: Protocol,
    configurations: int,
    out: Path,
    work: Path,
    *,
    shard: tuple[int, int] = (0, 1),
    **options: Any,
) -> list[Task]:
    """One task per parent; shard i of n takes every n-th of them, from i."""
    here, shards = shard
    if not 0 <= here < shards <= protocol.parents:
        raise GlassError(
            f"expected 0 <= i < n <= parents ({protocol.parents}), got {here}/{shards}",
            field="shard",
            remedy="Each shard needs at least one parent of its own: raise --parents (it changes the data)",
        )
    if configurations < protocol.parents:
        raise GlassError(
            f"{protocol.parents} parents for {configurations} configurations", field="configurations"
        )
    return [
        Task(protocol, configurations, parent, out, work, **options)
        for parent in range(here, protocol.parents, shards)
    ]


def produce(todo: Iterable[Task], *, processes: int = 1, log_file: Path | None = None) -> None:
    """Run tasks, in order, so many at a time.

    Inside ``joblib.parallel_config("dask")`` (or another backend) that one runs them instead.
    """
    todo = list(todo)
    for task in todo:
        make_folder(task.path(0).parent)
    lammps.load()
    if processes == 1 and len(todo) == 1:
        run(todo[0], log_file)
        return
    joblib.Parallel(n_jobs=processes, batch_size=1, pre_dispatch=processes)(
        joblib.delayed(run)(task, log_file) for task in todo
    )


def run(task: Task, log_file: Path | None = None) -> None:
    """Make those configurations of a task that are not there yet."""
    _log_to(log_file)
    missing = [index for index in task.indices if not task.path(index).exists()]
    if not missing:
        return
    p = task.protocol
    folder = (
        task.work
        / f"T{p.temperature:.2f}"
        / p.split
        / f"{p.digest('times', 'replicas', 'parents')}-{task.parent}"
    )
    log.info("%s: %d configurations to make", task.name, len(missing))
    with lammps.instance() as lmp, tqdm(desc=task.name, unit=" LJ time", disable=None, smoothing=0.02) as bar:
        about = {
            "generator": f"glasslib {glasslib.__version__}",
            "lammps": int(lmp.version()),
            "git_commit": git_commit(),
            "protocol": p.asdict(),
            "licence": "CC-BY-4.0",
        }
        liquid = lammps.Liquid(lmp, p.types, p.box)
        parent = Parent(
            p, task.parent, folder, liquid, _counter(bar, len(missing) * p.replicas * p.times[-1])
        )
        for index in missing:
            positions, checks = parent.start(index // p.parents)
            glass = isoconfigurational_ensemble(
                liquid,
                p,
                positions,
                (index,),
                keep_end_positions=task.keep_end_positions,
                progress=lambda time: bar.update(time),
            )
            checks = checks | glass.provenance["checks"]
            for name, check in checks.items():
                if "limit" in check:
                    check["passed"] = bool(check["value"] <= check["limit"])
                    if not check["passed"]:
                        log.warning("%s: %03d fails %s: %s", task.name, index + 1, name, check)
            where = {"parent": task.parent, "index": index, "start": index // p.parents}
            remove_unfinished(task.path(index))
            save(
                glass.replace(provenance={**about, **where, "checks": checks}), task.path(index), compact=True
            )
            write_checksums(task.out)
            tau = checks["tau_alpha"]
            log.info(
                "%s: %s done; tau_alpha %.3g (literature %.3g)",
                task.name,
                task.path(index).name,
                tau["value"],
                tau["literature"],
            )


def _counter(bar: Any, ahead: float) -> Callable[[float], None]:
    """Counts the parent's time too, and lets the total grow with it."""
    bar.total = ahead

    def count(time: float) -> None:
        bar.total += time
        bar.update(time)

    return count


def git_commit() -> str:
    """Of the source this runs from; empty outside a repository."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def write_checksums(folder: Path) -> int:
    """``SHA256SUMS`` of every npz file below a folder, as ``sha256sum -c`` reads it; how many."""
    files = sorted(path for path in folder.rglob("*.npz") if not path.name.startswith("."))
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n"
        for path in files
    ]
    with atomic_write(folder / "SHA256SUMS") as file:
        file.write("".join(lines).encode())
    return len(lines)


def _log_to(log_file: Path | None) -> None:
    if log_file is None or log.handlers:
        return
    make_folder(log_file.parent)
    handler = logging.FileHandler(log_file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
