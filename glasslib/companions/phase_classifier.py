"""Liquid or solid? A classifier that never sees motion, and the map of where it sees the liquid.

A network learns to tell particles of a hot liquid from those of a cold one, from positions alone; its answer
for many particles is the mean of one number per particle. That number, on a cold configuration, says where it
looks hot: *liquid-like*. After Liu, Oyama, Kawasaki and Mizuno, J. Appl. Phys. 136, 144702 (2024), who
do it with a convolutional network on pictures and Grad-CAM; particles need no pictures.

    python -m glasslib.companions.phase_classifier

trains those that ship, in some minutes of one core.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.data import Data
from tqdm.auto import tqdm

from glasslib import catalog
from glasslib.companions.hot_liquids import folder, hot_liquids
from glasslib.equivariant import NetworkOptions, SE3Network
from glasslib.errors import GlassError
from glasslib.glass import FloatArray, Glass, wrap
from glasslib.graph import GraphOptions, Structure, build_graph
from glasslib.readers.boundary import atomic_write

KINDS = ("se3", "point")
#: Seeds of the trained classifiers that ship, of every kind and structure.
SEEDS = (0, 1)
FORMAT = "glasslib phase classifiers 1"
#: Channels of a particle before the last, linear layer of either network.
WIDTH = 16
_NETWORK = NetworkOptions(
    n_scalars=2,
    n_vectors=0,
    hidden="16x0e + 8x1o",
    n_layers=2,
    l_max=1,
    n_averages=0,
    width=WIDTH,
    dropout=0.0,
)


@dataclass(frozen=True)
class ClassifierOptions:
    """Which classifier, and how it learns; this project's choices.

    Parameters
    ----------
    kind :
        ``"se3"``: a small :class:`glasslib.equivariant.SE3Network`; ``"point"``: :class:`PointNetwork`.
    structure :
        ``"inherent"`` or ``"thermal"`` positions.
    cluster :
        Neighbouring particles that are judged together while it learns.
    steps :
        Optimiser steps, each on one hot and one cold configuration.
    seed :
        Of weights, order and clusters.
    """

    kind: str = "se3"
    structure: Structure = "inherent"
    cluster: int = 32
    steps: int = 100
    learning_rate: float = 1e-2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise GlassError(f"expected one of {', '.join(KINDS)}, got {self.kind!r}", field="kind")
        if self.structure not in ("thermal", "inherent"):
            raise GlassError(f"expected 'thermal' or 'inherent', got {self.structure!r}", field="structure")
        for name in ("cluster", "steps"):
            if getattr(self, name) < 1:
                raise GlassError(f"expected at least 1, got {getattr(self, name)}", field=name)

    @property
    def name(self) -> str:
        """Of its place among the shipped networks."""
        return f"{self.kind}-{self.structure}-{self.seed}"


class PointNetwork(nn.Module):
    """A plain network on the cloud of neighbours; not equivariant.

    A perceptron sees the vector to each neighbour and both types; its outputs are added up over the
    neighbours, and another perceptron sees the sum: PointNet (Qi et al., CVPR 2017) of every particle's
    surroundings. While it trains, axes are permuted and reflected at random.
    """

    def __init__(self) -> None:
        super().__init__()
        self.edges = nn.Sequential(nn.Linear(7, 16), nn.SiLU(), nn.Linear(16, 16), nn.SiLU())
        self.nodes = nn.Sequential(nn.Linear(16, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU())

    def representation(self, data: Data) -> Tensor:
        """Features of every particle, ``(n_particles, WIDTH)``."""
        j, i = data.edge_index
        vectors = data.edge_vector
        if self.training:
            vectors = vectors[:, torch.randperm(3)] * (2 * torch.randint(2, (3,)) - 1)
        sent = self.edges(torch.cat([vectors, data.scalars[j], data.scalars[i]], dim=1))
        received = sent.new_zeros(len(data.types), sent.shape[1]).index_add(0, i, sent)
        features: Tensor = self.nodes(received / _NETWORK.n_neighbors)
        return features


class PhaseClassifier(nn.Module):
    r"""Hot or cold: one number per particle, :math:`w \cdot h_i + b`, and their mean for a cluster.

    Parameters
    ----------
    options :
        Which network makes the features :math:`h_i`.
    """

    def __init__(self, options: ClassifierOptions | None = None) -> None:
        super().__init__()
        self.options = options = options or ClassifierOptions()
        torch.manual_seed(options.seed)
        self.backbone = SE3Network(_NETWORK) if options.kind == "se3" else PointNetwork()
        if options.kind == "se3":
            self.backbone.decoders = nn.ModuleList()  # for propensity; never asked here
        self.head = nn.Linear(WIDTH, 1)

    def graph(self, glass: Glass) -> Data:
        """What is shown of a configuration: where the particles are and of which type. No energies."""
        bare = glass.replace(propensity=None, propensity_halves=None)
        options = GraphOptions(self.options.structure, energy=False, displacement=False, averaging_cutoff=0)
        return build_graph(bare, options)

    def features(self, data: Data) -> Tensor:
        """Features of every particle, ``(n_particles, WIDTH)``."""
        features: Tensor = self.backbone.representation(data)
        return features

    def logits(self, features: Tensor, clusters: Tensor | None = None) -> Tensor:
        """Log-odds ``(n_clusters,)`` that clusters of particles, ``(n_clusters, size)``, are hot.

        Without clusters, of all particles together: a scalar. The mean over the particles comes before the
        linear layer (global average pooling).
        """
        pooled = features.mean(0) if clusters is None else features[clusters].mean(1)
        return self.head(pooled).squeeze(-1)

    def activation(self, glass: Glass) -> FloatArray:
        r"""The class activation map ``(n_particles,)``: log-odds :math:`w \cdot h_i + b` of each particle.

        Its mean is the log-odds of the configuration, so that nothing is left over: large where the
        structure is liquid-like, small where it is solid-like.
        """
        self.eval()
        with torch.no_grad():
            per_particle: FloatArray = self.head(self.features(self.graph(glass)))[:, 0].double().numpy()
        return per_particle


def grad_cam(features: Tensor, logit: Tensor) -> Tensor:
    r"""Gradient-weighted class activation map of a cloud of particles.

    .. math:: L_i = \sum_c \alpha_c h_{ic}, \qquad
        \alpha_c = \frac1n \sum_i \frac{\partial \text{logit}}{\partial h_{ic}}.

    Both signs are kept: liquid-like and solid-like both count, where Selvaraju et al. (ICCV 2017) cut off
    what is negative. It works at any layer of any network. Where a mean over particles and a linear layer
    follow, n L is the class activation map up to a constant (there :math:`\alpha = w / n`); elsewhere it
    is a linearisation.

    Parameters
    ----------
    features : (n_particles, n_channels)
        Of some layer, on the way to ``logit``.
    logit :
        A scalar, computed from them.

    Returns
    -------
    Tensor (n_particles,)
        The map.
    """
    if features.ndim != 2 or logit.numel() != 1:
        raise GlassError(
            f"expected features (n, channels) and one logit, got {tuple(features.shape)} and"
            f" {tuple(logit.shape)}",
            field="features",
        )
    (gradient,) = torch.autograd.grad(logit.sum(), features, retain_graph=True)
    return (features @ gradient.mean(0)).detach()


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
        logits = []
        for group in graphs:
            data, glass = group[rng.integers(len(group))]
            where = glass.positions_in(options.structure)
            chosen = torch.from_numpy(clusters(where, glass.box, options.cluster, n_clusters, rng))
            logits.append(classifier.logits(classifier.features(data), chosen))
        is_hot = torch.tensor([0.0, 1.0]).repeat_interleave(n_clusters)
        loss = functional.binary_cross_entropy_with_logits(torch.cat(logits), is_hot)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return classifier.eval(), losses


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


def trained(kind: str = "se3", structure: Structure = "inherent", seed: int = 0) -> PhaseClassifier:
    """One of the trained classifiers that ship; GlassError where there is no such one."""
    path = folder() / "networks.pt"
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        found = saved["networks"] if saved["format"] == FORMAT else {}
    # torch.load raises whatever the damage leads to: zip, pickle, key or type errors
    except Exception as error:
        raise GlassError("is not readable", source=path, remedy="Install the package again") from error
    name = ClassifierOptions(kind, structure, seed=seed).name
    if name not in found:
        raise GlassError(f"holds no {name!r}; there are {', '.join(found)}", source=path)
    classifier = PhaseClassifier(ClassifierOptions(**found[name]["options"]))
    classifier.load_state_dict(found[name]["state"])
    return classifier.eval()


def main() -> None:
    """Train the classifiers that ship: hot against T = 0.64, training configurations of either."""
    hot, cold = hot_liquids("train"), catalog.load("bundled", "train", temperature=0.64)
    networks: dict[str, Mapping[str, Any]] = {}
    for kind in KINDS:
        for structure in ("inherent", "thermal"):
            for seed in SEEDS:
                options = ClassifierOptions(kind, structure, seed=seed)  # type: ignore[arg-type]
                classifier, losses = train(hot, cold, options)
                networks[options.name] = {"options": asdict(options), "state": classifier.state_dict()}
                print(f"{options.name}: loss {np.mean(losses[-20:]):.3f}")
    with atomic_write(folder() / "networks.pt") as file:
        torch.save({"format": FORMAT, "networks": networks}, file)


if __name__ == "__main__":
    main()
