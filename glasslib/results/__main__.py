"""``python -m glasslib.results list | make [NAME ...]``: every number that the course shows."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from glasslib import __version__
from glasslib.command import Parser, command
from glasslib.errors import GlassError
from glasslib.evaluation import save_scores
from glasslib.readers.boundary import atomic_write, make_folder
from glasslib.results.runs import RUNS
from glasslib.results.shelf import folder
from glasslib.results.studies import STUDIES, Asked, Study


@command("glasslib.results")
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(arguments)
    names = _chosen(options.names)
    _list(names, options.out)
    if options.action == "make":
        for name in names:
            _make(name, options.out, options.runs, not options.quiet)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m glasslib.results",
        description="Make the numbers that the course shows, by training and asking models; what is there"
        " already is left alone, what was cut off goes on.",
    )
    parser.add_argument("action", choices=("list", "make"))
    parser.add_argument("names", nargs="*", metavar="NAME", help="beginnings of names (default: all)")
    parser.add_argument("--out", type=Path, default=folder(), help="default: the results in the package")
    parser.add_argument("--runs", type=Path, default=Path("runs/results"), help="models and checkpoints")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    return parser


def _chosen(beginnings: Sequence[str]) -> list[str]:
    every = [*RUNS, *STUDIES]
    for beginning in beginnings:
        if not any(name.startswith(beginning) for name in every):
            raise GlassError(
                f"there is no result {beginning!r}", remedy="See python -m glasslib.results list"
            )
    return [name for name in every if not beginnings or name.startswith(tuple(beginnings))]


def _minutes(name: str) -> float:
    return RUNS[name].minutes if name in RUNS else STUDIES[name].minutes


def _made(name: str, out: Path) -> bool:
    path = out / f"{name}.json"
    if name in RUNS:
        return RUNS[name].made(path)
    try:
        noted = json.loads(path.read_text())["command"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(noted == STUDIES[name].command)


def _list(names: Sequence[str], out: Path) -> None:
    missing = [name for name in names if not _made(name, out)]
    for name in names:
        state = f"about {_minutes(name):g} min" if name in missing else "there"
        print(f"{name:<44} {state:<14} {RUNS[name].command if name in RUNS else STUDIES[name].title}")
    hours = sum(map(_minutes, missing)) / 60
    print(f"{len(missing)} of {len(names)} to make in {out}: about {hours:.1f} hours of one core")


def _make(name: str, out: Path, runs: Path, progress: bool) -> None:
    if _made(name, out):
        return
    target = out / f"{name}.json"
    make_folder(target.parent)
    print(f"\n{name}", flush=True)
    if name in RUNS:
        scores = RUNS[name].make(runs, progress)
        with open(scores, "rb") as source, atomic_write(target) as file:
            shutil.copyfileobj(source, file)
    else:
        _ask(STUDIES[name], target, runs, progress)


def _ask(study: Study, target: Path, runs: Path, progress: bool) -> None:
    for name in study.needs:
        run = RUNS[name]
        if not (run.checkpoint() or (run.directory(runs) / "scores.json").exists()):
            print(f"\n{name}, which {study.name} asks", flush=True)
            run.make(runs, progress)
    models = {name: Asked.of(RUNS[name], runs) for name in study.needs}
    save_scores(
        target, study.ask(models, runs / study.name, progress), command=study.command, version=__version__
    )


if __name__ == "__main__":
    sys.exit(main())
