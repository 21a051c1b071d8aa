"""``python -m glasslib.simulate``: make Kob-Andersen configurations with their propensities."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from threading import current_thread, main_thread

from glasslib.command import Parser, command
from glasslib.simulate.cluster import on_dask
from glasslib.simulate.production import Task, produce, tasks, write_checksums
from glasslib.simulate.protocol import SPLITS, Protocol

#: The data set that ships with the package, as far as it is finished, in the order in which it is made:
#: temperature, split, particles, configurations, replicas, parents, seed.
SHIPPED = (
    (0.64, "test", 4096, 4, 32, 1, 64),
    (0.64, "train", 4096, 12, 12, 1, 64),
    (0.56, "test", 4096, 4, 32, 1, 56),
    (0.56, "train", 4096, 12, 12, 1, 56),
    (0.50, "train", 4096, 12, 12, 2, 50),
    (0.50, "test", 4096, 4, 32, 1, 50),
    (0.50, "train", 4096, 36, 12, 2, 50),
)


@command("glasslib.simulate")
def main(arguments: Sequence[str] | None = None) -> None:
    """The command; returns the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if current_thread() is main_thread():  # SIGTERM ends the workers too, as Ctrl-C does
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    if options.checksums:
        print(f"{write_checksums(options.out)} files in {options.out / 'SHA256SUMS'}")
        return
    todo = _shipped(options) if options.shipped else _asked(options, parser)
    with on_dask(options.dask) if options.dask else nullcontext(options.processes) as processes:
        produce(todo, processes=processes, log_file=options.work / "log.txt")
    write_checksums(options.out)


def _shipped(options: argparse.Namespace) -> list[Task]:
    return [
        task
        for temperature, split, particles, configurations, replicas, parents, seed in SHIPPED
        for task in tasks(
            Protocol(
                temperature, split=split, particles=particles, replicas=replicas, parents=parents, seed=seed
            ),
            configurations,
            options.out,
            options.work,
        )
    ]


def _asked(options: argparse.Namespace, parser: argparse.ArgumentParser) -> list[Task]:
    if options.temperature is None:
        parser.error("--temperature or --shipped is needed")
    protocol = Protocol(
        options.temperature,
        split=options.split,
        times=tuple(options.times),
        replicas=options.replicas,
        particles=options.particles,
        seed=options.seed,
        parents=options.parents,
    )
    return tasks(
        protocol,
        options.configurations,
        options.out,
        options.work,
        shard=options.shard,
        keep_end_positions=options.keep_end_positions,
    )


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m glasslib.simulate",
        description="Make configurations of the Kob-Andersen mixture with their propensities, one file each, "
        "as OUT/T0.56/train/001.npz. Interrupted, the same command continues.",
    )
    add = parser.add_argument
    add("--temperature", type=float, help="in epsilon/k_B")
    add("--configurations", type=int, default=12, help="default %(default)s")
    add("--replicas", type=int, default=32, help="trajectories per configuration, default %(default)s")
    add("--split", choices=SPLITS, default="train", help="separate equilibration runs, default %(default)s")
    add("--seed", type=int, default=1, help="default %(default)s")
    add("--particles", type=int, default=4096, help="default %(default)s")
    add("--times", type=float, nargs="+", default=[], help="default: the literature's up to tau_alpha")
    add("--parents", type=int, default=1, help="independent equilibration runs, default %(default)s")
    add("--out", type=Path, required=True, help="folder of the finished files")
    add("--work", type=Path, default=Path("runs/simulate"), help="working files, default %(default)s")
    add("--shard", type=shard, default=(0, 1), metavar="i/n", help="only the parents i, i+n, ... (from 0)")
    add("--processes", type=int, default=1, help="parents that run at the same time, default %(default)s")
    add("--dask", metavar="ADDRESS", help="of a Dask scheduler whose workers run the parents instead")
    add("--keep-end-positions", action="store_true", help="also store every end point (large)")
    add("--shipped", action="store_true", help="make, or add to, the data set that ships with the package")
    add("--checksums", action="store_true", help="only write OUT/SHA256SUMS anew")
    return parser


def shard(text: str) -> tuple[int, int]:
    """The option i/n."""
    here, shards = text.split("/")
    return int(here), int(shards)


if __name__ == "__main__":
    sys.exit(main())
