"""``python -m glasslib.companions.body_order``: make the learning curves that ship, in minutes."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm.auto import tqdm

from glasslib import __version__, catalog
from glasslib.command import Parser, command
from glasslib.companions.body_order.study import BASES, FRACTION, SHIPPED, mobile, rearranging, save, study
from glasslib.readers.boundary import make_folder
from glasslib.simulate import shear

#: In the cage, and the relaxation time.
TIMES = (0.52, 16.5)
STRAIN = 0.02


@command("glasslib.companions.body_order", "nothing was written")
def main(arguments: Sequence[str] | None = None) -> None:
    """The command; returns the exit status."""
    options = _parser().parse_args(arguments)
    make_folder(options.out.parent)  # before the work, not after it
    train, test = (catalog.load("bundled", split, temperature=0.64) for split in ("train", "test"))
    sheared, sheared_test = ([each for _, each in shear.shipped(split)] for split in ("train", "test"))
    targets = [mobile(train, test, time) for time in TIMES]
    targets.append(rearranging(sheared, sheared_test, STRAIN))
    total = 2 * (len(train) + len(test) + len(BASES) * len(targets) * options.splits)
    with tqdm(total=total, disable=options.quiet) as bar:
        found = study(train, test, targets, splits=options.splits, progress=bar.update)
    about = {
        "command": f"python -m glasslib.companions.body_order --splits {options.splits}",
        "version": __version__,
        "fraction": FRACTION,
        "bases": {
            str(order): {"shells": [dataclasses.asdict(each) for each in shells], "l_max": l_max}
            for order, (shells, l_max) in BASES.items()
        },
    }
    save(dataclasses.replace(found, about=about), options.out)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m glasslib.companions.body_order",
        description="Tell active particles of the bundled configurations at T = 0.64 from inactive ones by"
        " invariants of two, three and four bodies: accuracy by number of features.",
    )
    parser.add_argument("--out", type=Path, default=SHIPPED, help="the JSON file; default %(default)s")
    parser.add_argument("--splits", type=int, default=3, help="of the training data; default %(default)s")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser


if __name__ == "__main__":
    sys.exit(main())
