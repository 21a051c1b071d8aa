"""How many configurations of another state point does it take?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from glasslib import checkpoints, train
from glasslib.evaluation import Score, evaluate
from glasslib.glass import Glass
from glasslib.predictor import NetworkPredictor, SE3Predictor, TransferPredictor
from glasslib.training import TrainingOptions

#: Configurations of the other state point that are trained on, and how often they are drawn.
SIZES, DRAWS = (1, 3, 10), 2

#: Gradient steps, the same for every number of configurations; nothing is set aside, so that one is enough.
STEPS = {"fine-tuned": 120, "from scratch": 240}

WAYS = ("frozen", *STEPS)


def transfer(
    checkpoint: str | Path, folder: Path, progress: bool, ways: Sequence[str] = WAYS
) -> dict[str, Score]:
    """Ways from a hotter liquid to BOTAN's cold one, by the number of its configurations.

    Frozen: a fresh decoder on what the network knows already. Fine-tuned: all weights go on learning. From
    scratch: the same network without the hotter liquid.

    Parameters
    ----------
    checkpoint :
        An SE(3) network trained in the hotter liquid, by name or path.
    folder :
        Gets the checkpoints of every fit; what is there is not done again.
    progress :
        Show bars.
    ways :
        Of the three.
    """
    backbone = checkpoints.load(checkpoint)
    assert isinstance(backbone, SE3Predictor)
    glasses, tests = (train.load("botan", split, None, None, progress) for split in ("train", "test"))
    scores = {}
    fits = [(n, draw) for draw in range(DRAWS) for n in SIZES if n < len(glasses) or draw == 0]
    for n, draw in tqdm(fits, desc="transfer", disable=not progress):
        drawn = np.random.default_rng(draw).permutation(len(glasses))[:n]
        some = [glasses[k] for k in sorted(drawn)]
        for way in ways:
            name = f"{way}; {n} configurations; draw {draw}"
            scores[name] = evaluate(_fit(way, backbone, some, draw, folder / name.replace("; ", "-")), tests)
    return scores


def _fit(
    way: str, backbone: SE3Predictor, glasses: Sequence[Glass], seed: int, folder: Path
) -> NetworkPredictor:
    if way == "frozen":
        options = TrainingOptions(epochs=100, learning_rate=5e-3, validation=0.0, seed=seed)
        return TransferPredictor(backbone, training=options).fit(glasses, directory=folder, progress=False)
    options = TrainingOptions(epochs=STEPS[way] // len(glasses), validation=0.0, seed=seed)
    predictor = SE3Predictor(backbone.graph_options, backbone.network_options, options)
    start = backbone if way == "fine-tuned" else None
    return predictor.fit(glasses, directory=folder, start=start, progress=False)
