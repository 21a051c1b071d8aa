"""``python -m glasslib.simulate.bonds``: how pairs of bundled configurations stretch, as it ships."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tqdm.auto import tqdm

from glasslib.catalog.records import bundled_folder
from glasslib.command import Parser, command
from glasslib.readers import load
from glasslib.readers.boundary import make_folder
from glasslib.simulate.__main__ import shard
from glasslib.simulate.bonds.stretching import TIMES, save, shipped_folder, stretching
from glasslib.simulate.production import made_from, write_checksums

#: What ships: split, how many configurations (the first ones), replicas of each.
SHIPPED = (("train", 4, 8), ("test", 2, 12))


@command("glasslib.simulate.bonds")
def main(arguments: Sequence[str] | None = None) -> None:
    """The command; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    here, shards = options.shard
    for name, replicas in _wanted(options)[here::shards]:
        if not (options.out / name).exists():
            _one(name, replicas, options, arguments)


def _wanted(options: argparse.Namespace) -> list[tuple[str, int]]:
    """Every file, and the number of its replicas."""
    limit, replicas = options.configurations, options.replicas
    return [
        (f"T{options.temperature:.2f}/{split}/{number:03d}.npz", replicas or own)
        for split, count, own in SHIPPED
        for number in range(1, (count if limit is None else limit) + 1)
    ]


def _one(name: str, replicas: int, options: argparse.Namespace, arguments: Sequence[str]) -> None:
    path, target = bundled_folder() / name, options.out / name
    make_folder(target.parent)  # before the work, not after it
    glass = load(path)
    total = round(replicas * max(options.times))
    with tqdm(desc=name, total=total, unit=" LJ time", disable=None) as bar:
        found = stretching(glass, options.times, replicas=replicas, progress=bar.update)
    made = made_from(path, name, ["python", "-m", "glasslib.simulate.bonds", *arguments])
    save(replace(found, provenance={**found.provenance, **made}), target)
    write_checksums(options.out)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m glasslib.simulate.bonds",
        description="Run the replicas of bundled configurations again and keep how their pairs stretch, one "
        "file each, as OUT/T0.64/train/001.npz; without options, what ships with the package. Interrupted, "
        "the same command continues.",
    )
    add = parser.add_argument
    add("--temperature", type=float, default=0.64, help="default %(default)s")
    add("--configurations", type=int, help="the first so many of each split; default: 4 train, 2 test")
    add("--replicas", type=int, help="trajectories of each; default: 8 train, 12 test")
    add("--shard", type=shard, default=(0, 1), metavar="i/n", help="only files i, i+n, ... (from 0)")
    add("--times", type=float, nargs="+", default=list(TIMES), help="default %(default)s")
    add("--out", type=Path, default=shipped_folder(), help="folder of the files, default: the package's")
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
