"""``python -m glasslib.simulate.shear``: shear configurations, and keep what rearranged."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tqdm.auto import tqdm

from glasslib.command import Parser, command
from glasslib.errors import GlassError
from glasslib.readers import load
from glasslib.readers.boundary import make_folder
from glasslib.simulate.inherent import inherent_structure
from glasslib.simulate.production import made_from
from glasslib.simulate.shear.quasistatic import PLANES, STEP, n_steps
from glasslib.simulate.shear.rearrangements import rearrangements, save


@command("glasslib.simulate.shear")
def main(arguments: Sequence[str] | None = None) -> None:
    """The command; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    targets = _targets(options.files, options.out)
    make_folder(options.out)
    for path, target in tqdm(targets.items(), "configurations", disable=None):
        if not target.exists():
            _one(path, target, options, arguments)


def _targets(files: list[Path], out: Path) -> dict[Path, Path]:
    """Where the result of each configuration goes."""
    targets = {path: out / f"{path.stem}.npz" for path in files}
    if len(set(targets.values())) < len(targets):
        raise GlassError(
            "two of the files have the same name", field="FILE", remedy="Give each an --out of its own"
        )
    if any(target.resolve() == path.resolve() for path, target in targets.items()):
        raise GlassError("holds the configurations themselves", source=out, remedy="Choose another --out")
    return targets


def _one(path: Path, target: Path, options: argparse.Namespace, arguments: Sequence[str]) -> None:
    glass = load(path)
    if glass.inherent_positions is None:
        glass = inherent_structure(glass)
    steps = len(options.planes) * (n_steps(options.strains[-1], options.step) + 1)
    with tqdm(desc=path.name, total=steps, unit=" steps", disable=None) as bar:
        found = rearrangements(
            glass, options.strains, planes=options.planes, step=options.step, progress=bar.update
        )
    made = made_from(path, path.name, ["python", "-m", "glasslib.simulate.shear", *arguments])
    save(replace(found, provenance={**found.provenance, **made}), target)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m glasslib.simulate.shear",
        description="Shear configurations athermally and quasi-statically, each plane by itself; "
        "OUT/NAME.npz holds D2min at some strains, stress and energy at every step. Interrupted, the same "
        "command continues.",
    )
    add = parser.add_argument
    add("files", type=Path, nargs="+", metavar="FILE", help="configurations, in any format glasslib reads")
    add("--out", type=Path, required=True, help="folder of the finished files")
    add("--strains", type=float, nargs="+", default=[0.01, 0.02, 0.04], help="default %(default)s")
    add("--planes", nargs="+", choices=PLANES, default=list(PLANES), help="default: all three")
    add("--step", type=float, default=STEP, help="strain of a step, default %(default)s")
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
