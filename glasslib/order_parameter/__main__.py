"""Measure the order parameter of a trained network on all configurations of a data set.

    python -m glasslib.order_parameter --checkpoint se3-T0.64 --data bundled -T 0.56 --out FILE.json

Writes correlations with the propensity, lengths, curves and distributions, of the order parameter and of what
it should be held against. The order parameter is fixed on configurations that the network was trained on;
where the data are the same, only test configurations are measured (the length of the propensity: all).
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from glasslib import __version__, checkpoints
from glasslib.command import Parser, command
from glasslib.errors import GlassError
from glasslib.evaluation import save_scores
from glasslib.glass import Glass
from glasslib.order_parameter.study import Study, study
from glasslib.predictor import SE3Predictor
from glasslib.readers.boundary import make_folder
from glasslib.train import load


@command("glasslib.order_parameter", "nothing was written")
def main(arguments: Sequence[str] | None = None) -> None:
    """Command line; returns the exit status."""
    options = parser().parse_args(arguments)
    given = sys.argv[1:] if arguments is None else arguments
    run(options, shlex.join(["python", "-m", "glasslib.order_parameter", *given]))


def run(options: argparse.Namespace, command: str) -> Study:
    """Load, measure, print the table, and write the file."""
    progress, out = not options.quiet, Path(options.out)
    make_folder(out.parent)  # before the work, not after it
    taken = checkpoints.take(options.checkpoint)
    predictor, card = taken.predictor, taken.card
    if not isinstance(predictor, SE3Predictor) or card is None:
        raise GlassError("expected an SE(3) network with a card", source=options.checkpoint)
    home = card.data["name"], card.data["temperature"]
    target = (options.data or home[0], home[1] if options.data is None else options.temperature)
    trained = load(home[0], "train", home[1], None if target == home else options.fixed_on, progress)
    fixed_on = trained[: options.fixed_on]
    splits = ("test",) if target == home else ("train", "test")
    glasses = [g for split in splits for g in load(target[0], split, target[1], None, progress)]
    print(f"{len(glasses)} configurations ({' and '.join(splits)}), fixed on {len(fixed_on)} others, type A")
    found = study(predictor, fixed_on, glasses, trained if target == home else (), progress=progress)
    print(table(found))
    about = {
        "command": command,
        "version": __version__,
        "checkpoint": {"name": taken.name, "sha256": taken.sha256},
        "data": target[0],
        "temperature": glasses[0].temperature,
        "fixed_on": [_name(glass) for glass in fixed_on],
        "configurations": [_name(glass) for glass in glasses],
    }
    save_scores(out, found.scores, **about, **found.about)
    print(f"\nwritten to {out}")
    return found


def table(found: Study) -> str:
    """Pearson r with the propensity by time, and the correlation length, as text."""
    times = found.scores["ceiling"].times
    width = max(len(name) for name in found.about["lengths"])
    lines = [
        f"{'r(mean) at t =':<{width}}  " + " ".join(f"{t:>6g}" for t in times) + "  length        integral"
    ]
    for name in [*found.scores, *(name for name in found.about["lengths"] if name not in found.scores)]:
        r = " ".join(f"{x:6.3f}" for x in found.scores[name].mean) if name in found.scores else ""
        said = [
            _with_error(*(found.about[key].get(name) for key in keys))
            for keys in (("lengths", "errors"), ("integrals", "integral_errors"))
        ]
        lines.append(f"{name:<{width}}  {r:<{7 * len(times) - 1}}  {said[0]:<12}  {said[1]}".rstrip())
    return "\n".join(lines)


def _with_error(value: float | None, error: float | None) -> str:
    return "" if value is None else f"{value:.2f}" if error is None else f"{value:.2f} ± {error:.2f}"


def parser() -> argparse.ArgumentParser:
    """Of the command line."""
    parser = Parser(
        prog="python -m glasslib.order_parameter",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--checkpoint", default="se3-T0.64", help="its name or file (default: se3-T0.64)")
    parser.add_argument("--data", help="a data set of the catalog (default: that of the checkpoint)")
    parser.add_argument("-T", "--temperature", type=float, help="only configurations of this temperature")
    parser.add_argument(
        "--fixed-on",
        type=int,
        default=4,
        metavar="N",
        help="training configurations that fix it (default: 4)",
    )
    parser.add_argument("--out", required=True, help="the JSON file")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    return parser


def _name(glass: Glass) -> str | None:
    return Path(glass.source).name if glass.source else None


if __name__ == "__main__":
    sys.exit(main())
