"""Train a predictor and compare it with what it must beat.

    python -m glasslib.train                       the SE(3) network on BOTAN's ten configurations, T = 0.44
    python -m glasslib.train ridge --structure thermal
    python -m glasslib.train botan --data bundled -T 0.64 --output runs/mine
    python -m glasslib.train se3 --data bundled:0.64 bundled:0.56 --fractions 0.0316 0.1 0.316 1

Cut off and started again with the same arguments, training continues where it was.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_only

from glasslib import __version__, catalog
from glasslib.baselines import ConstantPredictor, EnergyPredictor, RidgePredictor
from glasslib.command import Parser, command
from glasslib.equivariant import NetworkOptions
from glasslib.errors import GlassError
from glasslib.evaluation import Score, ceiling, evaluate, save_scores, table
from glasslib.features import FeatureOptions, PhysicalOptions
from glasslib.glass import Glass
from glasslib.graph import GraphOptions
from glasslib.predictor import (
    InteractionPredictor,
    NetworkPredictor,
    PerceptronPredictor,
    SE3Predictor,
    TransferPredictor,
)
from glasslib.readers.boundary import make_folder
from glasslib.reduced import reduced
from glasslib.simulate import inherent_structures
from glasslib.training import PRECISIONS, TrainingOptions

#: BOTAN's public test files; any further ones in the cache are left to other studies.
BOTAN_TEST = 3

#: What can be trained, and its name in tables.
PREDICTORS = {
    "se3": "SE(3) network",
    "transfer": "fresh decoder",
    "botan": "BOTAN",
    "bapst": "Bapst et al.",
    "perceptron": "perceptron on physical descriptors",
    "ridge": "ridge on expert features",
}


def _names(*classes: type) -> set[str]:
    """Of the fields that the command line sets."""
    filled_in = {"n_scalars", "n_vectors", "n_times"}
    return {field.name for cls in classes for field in fields(cls)} - filled_in


#: Options that only some predictors have.
_OWN = {
    "bapst": {"geometry_steps"},
    "botan": {"geometry_steps", "node_weight", "pretraining_epochs"},
    "ridge": {"angular"},
    "se3": {"start", "motion_weight", "node_weight", "pretraining_epochs"},
    "transfer": {"start"},
}

#: All options of each predictor.
_OPTIONS = {
    "se3": _names(GraphOptions, NetworkOptions, TrainingOptions) | _OWN["se3"],
    "transfer": _names(TrainingOptions) | _OWN["transfer"],
    "botan": _names(TrainingOptions) | {"structure"} | _OWN["botan"],
    "bapst": _names(TrainingOptions) | {"structure"} | _OWN["bapst"],
    "perceptron": _names(TrainingOptions) | {"structure"},
    "ridge": {"structure", "energy", "displacement", "seed"} | _OWN["ridge"],
}
_EVERY = set().union(*_OPTIONS.values())


@command("glasslib.train")
def main(arguments: Sequence[str] | None = None) -> None:
    """Command line; returns the exit status."""
    options = parser().parse_args(arguments)
    given = sys.argv[1:] if arguments is None else arguments
    options.command = shlex.join(["python", "-m", "glasslib.train", *given])
    run(options)


def run(options: argparse.Namespace) -> dict[str, Score]:
    """Load, train, evaluate, print the table, and write it beside the model; return the scores."""
    predictor, seed = make_predictor(options), getattr(options, "seed", 0)
    name = "+".join(options.data).replace(":", "-T")
    directory = Path(options.output or f"runs/{name}-{options.predictor}-seed{seed}")
    progress = not options.quiet
    if options.threads:
        torch.set_num_threads(options.threads)
    train, test = (read(options, split, progress) for split in ("train", "test"))

    print(f"{len(train)} training configurations, {len(test)} test configurations, type A, seed {seed}")
    if isinstance(predictor, NetworkPredictor):
        start = _start(options.start) if options.predictor == "se3" and "start" in options else None
        predictor.fit(
            train,
            directory=directory,
            start=start,
            progress=progress,
            devices=options.devices,
            num_nodes=options.nodes,
            precision=options.precision,
        )
    else:
        make_folder(directory)
        predictor.fit(train, progress=progress)
    if rank_zero_only.rank:  # type: ignore[attr-defined]  # of several devices the first goes on
        return {}
    model = directory / ("model.pt" if isinstance(predictor, NetworkPredictor) else "model.npz")
    predictor.save(model)
    scores = {
        "constant": evaluate(ConstantPredictor().fit(train), test),
        "energy alone": evaluate(EnergyPredictor().fit(train), test),
        label(options): evaluate(predictor, test, progress=progress),
    }
    if all(glass.propensity_halves is not None for glass in test):
        scores["ceiling"] = ceiling(test)
    about: dict[str, Any] = {"command": options.command, "version": __version__}
    if isinstance(predictor, NetworkPredictor):
        about["parameters"] = predictor.n_parameters
        print(f"{predictor.n_parameters} parameters, {len(predictor.history)} epochs")
        if "validation_r" in predictor.history[-1]:
            best = max(predictor.history, key=lambda epoch: epoch["validation_r"])
            about["validation_r"] = best["validation_r"]
            print(f"best validation r {best['validation_r']:.3f} in epoch {best['epoch']:.0f}")
    print(f"\n{table(scores)}")
    save_scores(directory / "scores.json", scores, **about)
    print(f"\nmodel in {model}, scores in {directory / 'scores.json'}")
    return scores


def make_predictor(options: argparse.Namespace) -> NetworkPredictor | RidgePredictor:
    """The predictor that the command line asks for, untrained."""
    name = options.predictor
    for option in vars(options):
        if option in _EVERY and option not in _OPTIONS[name]:
            raise GlassError(f"--{option.replace('_', '-')} does not apply to {name}")
    if name == "ridge":  # solved at once, by one process
        for option in ("devices", "nodes", "precision"):
            if vars(options)[option] != parser().get_default(option):
                raise GlassError(f"--{option} does not apply to {name}")
    graph, training = _given(options, GraphOptions), _given(options, TrainingOptions)
    own = {key: value for key, value in vars(options).items() if key in _OWN.get(name, ())}
    if name == "se3":
        network = NetworkOptions(**_given(options, NetworkOptions))
        own.pop("start", None)
        return SE3Predictor(GraphOptions(**graph), network, TrainingOptions(**training), **own)
    if name == "ridge":
        shown = graph if own.get("angular", True) else {**graph, "angular": ()}
        return RidgePredictor(FeatureOptions(**shown), seed=training.get("seed", 0))
    predictor: NetworkPredictor
    if name == "transfer":
        if "start" not in options:
            raise GlassError("is needed by transfer", field="--start", remedy="Name the trained network")
        predictor = TransferPredictor(_start(options.start))
    elif name == "perceptron":
        predictor = PerceptronPredictor(PhysicalOptions(**graph))
    else:
        predictor = InteractionPredictor(name, **graph, **own)
    predictor.training_options = replace(predictor.training_options, **training)
    return predictor


def _start(named: str) -> SE3Predictor:
    """A trained network, by the name of a shipped one, its path, or the directory of its run."""
    path = Path(named)
    if path.is_dir():
        path /= "model.pt"
    shipped = Path(str(package_files("glasslib"))) / "bundled" / "checkpoints" / f"{named}.pt"
    if not path.exists() and not shipped.exists():
        raise GlassError(
            f"there is no model {named!r}",
            field="--start",
            remedy="Name a run's directory, a .pt file, or one of python -m glasslib.checkpoints list",
        )
    return SE3Predictor.load(path if path.exists() else shipped)


def label(options: argparse.Namespace) -> str:
    """What the predictor is called in tables."""
    name, given = PREDICTORS[options.predictor], vars(options)
    structure = given.get("structure", "thermal" if options.predictor in ("botan", "bapst") else "inherent")
    if options.predictor == "ridge":
        if not (given.get("energy", True) or given.get("displacement", True)):
            name += " of positions alone"
        name += "" if given.get("angular", True) else " without bond order"
    if options.predictor == "transfer":
        return f"{name} on {Path(given['start']).name}"
    if "start" in given:
        name += f" fine-tuned from {Path(given['start']).name}"
    if given.get("node_weight", 1.0) < 1:
        name += " with bonds"
    if given.get("motion_weight"):
        name += " with motion"
    if "hidden" in given:
        name += f" of {given['hidden']}"
    if given.get("validation") == 0:
        name += " without validation"
    return f"{name}, {structure}"


def read(options: argparse.Namespace, split: str, progress: bool) -> list[Glass]:
    """The configurations that the command line asks for, of one split, at the times it asks for."""
    glasses: list[Glass] = []
    limit = options.limit if split == "train" else None
    for entry in options.data:
        name, _, temperature = entry.partition(":")
        try:
            wanted = float(temperature) if temperature else options.temperature
        except ValueError:
            raise GlassError(f"{temperature!r} is no temperature", field=f"--data {entry}") from None
        glasses += load(name, split, wanted, limit, progress)
    if options.times:
        glasses = [glass.at_times(options.times) for glass in glasses]
    return reduced(glasses, options.fractions) if options.fractions else glasses


def load(name: str, split: str, temperature: float | None, limit: int | None, progress: bool) -> list[Glass]:
    """Configurations of a catalogued data set with inherent structures; the public ones of BOTAN's tests."""
    if (name, split, limit) == ("botan", "test", None):
        limit = BOTAN_TEST
    glasses = catalog.load(name, split, temperature=temperature, limit=limit, progress=progress)
    missing = [glass for glass in glasses if glass.inherent_energies is None]
    return inherent_structures(glasses, progress=progress) if missing else glasses


def parser() -> argparse.ArgumentParser:
    """Of the command line."""
    parser = Parser(
        prog="python -m glasslib.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("predictor", nargs="?", choices=PREDICTORS, default="se3", help="default: se3")
    parser.add_argument(
        "--data",
        nargs="+",
        default=["botan"],
        metavar="NAME[:T]",
        help="data sets of the catalog, each with all its temperatures or one (default: botan)",
    )
    parser.add_argument("-T", "--temperature", type=float, help="only configurations of this temperature")
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--times", type=float, nargs="+", help="only these times (default: all)")
    when.add_argument(
        "--fractions",
        type=float,
        nargs="+",
        help="only these times, in units of tau_alpha, and propensities over their mean: so that several"
        " temperatures can be learned together (see glasslib.reduced)",
    )
    parser.add_argument("--limit", type=int, help="at most so many training configurations of each data set")
    parser.add_argument("--output", help="directory of the run (default: runs/DATA-PREDICTOR-seedN)")
    parser.add_argument("--devices", type=int, default=1, help="processes or GPUs of a machine (default: 1)")
    parser.add_argument("--nodes", type=int, default=1, help="machines (default: 1); see docs/training.md")
    parser.add_argument("--precision", choices=PRECISIONS, default="32-true", help="default: 32-true")
    parser.add_argument("--threads", type=int, help="CPU threads of this process")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    some = parser.add_argument_group("of some predictors only")
    of: dict[str, Any] = {"default": argparse.SUPPRESS, "metavar": "X"}
    some.add_argument("--node-weight", type=float, **of, help="botan, se3: share of particles in the loss, 1")
    some.add_argument("--motion-weight", type=float, **of, help="se3: of what else end points tell, 0")
    some.add_argument("--pretraining-epochs", type=int, **of, help="botan, se3: epochs on bonds alone, 0")
    some.add_argument(
        "--geometry-steps", type=int, **of, help="botan, bapst: steps in which edges learn geometry, 0"
    )
    some.add_argument(
        "--start", **of, help="se3: fine-tune this model, a shipped one or a run; transfer: keep it"
    )
    some.add_argument(
        "--angular", action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help="ridge: True"
    )
    for cls in (GraphOptions, NetworkOptions, TrainingOptions):
        group = parser.add_argument_group(
            cls.__name__, "see its documentation; the values shown are those of se3 where none is given"
        )
        for field in fields(cls):
            if field.name not in _EVERY or (cls is NetworkOptions and field.name == "cutoff"):
                continue
            flag = f"--{field.name.replace('_', '-')}"
            if isinstance(field.default, bool):
                group.add_argument(
                    flag,
                    action=argparse.BooleanOptionalAction,
                    default=argparse.SUPPRESS,
                    help=str(field.default),
                )
            else:
                group.add_argument(flag, type=type(field.default), **of, help=str(field.default))
    return parser


def _given(options: argparse.Namespace, cls: type) -> dict[str, Any]:
    """What the command line says about the fields of a class."""
    names = {field.name for field in fields(cls)}  # type: ignore[arg-type]
    return {name: value for name, value in vars(options).items() if name in names}


if __name__ == "__main__":
    sys.exit(main())
