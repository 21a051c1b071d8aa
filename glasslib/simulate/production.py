"""Finished files, one per configuration, by any number of processes, shards and interruptions."""

from __future__ import annotations

import hashlib
import logging
import shlex
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
from tqdm.auto import tqdm

import glasslib
from glasslib.errors import GlassError
from glasslib.glass import Glass
from glasslib.readers import save
from glasslib.readers.boundary import atomic_write, make_folder
from glasslib.simulate import lammps
from glasslib.simulate.ensemble import isoconfigurational_ensemble
from glasslib.simulate.parent import Parent
from glasslib.simulate.protocol import Protocol

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """What one process does: configurations ``parent``, ``parent + parents``, ... of a data set.

    Parameters
    ----------
    protocol :
        How.
    configurations :
        Of the whole data set.
    parent :
        Which of ``protocol.parents``.
    out, work :
        Folders of the finished files and of the parents' segments.
    keep_end_positions :
        Also store every end point.
    """

    protocol: Protocol
    configurations: int
    parent: int
    out: Path
    work: Path
    keep_end_positions: bool = False

    @property
    def name(self) -> str:
        """For the progress bar and the log."""
        p = self.protocol
        return f"T={p.temperature:.2f} {p.split} {self.parent + 1}/{p.parents}"

    @property
    def missing(self) -> list[int]:
        """Indices of the configurations still to make."""
        mine = range(self.parent, self.configurations, self.protocol.parents)
        return [index for index in mine if not self.path(index).exists()]

    @property
    def segments(self) -> Path:
        """Folder of the parent's working files."""
        p = self.protocol
        return self.work / f"T{p.temperature:.2f}" / p.split / self._own_name

    @property
    def restart(self) -> Path:
        """File from which the parent goes on without its working files."""
        return self.path(0).parent / f"{self._own_name}.restart"

    @property
    def _own_name(self) -> str:
        """Of the parent; tells protocols apart whose parents differ."""
        return f"{self.protocol.digest('times', 'replicas', 'parents')}-{self.parent}"

    def path(self, index: int) -> Path:
        """Of a finished configuration; files are numbered from 001."""
        p = self.protocol
        return self.out / f"T{p.temperature:.2f}" / p.split / f"{index + 1:03d}.npz"


def tasks(
    protocol: Protocol,
    configurations: int,
    out: Path,
    work: Path,
    *,
    shard: tuple[int, int] = (0, 1),
    keep_end_positions: bool = False,
) -> list[Task]:
    """One task per parent; shard i of n takes the parents i, i + n, ... (from 0)."""
    here, shards = shard
    parents = protocol.parents
    if not 0 <= here < shards <= parents:
        raise GlassError(
            f"expected 0 <= i < n <= {parents} (the number of parents), got {here}/{shards}",
            field="shard",
            remedy="A shard needs a parent of its own: raise --parents (which changes the data)",
        )
    if configurations < parents:
        raise GlassError(f"expected at least one for each of {parents} parents", field="configurations")
    return [
        Task(protocol, configurations, parent, Path(out), Path(work), keep_end_positions)
        for parent in range(here, parents, shards)
    ]


def produce(todo: Iterable[Task], *, processes: int = 1, log_file: Path | None = None) -> None:
    """Run tasks in order, ``processes`` at a time; what is already there is left alone.

    Inside ``joblib.parallel_config("dask")`` a Dask cluster runs them.

    Raises
    ------
    GlassError
        Of the first task that fails. Files are whole or absent; the same call continues.
    """
    todo = list(todo)
    if processes < 1:
        raise GlassError(f"expected at least 1, got {processes}", field="processes")
    for folder in {task.path(0).parent for task in todo} | {task.work for task in todo}:
        make_folder(folder)
    lammps.load()
    parallel = joblib.Parallel(n_jobs=processes, batch_size=1, pre_dispatch=processes)
    parallel(joblib.delayed(run)(task, log_file) for task in todo)


def run(task: Task, log_file: Path | None = None) -> None:
    """Make those configurations of a task that are not there yet."""
    p, missing = task.protocol, task.missing
    if not missing:
        return
    with _logging_to(log_file), lammps.instance() as lmp:
        liquid = lammps.Liquid(lmp, p.types, p.box)
        parent = Parent(p, task.parent, task.segments, task.restart, liquid)
        ahead = parent.ahead(missing[-1] // p.parents) + len(missing) * p.replicas * p.times[-1]
        if liquid.is_main:
            log.info("%s: %d configurations to make", task.name, len(missing))
        quiet = None if liquid.is_main else True  # None: only where there is a terminal
        with tqdm(desc=task.name, total=round(ahead), unit=" LJ time", disable=quiet) as bar:
            parent.progress = bar.update
            for index in missing:
                positions, checks = parent.start(index // p.parents)
                if liquid.is_main:  # before the replicas, so that whoever ends them keeps the way here
                    parent.save_restart(index // p.parents)
                begin = time.perf_counter()
                glass = isoconfigurational_ensemble(
                    liquid,
                    p,
                    positions,
                    index,
                    keep_end_positions=task.keep_end_positions,
                    progress=bar.update,
                )
                seconds = time.perf_counter() - begin
                if liquid.is_main:
                    _finish(task, index, glass, checks, int(lmp.version()))
                    log.info("%s: %03d took %.0f s, %s", task.name, index + 1, seconds, _rate(p, seconds))


def _finish(task: Task, index: int, glass: Glass, checks: dict[str, Any], lammps_version: int) -> None:
    """Judge the checks, save the file, renew the checksums."""
    p = task.protocol
    checks = checks | glass.provenance["checks"]
    for name, check in checks.items():
        if "limit" in check:
            check["passed"] = bool(check["value"] <= check["limit"])
            if not check["passed"]:
                log.warning("%s: %03d fails %s: %s", task.name, index + 1, name, check)
    provenance = {
        "generator": f"glasslib {glasslib.__version__}",
        "git_commit": git_commit(),
        "lammps": lammps_version,
        "licence": "CC-BY-4.0",
        "protocol": p.asdict(),
        "parent": task.parent,
        "index": index,
        "start": index // p.parents,
        "checks": checks,
    }
    path = task.path(index)
    save(glass.replace(provenance=provenance), path, compact=True)
    write_checksums(task.out)
    tau = checks["tau_alpha"]
    log.info("%s: tau_alpha %.3g (literature, or its extrapolation: %.3g)", task.name, *tau.values())


def _rate(p: Protocol, seconds: float) -> str:
    steps = p.replicas * p.times[-1] / p.timestep
    return f"{steps * p.particles / seconds:.3g} atom-steps/s"


def git_commit() -> str:
    """Of the source this runs from; empty outside a repository."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def made_from(path: Path, name: str, words: Sequence[str]) -> dict[str, str]:
    """Provenance of what a command computed from a configuration in a file."""
    return {
        "configuration": name,
        "sha256": _sha256(path),
        "command": shlex.join(words),
        "git_commit": git_commit(),
    }


def write_checksums(folder: Path) -> int:
    """``SHA256SUMS`` of every npz file below a folder, as ``sha256sum -c`` reads it; how many."""
    files = sorted(path for path in folder.rglob("*.npz") if not path.name.startswith("."))
    lines = [f"{_sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    with atomic_write(folder / "SHA256SUMS") as file:
        file.write("".join(lines).encode())
    return len(lines)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class _LogFile(logging.FileHandler):
    """A log that goes without what a full disk leaves no room for; the data say that the disk is full."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Not a traceback on the terminal for each line."""

    def close(self) -> None:
        """Whether or not there is room for the rest."""
        with suppress(OSError):
            super().close()


@contextmanager
def _logging_to(log_file: Path | None) -> Iterator[None]:
    if log_file is None:
        yield
        return
    try:
        handler = _LogFile(log_file)
    except OSError as error:
        raise GlassError(f"cannot be written: {error.strerror}", source=log_file) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()
