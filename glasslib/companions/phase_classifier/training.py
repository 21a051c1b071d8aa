"""Train a classifier on clusters of particles, and count how often it is right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree
from torch.nn import functional
from torch_geometric.data import Data
from tqdm.auto import tqdm

from glasslib.companions.phase_classifier.classifier import ClassifierOptions, PhaseClassifier
from glasslib.errors import GlassError
from glasslib.glass import FloatArray, Glass, wrap


def clusters(
    positions: ArrayLike, box: ArrayLike, size: int, number: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Particles ``(number, size)`` around centres drawn at random: each centre and its nearest neighbours.

    Parameters
    ----------
    positions : (n_particles, 3)
        In any periodic image.
    box : (3,)
        Edge lengths.
    size, number :
        Particles of a cluster, and how many clusters.
    rng :
        Draws the centres.
    """
    box = np.asarray(box, dtype=float)
    there = wrap(positions, box)
    if not 1 <= size <= len(there):
        raise GlassError(f"expected 1 to {len(there)}, got {size}", field="size")
    centers = there[rng.integers(len(there), size=number)]
    _, found = cKDTree(there, boxsize=box).query(centers, k=[*range(1, size + 1)])
    return np.asarray(found, dtype=np.int64)


def train(
    hot: Sequence[Glass],
    cold: Sequence[Glass],
    options: ClassifierOptions | None = None,
    *,
    n_clusters: int = 256,
    progress: bool = True,
) -> tuple[PhaseClassifier, list[float]]:
    """A classifier and the loss of every step.

    Each step takes a hot and a cold configuration and judges random clusters of either: cross entropy,
    AdamW, one cycle.

    Parameters
    ----------
    hot, cold :
        Configurations; how their particles will move is not looked at.
    options :
        Which network, and how it learns.
    n_clusters :
        Clusters of each configuration in a step.
    progress :
        Show a bar.
    """
    if not hot or not cold:
        raise GlassError("expected at least one configuration of each", field="hot, cold")
    options = options or ClassifierOptions()
    classifier = PhaseClassifier(options).train()
    graphs = [[(classifier.graph(glass), glass) for glass in group] for group in (cold, hot)]
    rng = np.random.default_rng(options.seed)
    optimizer = torch.optim.AdamW(classifier.parameters(), options.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.learning_rate, options.steps)
    losses = []
    for _ in tqdm(range(options.steps), options.name, disable=not progress):
        features, chosen, before = [], [], 0
        for group in graphs:
            data, glass = group[rng.integers(len(group))]
            where = glass.positions_in(options.structure)
            chosen.append(before + clusters(where, glass.box, options.cluster, n_clusters, rng))
            features.append(classifier.features(data))
            before = len(glass)
        logits = classifier.logits(torch.cat(features), torch.from_numpy(np.concatenate(chosen)))
        is_hot = torch.tensor([0.0, 1.0]).repeat_interleave(n_clusters)
        loss = functional.binary_cross_entropy_with_logits(logits, is_hot)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    number = min(len(hot), len(cold))
    _standardise(classifier.eval(), [data for group in graphs for data, _ in group[:number]])
    return classifier, losses


def _standardise(classifier: PhaseClassifier, graphs: Sequence[Data]) -> None:
    """Means and spreads of the channels over as many hot as cold configurations, as seen from now on.

    Those gathered while it learned are of weights that changed, and of permuted axes.
    """
    with torch.no_grad():
        features = torch.cat([classifier.features(data) for data in graphs])
    classifier.norm.running_mean = features.mean(0)
    classifier.norm.running_var = features.var(0)


def accuracy(
    activations: Sequence[FloatArray],
    glasses: Sequence[Glass],
    hot: Sequence[bool],
    structure: str,
    size: int,
    *,
    number: int = 500,
    seed: int = 0,
) -> float:
    """Share of random clusters that are judged right, hot and cold counted alike.

    Parameters
    ----------
    activations :
        Of each configuration, ``(n_particles,)``: :meth:`PhaseClassifier.activation`.
    glasses, hot :
        The configurations and what they are.
    structure :
        Positions that clusters are drawn in.
    size :
        Particles of a cluster.
    number, seed :
        Clusters of each configuration, and their seed.
    """
    if not any(hot) or all(hot):
        raise GlassError("expected both hot and cold configurations", field="hot")
    rng, right = np.random.default_rng(seed), {True: [], False: []}  # type: ignore[var-annotated]
    for values, glass, is_hot in zip(activations, glasses, hot, strict=True):
        chosen = clusters(glass.positions_in(structure), glass.box, size, number, rng)
        right[bool(is_hot)].append(((values[chosen].mean(1) > 0) == is_hot).mean())
    return float(np.mean([np.mean(shares) for shares in right.values()]))
