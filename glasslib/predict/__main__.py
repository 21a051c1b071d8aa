"""Predict the mobility of your own configurations.

    python -m glasslib.predict mine.npz                        writes mine.predicted.npz here
    python -m glasslib.predict mine.xyz --xyz --html           also for OVITO, and to look at in a browser
    python -m glasslib.predict FOLDER more.npz --out-dir out   many at once

Reads BOTAN, GlassBench and glasslib npz, DeepMind pickles (nothing in them is run) and extended XYZ; lengths
in sigma_AA. Whatever lies outside the range that the checkpoint was trained on is told on stderr.
The exit status is 0; 1 when some of several files could not be done; 2 when nothing could.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from glasslib import checkpoints
from glasslib.command import Parser, command
from glasslib.errors import GlassError
from glasslib.evaluation import pearson
from glasslib.glass import TYPE_NAMES
from glasslib.predict.outputs import write_html, write_npz
from glasslib.predict.plan import Job, jobs
from glasslib.predict.prediction import Prediction, predict
from glasslib.predict.xyz import read, write_xyz

DEFAULT = "se3-T0.64"

_STEPS = ("reading", "checking", "inherent structure", "predicting", "writing")
_WRITERS = {"npz": write_npz, "xyz": write_xyz, "html": write_html}


@command("glasslib.predict", "what was written is whole")
def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    todo = jobs(options.files, options.out, options.xyz, options.html, options.out_dir)
    checkpoint = checkpoints.take(options.checkpoint)
    failed = 0
    for job in tqdm(todo, desc="files", disable=options.quiet or len(todo) == 1):
        failed += not _done(job, checkpoint, options)
    if failed and len(todo) > 1:
        print(f"glasslib.predict: {failed} of {len(todo)} files could not be done", file=sys.stderr)
        return 1
    return 2 if failed else 0


def _done(job: Job, checkpoint: checkpoints.Checkpoint, options: argparse.Namespace) -> bool:
    try:
        _run(job, checkpoint, options)
    except GlassError as error:
        tqdm.write(f"glasslib.predict: {error}", file=sys.stderr)
        return False
    return True


def _run(job: Job, checkpoint: checkpoints.Checkpoint, options: argparse.Namespace) -> None:
    """One file: read, predict, warn, write, and print what came out."""
    job.require_free(force=options.force)
    with tqdm(total=len(_STEPS), desc=_STEPS[0], leave=False, disable=options.quiet) as bar:

        def report(step: str) -> None:
            bar.n = _STEPS.index(step)
            bar.set_description(step)

        glass = read(job.source, options.member, temperature=options.temperature)
        prediction = predict(glass, checkpoint, times=options.times, report=report)
        report("writing")
        job.make_folders()
        for kind, path in job.targets.items():
            _WRITERS[kind](prediction, path)
    for warning in prediction.warnings:
        tqdm.write(f"{job.source}: warning: {warning}", file=sys.stderr)
    if prediction.warnings:
        tqdm.write(f"{job.source}: warning: these predictions are extrapolation", file=sys.stderr)
    tqdm.write("\n".join(_summary(prediction, job)), file=sys.stdout)


def _summary(prediction: Prediction, job: Job) -> list[str]:
    """Mean and spread of the prediction by time; its r where the file knows the measured propensity."""
    glass, shown = prediction.glass, prediction.trained
    kinds = [name for k, name in enumerate(TYPE_NAMES) if (glass.types[shown] == k).any()]
    checkpoint = f"checkpoint {prediction.checkpoint} ({prediction.sha256[:12]})"
    whose = f"type {' and '.join(kinds)}{'' if shown.all() else '; others were not trained on'}"
    lines = [
        f"{job.source}: {len(glass)} particles, {checkpoint}",
        f"{'time':>10}  {'mean':>7}  {'5 %':>7}  {'95 %':>7}  {'measured r':>10}   ({whose})",
    ]
    for time, row in zip(prediction.times, prediction.propensity[:, shown], strict=True):
        low, high = np.percentile(row, [5, 95])
        r = ""
        if glass.propensity is not None and glass.times is not None:
            same = np.flatnonzero(np.isclose(glass.times, time, rtol=1e-6, atol=0.0))
            r = f"{pearson(row, glass.propensity[same[0], shown]):.3f}" if len(same) else ""
        lines.append(f"{time:>10g}  {row.mean():>7.3f}  {low:>7.3f}  {high:>7.3f}  {r:>10}".rstrip())
    return [*lines, *(f"wrote {path}" for path in job.targets.values())]


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m glasslib.predict",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("files", nargs="+", type=Path, metavar="FILE", help="configurations, or folders of them")
    add("--checkpoint", default=DEFAULT, help="a name, or the path of a model (default: %(default)s)")
    add("--times", type=float, nargs="+", help="only these times (default: all of the checkpoint)")
    add("--temperature", type=float, help="in epsilon/k_B, where the file does not say")
    add("--member", metavar="NAME", help="which file of a tar.gz")
    add("--out", type=Path, metavar="PATH.npz", help="numbers; default FILE.predicted.npz in this folder")
    add("--xyz", nargs="?", const=True, metavar="PATH.xyz", help="extended XYZ, for OVITO")
    add("--html", nargs="?", const=True, metavar="PATH.html", help="a figure to turn, for a browser")
    add("--out-dir", type=Path, metavar="FOLDER", help="where everything goes; needed for several files")
    add("--force", action="store_true", help="replace files that are there")
    add("--quiet", action="store_true", help="no progress bars")
    return parser


if __name__ == "__main__":
    sys.exit(main())
