"""``python -m glasslib.companions.strings``: make the trajectories of inherent structures that ship."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm.auto import tqdm

from glasslib import catalog
from glasslib.command import Parser, command
from glasslib.companions.strings.draws import save, simulate
from glasslib.readers.boundary import make_folder

#: Interval between frames by temperature, in LJ units: about a tenth of tau_alpha by F_s at 0.64.
INTERVALS = {0.64: 1.0, 0.56: 2.0}


@command("glasslib.companions.strings", "nothing was written")
def main(arguments: Sequence[str] | None = None) -> None:
    """The command; returns the exit status."""
    options = _parser().parse_args(arguments)
    interval = options.interval or INTERVALS.get(options.temperature, 1.0)
    make_folder(options.out.parent)  # before the work, not after it
    (glass,) = catalog.load("bundled", "test", temperature=options.temperature, limit=1)
    total = interval * (options.frames - 1) * options.draws
    with tqdm(total=total, desc=f"T = {options.temperature:g}", unit="LJ time") as bar:
        draws = simulate(
            glass,
            interval=interval,
            n_frames=options.frames,
            n_draws=options.draws,
            seed=options.seed,
            progress=bar.update,
        )
    start = f"T{options.temperature:.2f}/test/001.npz"
    save(options.out, dataclasses.replace(draws, provenance={**draws.provenance, "start": start}))


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m glasslib.companions.strings",
        description="Run trajectories from the first bundled test configuration of a temperature, with"
        " different velocities, and store their inherent structures at equal intervals (about 10 s of one"
        " core for each).",
    )
    add = parser.add_argument
    add("--temperature", type=float, required=True, help="0.64 or 0.56")
    add("--out", type=Path, required=True, help="the npz file")
    add("--interval", type=float, help="between frames, in LJ units; default 1 at T = 0.64, 2 at 0.56")
    add("--frames", type=int, default=4, help="of each trajectory, the start included; default %(default)s")
    add("--draws", type=int, default=8, help="trajectories; default %(default)s")
    add("--seed", type=int, default=14, help="of the velocities; default %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main())
