"""Make the files that ship: ``python -m glasslib.companions.phase_classifier [liquids | networks]``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np

from glasslib import catalog
from glasslib.command import Parser, command
from glasslib.companions.phase_classifier.classifier import KINDS, ClassifierOptions
from glasslib.companions.phase_classifier.liquids import folder, hot_liquids, make
from glasslib.companions.phase_classifier.shelf import write
from glasslib.companions.phase_classifier.training import train
from glasslib.graph import Structure
from glasslib.readers.boundary import make_folder

#: Of the classifiers that ship, by what they see.
SEEDS: dict[Structure, tuple[int, ...]] = {"inherent": (0, 1), "thermal": (0,)}


@command("glasslib.companions.phase_classifier", "nothing was written")
def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate the hot liquids, or train the classifiers on them and on the training set at T = 0.64."""
    parser = Parser(prog="python -m glasslib.companions.phase_classifier", description=main.__doc__)
    parser.add_argument("what", choices=["liquids", "networks"], help="some minutes of one core either")
    what = parser.parse_args(arguments).what
    make_folder(folder())  # before the work, not after it
    if what == "liquids":
        make(folder() / "liquids.npz")
    else:
        _networks()


def _networks() -> None:
    hot, cold = hot_liquids("train"), catalog.load("bundled", "train", temperature=0.64)
    classifiers = []
    for kind in KINDS:
        for structure, seeds in SEEDS.items():
            for seed in seeds:
                options = ClassifierOptions(kind, structure, seed=seed)
                classifier, losses = train(hot, cold, options)
                classifiers.append(classifier)
                print(f"{options.name}: loss {np.mean(losses[-20:]):.3f} at the end", flush=True)
    write(classifiers)


if __name__ == "__main__":
    sys.exit(main())
