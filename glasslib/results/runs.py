"""Every training run of the course."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glasslib import checkpoints, train
from glasslib.reduced import FRACTIONS


@dataclass(frozen=True)
class Run:
    """One ``python -m glasslib.train``.

    Attributes
    ----------
    name :
        Of its file of scores, ``data/predictor-seed``.
    arguments :
        Of the command.
    minutes :
        On one core that does nothing else, about.
    temperatures :
        Of the configurations that it is trained on.
    """

    name: str
    arguments: tuple[str, ...]
    minutes: float
    temperatures: tuple[float, ...]

    @property
    def command(self) -> str:
        """As typed."""
        return shlex.join(("python", "-m", "glasslib.train", *self.arguments))

    def directory(self, runs: Path) -> Path:
        """Where it leaves its checkpoints and its model."""
        return runs / self.name

    def make(self, runs: Path, progress: bool = True) -> Path:
        """Run it, or the rest of it; the path of its scores."""
        directory = self.directory(runs)
        quiet = () if progress else ("--quiet",)
        options = train.parser().parse_args([*self.arguments, "--output", str(directory), *quiet])
        options.command = self.command
        train.run(options)
        return directory / "scores.json"

    def made(self, path: Path) -> bool:
        """Whether a file of scores is what this very command wrote, however it was typed."""
        try:
            return self._is(json.loads(path.read_text())["command"])
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def checkpoint(self) -> str | None:
        """The name of the shipped checkpoint that this very command trained, if there is one."""
        cards = (checkpoints.card(name) for name in checkpoints.names())
        return next((card.name for card in cards if self._is(card.training["command"])), None)

    def _is(self, command: str) -> bool:
        try:
            noted = _parsed(shlex.split(command)[3:])  # after python -m glasslib.train
        except SystemExit:  # an option that is no more
            return False
        return noted == _parsed(self.arguments)


def _parsed(arguments: Sequence[str]) -> dict[str, Any]:
    return {"seed": 0, **vars(train.parser().parse_args(arguments))}


def _runs() -> dict[str, Run]:
    runs: list[Run] = []

    def add(data: str, name: str, minutes: float, *arguments: str, seeds: int = 1) -> None:
        place, temperature = _PLACES[data]
        for seed in range(seeds):
            own = (*arguments, *place, "--seed", str(seed))
            runs.append(Run(f"{data}/{name}-seed{seed}", own, minutes, (temperature,)))

    for data, (_, temperature) in _PLACES.items():
        cold = data == "botan-T0.44"
        for start, hotter in _STARTS.items():
            if hotter > temperature:
                add(data, f"from-{start}", 1, "transfer", "--start", start, seeds=3)
        add(data, "ridge", 1, "ridge")
        add(data, "ridge-radial", 1, "ridge", "--no-angular")
        add(data, "ridge-radial-both", 1, "ridge", "--no-angular", "--structure", "both")
        for structure in ("inherent", "thermal"):
            shown = ("--structure", structure, "--no-energy", "--no-displacement")
            add(data, f"ridge-positions-{structure}", 1, "ridge", *shown)
        add(data, "perceptron", 2, "perceptron", seeds=3)
        add(data, "se3", 14 if cold else 6, "se3", *(() if cold else _FORTY), seeds=3 if cold else 1)
        if cold:
            add(data, "se3-small", 10, "se3", *LEVERS["small"], seeds=3)
            add(data, "se3-tuned", 8, "se3", "--start", "se3-T0.64", *_GENTLY)
            add(data, "se3-tuned-T0.50", 8, "se3", "--start", "se3-T0.50", *_GENTLY)
            add(data, "se3-all", 14, "se3", "--validation", "0", seeds=3)
        else:
            add(data, "se3-both", 25, "se3", *_BOTH)
        # bonds are known where end positions are
        bonds = ("50", "--node-weight", "0.4", "--pretraining-epochs", "10") if cold else ("60",)
        for structure in ("thermal", "inherent"):
            plain = (*_PLAIN, "--structure", structure, "--epochs")
            add(data, f"botan-{structure}", 15, "botan", *plain, *bonds)
            add(data, f"bapst-{structure}", 15, "bapst", *plain, "60")
            if cold and structure == "inherent":
                add(data, "botan-particles-inherent", 15, "botan", *plain, "60")
    for name, temperatures in _TOGETHER.items():
        named = ["botan" if t == 0.44 else f"bundled:{t:.2f}" for t in temperatures]
        # BOTAN's sample has one time
        fractions = (1.0,) if 0.44 in temperatures else FRACTIONS
        arguments = ("se3", "--data", *named, "--fractions", *(f"{f:g}" for f in fractions), "--epochs", "30")
        runs.append(Run(f"together/{name}-seed0", arguments, 4 * len(temperatures), temperatures))
    for seed in range(3):
        for lever, changed in LEVERS.items():
            arguments = ("se3", *_THIRTY, *changed, "--data", "botan", "--seed", str(seed))
            runs.append(Run(f"levers/{lever}-seed{seed}", arguments, 3, (0.44,)))
    return {run.name: run for run in runs}


#: What selects the data of a folder of results, and their temperature.
_PLACES = {
    "botan-T0.44": (("--data", "botan"), 0.44),
    "kob-andersen-T0.50": (("--data", "bundled", "-T", "0.50"), 0.50),
    "kob-andersen-T0.56": (("--data", "bundled", "-T", "0.56"), 0.56),
    "kob-andersen-T0.64": (("--data", "bundled", "-T", "0.64"), 0.64),
}

#: One network for several temperatures; the one left out is asked about afterwards.
_TOGETHER = {"without-0.56": (0.64, 0.44), "without-0.64": (0.56, 0.50), "without-0.44": (0.64, 0.56, 0.50)}

#: Checkpoints that others start from, and where they were trained.
_STARTS = {"se3-T0.64": 0.64, "se3-both-T0.64": 0.64, "se3-T0.50": 0.50}

#: From a hotter liquid's network.
_GENTLY = ("--epochs", "40", "--learning-rate", "2e-3")

_FORTY = ("--epochs", "40", "--patience", "20")

_THIRTY = ("--epochs", "30", "--patience", "30")

_BOTH = ("--structure", "both", "--n-thermal-layers", "1", "--epochs", "50", "--patience", "50")

#: What gives the plain networks most in a few hundred steps: edges that know geometry, and Muon.
_PLAIN = (
    *("--geometry-steps", "1500"),
    *("--optimizer", "muon", "--learning-rate", "2e-3"),
    *("--precision", "bf16-mixed"),
)

#: What is changed of the SE(3) network and its training, one at a time, to see on validation configurations
#: what it gives.
LEVERS: dict[str, tuple[str, ...]] = {
    "none": (),
    "no-averages": ("--n-averages", "0"),
    "six-averages": ("--n-averages", "6"),
    "wide-averages": ("--averaging-cutoff", "4"),
    "no-norms": ("--no-norms",),
    "no-displacement": ("--no-displacement",),
    "positions-alone": ("--no-energy", "--no-displacement"),
    "both-structures": ("--structure", "both", "--n-thermal-layers", "1"),
    "two-layers": ("--n-layers", "2"),
    "l-max-1": ("--l-max", "1", "--hidden", "32x0e + 16x1o"),
    "cutoff-1.5": ("--cutoff", "1.5"),
    "small": ("--hidden", "20x0e + 10x1o + 5x2e"),
    "no-dropout": ("--dropout", "0"),
    "no-weight-decay": ("--weight-decay", "0"),
    "squared-error": ("--offset-weight", "1"),
    "muon": ("--optimizer", "muon"),
    "averaged-weights": ("--weight-averaging", "0.98"),
    "motion": ("--motion-weight", "0.3"),
    "bonds": ("--node-weight", "0.7"),
    "from-T0.64": ("--start", "se3-T0.64"),
    "from-T0.50": ("--start", "se3-T0.50"),
}

#: By name.
RUNS: dict[str, Run] = _runs()
