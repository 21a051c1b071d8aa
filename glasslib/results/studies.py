"""What is asked of trained models: other temperatures, ensembles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from glasslib import checkpoints, train
from glasslib.baselines import RidgePredictor
from glasslib.evaluation import Predictor, Score, ceiling, load_scores, score
from glasslib.glass import FloatArray
from glasslib.reduced import reduced
from glasslib.results.bonds import bonds
from glasslib.results.runs import RUNS, Run
from glasslib.results.transfer import WAYS, transfer
from glasslib.simulate import expected_tau

#: Test configurations by temperature: those of BOTAN's sample and our own.
TESTS = {0.44: "botan", 0.50: "bundled", 0.56: "bundled", 0.64: "bundled"}


#: Asked at every temperature: one of each kind from each, and those trained at several.
_TRAVELLERS = tuple(
    name
    for name in RUNS
    if name.endswith(
        ("/ridge-radial-seed0", "/perceptron-seed0", "/se3-seed0", "-thermal-seed0", "-inherent-seed0")
    )
    or name.startswith("together/")
)
_SEVERAL = tuple(
    name
    for name in RUNS
    if name.startswith(
        tuple(f"botan-T0.44/{kind}" for kind in ("se3-seed", "from-", "perceptron-", "ridge-radial-seed"))
    )
)

#: Kinds of predictors whose means are averaged.
_TOGETHER = (("se3", "ridge"), ("se3", "transfer"), ("se3", "transfer", "ridge"))


@dataclass(frozen=True)
class Study:
    """Something computed from trained models.

    Attributes
    ----------
    name :
        Of its file.
    title :
        What it asks.
    needs :
        Names of the runs whose models it asks.
    minutes :
        On one core that does nothing else, about, once the models are there.
    ask :
        Of models by the name of their run: scores; may keep what it fits in a folder.
    """

    name: str
    title: str
    needs: tuple[str, ...]
    minutes: float
    ask: Callable[[dict[str, Asked], Path, bool], dict[str, Score]]

    @property
    def command(self) -> str:
        """As typed."""
        return f"python -m glasslib.results make {self.name}"


@dataclass(frozen=True)
class Asked:
    """A trained model and the run that it comes from."""

    run: Run
    predictor: Predictor
    times: FloatArray

    @classmethod
    def of(cls, run: Run, runs: Path) -> Asked:
        """The shipped model of a run, or that of a finished one."""
        shipped, directory = run.checkpoint(), run.directory(runs)
        if shipped:
            return cls(run, checkpoints.load(shipped), np.array(checkpoints.card(shipped).times))
        scores = load_scores(directory / "scores.json")
        is_ridge = run.arguments[0] == "ridge"
        predictor = RidgePredictor.load(directory / "model.npz") if is_ridge else checkpoints.load(directory)
        return cls(run, predictor, scores["constant"].times)

    @property
    def label(self) -> str:
        """As in tables."""
        return train.label(train.parser().parse_args(self.run.arguments))

    def row_at_tau(self) -> int:
        """Which of its times is tau_alpha of the temperature that it was trained at."""
        tau = 1.0 if "--fractions" in self.run.arguments else expected_tau(self.run.temperatures[0])
        return int(np.abs(np.log(self.times / tau)).argmin())


def _temperatures(models: dict[str, Asked], _: Path, progress: bool) -> dict[str, Score]:
    """One model at tau_alpha of every temperature."""
    (model,) = models.values()
    row, trained = model.row_at_tau(), ", ".join(f"{t:.2f}" for t in sorted(model.run.temperatures))
    scores = {}
    for tested, data in tqdm(TESTS.items(), desc=model.run.name, disable=not progress):
        glasses = reduced(train.load(data, "test", tested, None, progress=False), [1.0])
        said = [model.predictor.predict(glass)[row : row + 1] for glass in glasses]
        scores[f"{model.label}; trained at {trained}; tested at {tested:.2f}"] = score(said, glasses)
        scores[f"ceiling; tested at {tested:.2f}"] = ceiling(glasses)
    return scores


def _ensembles(models: dict[str, Asked], _: Path, progress: bool) -> dict[str, Score]:
    """Means of what models say, each kind counted once."""
    glasses = train.load("botan", "test", None, None, progress)
    kinds: dict[str, list[FloatArray]] = defaultdict(list)
    for model in tqdm(models.values(), desc="ensembles", disable=not progress):
        kinds[model.run.arguments[0]].append(np.stack([model.predictor.predict(glass) for glass in glasses]))
    means = {kind: np.mean(said, axis=0) for kind, said in kinds.items()}
    scores = {
        f"{train.PREDICTORS[kind]}, mean of {len(said)}": score(means[kind], glasses)
        for kind, said in kinds.items()
    }
    for together in _TOGETHER:
        scores[" and ".join(together)] = score(np.mean([means[kind] for kind in together], axis=0), glasses)
    return {**scores, "ceiling": ceiling(glasses)}


def _transfer(
    models: dict[str, Asked],
    folder: Path,
    progress: bool,
    *,
    start: str = "se3-T0.64",
    ways: Sequence[str] = WAYS,
) -> dict[str, Score]:
    assert not models  # it starts from a shipped one
    return transfer(start, folder, progress, ways)


def _bonds(models: dict[str, Asked], folder: Path, progress: bool) -> dict[str, Score]:
    assert not models  # it trains its own
    return bonds(folder, progress)


#: By name.
STUDIES = {
    study.name: study
    for study in (
        *(
            Study(f"temperatures/{name}", "at every temperature", (name,), 1, _temperatures)
            for name in _TRAVELLERS
        ),
        Study("ensembles", "several models asked together, BOTAN's sample", _SEVERAL, 3, _ensembles),
        Study("bonds", "BOTAN and its equivariant twin, with and without bonds", (), 12, _bonds),
        Study("transfer", "from T = 0.64 to BOTAN's sample", (), 22, _transfer),
        Study(
            "transfer-T0.50",
            "from T = 0.50 to BOTAN's sample",
            (),
            5,
            partial(_transfer, start="se3-T0.50", ways=("frozen",)),
        ),
    )
}
