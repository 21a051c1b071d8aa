"""Train the SE(3) network and compare it with what it must beat.

    python -m glasslib.train                       BOTAN's ten configurations at T = 0.44, tau_alpha
    python -m glasslib.train --data bundled -T 0.56 --output runs/mine

Cut off and started again with the same arguments, it continues where it was.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_only

from glasslib import catalog
from glasslib.baselines import ConstantPredictor, EnergyPredictor
from glasslib.equivariant import NetworkOptions
from glasslib.errors import GlassError
from glasslib.evaluation import Score, ceiling, evaluate, table
from glasslib.glass import Glass
from glasslib.graph import GraphOptions
from glasslib.predictor import SE3Predictor
from glasslib.simulate import inherent_structures
from glasslib.training import TrainingOptions

#: BOTAN's public test files; any further ones in the cache are left to other studies.
BOTAN_TEST = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        run(options)
    except GlassError as error:
        print(f"glasslib.train: {error}", file=sys.stderr)
        return 2
    return 0


def run(options: argparse.Namespace) -> dict[str, Score]:
    """Load, train, evaluate, print the table, and write it beside the checkpoint; return the scores."""
    directory = Path(options.output or f"runs/{options.data}-seed{options.seed}")
    graph = GraphOptions(**_chosen(options, GraphOptions))
    predictor = SE3Predictor(
        graph,
        NetworkOptions(**_chosen(options, NetworkOptions)),
        TrainingOptions(**_chosen(options, TrainingOptions)),
    )
    progress = not options.quiet
    if options.threads:
        torch.set_num_threads(options.threads)
    train = load(options.data, "train", options.temperature, options.limit, progress)
    test = load(
        options.data, "test", options.temperature, BOTAN_TEST if options.data == "botan" else None, progress
    )
    if options.times:
        train, test = ([g.at_times(options.times) for g in glasses] for glasses in (train, test))

    predictor.fit(train, directory=directory, progress=progress, devices=options.devices)
    if rank_zero_only.rank:  # type: ignore[attr-defined]  # of several devices the first goes on
        return {}
    predictor.save(directory / "model.pt")
    scores = {
        "constant": evaluate(ConstantPredictor().fit(train), test),
        "energy alone": evaluate(EnergyPredictor().fit(train), test),
        "SE(3) network": evaluate(predictor, test, progress=progress),
    }
    if all(glass.propensity_halves is not None for glass in test):
        scores["ceiling"] = ceiling(test)
    best = max(predictor.history, key=lambda epoch: epoch["validation_r"])
    print(f"\n{len(train)} training configurations, {len(test)} test configurations, type A")
    print(f"{predictor.n_parameters} parameters, seed {options.seed}")
    epochs = len(predictor.history)
    print(f"best validation r {best['validation_r']:.3f} in epoch {best['epoch']:.0f} of {epochs}\n")
    print(table(scores))
    rows = {
        name: {
            "times": score.times.tolist(),
            "mean": score.mean.tolist(),
            "interval": score.interval.tolist(),
            "pooled": score.pooled.tolist(),
            "each": score.each.tolist(),
        }
        for name, score in scores.items()
    }
    (directory / "scores.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(f"\nweights in {directory / 'model.pt'}, scores in {directory / 'scores.json'}")
    return scores


def load(name: str, split: str, temperature: float | None, limit: int | None, progress: bool) -> list[Glass]:
    """Configurations of a catalogued data set, with their inherent structures."""
    glasses = catalog.load(name, split, temperature=temperature, limit=limit, progress=progress)
    missing = [glass for glass in glasses if glass.inherent_energies is None]
    return inherent_structures(glasses, progress=progress) if missing else glasses


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m glasslib.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", default="botan", help="a data set of the catalog (default: botan)")
    parser.add_argument("-T", "--temperature", type=float, help="only configurations of this temperature")
    parser.add_argument("--times", type=float, nargs="+", help="only these times (default: all)")
    parser.add_argument("--limit", type=int, help="at most so many training configurations")
    parser.add_argument("--output", help="directory of the run (default: runs/DATA-seedN)")
    parser.add_argument("--devices", type=int, default=1, help="processes or GPUs to train on (default: 1)")
    parser.add_argument("--threads", type=int, help="CPU threads of this process")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    for cls in (GraphOptions, NetworkOptions, TrainingOptions):
        group = parser.add_argument_group(
            cls.__name__, "see its documentation; the values shown are the defaults"
        )
        for field in fields(cls):
            if field.name in ("n_scalars", "n_vectors", "n_times") or (
                cls is NetworkOptions and field.name == "cutoff"
            ):
                continue
            flag = f"--{field.name.replace('_', '-')}"
            if isinstance(field.default, bool):
                group.add_argument(flag, action=argparse.BooleanOptionalAction, default=field.default)
            else:
                group.add_argument(
                    flag, type=type(field.default), default=field.default, metavar=str(field.default)
                )
    return parser


def _chosen(options: argparse.Namespace, cls: type) -> dict[str, Any]:
    names = {field.name for field in fields(cls)}  # type: ignore[arg-type]
    return {name: value for name, value in vars(options).items() if name in names}


if __name__ == "__main__":
    sys.exit(main())
