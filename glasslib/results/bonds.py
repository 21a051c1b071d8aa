"""Does it help to predict how bonds stretch beside how far particles move?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from glasslib import train
from glasslib.equivariant import NetworkOptions
from glasslib.evaluation import Score, bootstrap_interval, ceiling, evaluate, pearson
from glasslib.glass import FloatArray, Glass
from glasslib.graph import GraphOptions, bond_stretching
from glasslib.neighbors import neighbor_pairs
from glasslib.predictor import InteractionPredictor, SE3Predictor
from glasslib.predictor.bonds import BondPredictor
from glasslib.predictor.interaction import TRAINING
from glasslib.simulate import bonds as stretched
from glasslib.targets import SCORED_LENGTH
from glasslib.training import TrainingOptions

#: Passes over the training configurations, the same for every way; pre-training takes half of them.
PASSES = {"BOTAN": 8, "twin": 16}

#: Of weights and the order of configurations; BOTAN's network takes four times as long for a pass.
SEEDS = {"BOTAN": (0,), "twin": (0, 1)}

#: Peak of BOTAN's one-cycle schedule: three times the usual, for so few steps (see the note at
#: :data:`glasslib.predictor.interaction.TRAINING`).
LEARNING_RATE = 3e-3

#: Shares of the particles in the loss.
WEIGHTS = (1.0, 0.4, 0.0)

#: Degree of the polynomial in the length of a bond, which is what a network must beat.
DEGREE = 6

#: The twin sees what BOTAN sees, thermal positions and types; smaller than usual, as are the data.
GRAPH = GraphOptions("thermal", energy=False, displacement=False)
NETWORK = NetworkOptions(hidden="16x0e + 8x1o + 4x2e", n_layers=2)


def bonds(folder: Path, progress: bool) -> dict[str, Score]:
    """Both networks with p = 1, 0.4 and 0, and with p = 0.4 after bonds alone.

    Nothing is set aside and nothing is chosen: the last epoch counts.

    Parameters
    ----------
    folder :
        Gets the checkpoints of every fit; what is there is not done again.
    progress :
        Show bars.

    Returns
    -------
    dict of Score
        ``"twin; p = 0.4; particles; seed 0"``, over all test configurations at T = 0.64; the same for
        ``bonds``, over those whose bonds ship; and what bounds them from above and from below.
    """
    trained_on, tests = stretched.shipped("train"), stretched.shipped("test")
    every = train.load("bundled", "test", 0.64, None, progress)
    every = [glass.at_times(tests[0].require("times")) for glass in every]
    scores: dict[str, Score] = {}
    ways = [(kind, way, seed) for kind in PASSES for way in (*WEIGHTS, None) for seed in SEEDS[kind]]
    for kind, way, seed in tqdm(ways, desc="bonds", disable=not progress):
        name = f"{kind}; " + ("p = 0.4 after p = 0" if way is None else f"p = {way:g}")
        predictor = fitted(kind, way, trained_on, folder, seed)
        if predictor.node_weight > 0:
            scores[f"{name}; particles; seed {seed}"] = evaluate(predictor, every)
        if predictor.node_weight < 1:
            scores[f"{name}; bonds; seed {seed}"] = predictor.score_bonds(tests)
    scores["length alone; bonds"] = by_length(trained_on, tests)
    scores["ceiling; particles"] = ceiling(every)
    scores["ceiling; bonds"] = bond_ceiling("test", tests)
    return scores


def fitted(
    kind: str, weight: float | None, glasses: Sequence[Glass], folder: Path, seed: int = 0
) -> BondPredictor:
    """One network trained in one way; ``weight`` None is bonds alone, then p = 0.4, half the passes each."""
    of_seed = f"-seed{seed}" if seed else ""
    passes = PASSES[kind] if weight is not None else PASSES[kind] // 2
    start = None
    if weight is None:
        alone = untrained(kind, 0.0, passes, seed)
        start = alone.fit(glasses, directory=folder / f"{kind}-start{of_seed}", progress=False)
    predictor = untrained(kind, 0.4 if weight is None else weight, passes, seed)
    own = folder / f"{kind}-{'after' if weight is None else weight}{of_seed}"
    return predictor.fit(glasses, directory=own, start=start, progress=False)


def untrained(kind: str, weight: float, passes: int, seed: int) -> BondPredictor:
    """BOTAN's network or its twin."""
    own = replace(TRAINING, learning_rate=LEARNING_RATE) if kind == "BOTAN" else TrainingOptions()
    training = replace(own, epochs=passes, patience=passes, validation=0.0, seed=seed)
    if kind == "BOTAN":
        return InteractionPredictor("botan", "thermal", training, node_weight=weight)
    return SE3Predictor(GRAPH, NETWORK, training, node_weight=weight)


def scored(glass: Glass) -> tuple[FloatArray, FloatArray]:
    """Length ``(n,)`` and stretching ``(n_times, n)`` of the A-A bonds shorter than 1.35, each once."""
    index, _ = neighbor_pairs(glass.positions, glass.box, SCORED_LENGTH)
    index = index[:, (glass.types[index] == 0).all(axis=0) & (index[0] < index[1])]
    return bond_stretching(glass, index)


def by_length(trained_on: Sequence[Glass], tests: Sequence[Glass]) -> Score:
    """What the length of a bond alone tells of its stretching: a polynomial for each time."""
    length, truth = (np.concatenate(side, axis=-1) for side in zip(*map(scored, trained_on), strict=True))
    fits = [np.polynomial.Polynomial.fit(length, row, DEGREE) for row in truth]
    said, known = [], []
    for glass in tests:
        length, truth = scored(glass)
        said.append(np.stack([fit(length) for fit in fits]))
        known.append(truth)
    return _score(tests[0].require("times"), said, known)


def bond_ceiling(split: str, tests: Sequence[Glass]) -> Score:
    """As :func:`glasslib.evaluation.ceiling`, from how far both halves of the replicas agree on bonds."""
    folder = stretched.shipped_folder()
    files = [folder / "T0.64" / split / Path(str(glass.source)).name for glass in tests]
    r = np.array([stretched.load(file).agreement for file in files]).clip(0, 1)
    each = np.sqrt(2 * r / (1 + r))
    return Score(tests[0].require("times"), each, each.mean(0), each.mean(0), bootstrap_interval(each))


def _score(times: FloatArray, said: Sequence[FloatArray], known: Sequence[FloatArray]) -> Score:
    each = np.array(
        [[pearson(*rows) for rows in zip(*pair, strict=True)] for pair in zip(said, known, strict=True)]
    )
    together = (np.concatenate(side, axis=1) for side in (said, known))
    pooled = [pearson(*rows) for rows in zip(*together, strict=True)]
    return Score(times, each, each.mean(0), np.array(pooled), bootstrap_interval(each))
