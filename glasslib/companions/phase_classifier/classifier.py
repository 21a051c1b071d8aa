"""The classifier, and what of its answer each particle is to blame for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from glasslib.equivariant import NetworkOptions, SE3Network
from glasslib.equivariant.basis import GaussianBasis
from glasslib.errors import GlassError
from glasslib.glass import TYPE_NAMES, FloatArray, Glass
from glasslib.graph import GraphOptions, Structure, build_graph

KINDS = ("se3", "point")
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
    cluster: int = 128
    steps: int = 60
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

    A perceptron sees the vector to each neighbour, Gaussians of its length, and both types; its outputs are
    added up over the neighbours, and another perceptron sees the sum: PointNet (Qi et al., CVPR 2017) of
    every particle's surroundings. While it trains, axes are permuted and reflected at random.
    """

    def __init__(self) -> None:
        super().__init__()
        self.basis = GaussianBasis(_NETWORK.n_radial, _NETWORK.cutoff)
        n_inputs = 3 + _NETWORK.n_radial + 2 * len(TYPE_NAMES)
        self.edges = nn.Sequential(nn.Linear(n_inputs, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH))
        self.nodes = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU())

    def representation(self, data: Data) -> Tensor:
        """Features of every particle, ``(n_particles, WIDTH)``."""
        j, i = data.edge_index
        vectors = data.edge_vector
        if self.training:
            vectors = vectors[:, torch.randperm(3)] * (2 * torch.randint(2, (3,)) - 1)
        inputs = [vectors, self.basis(vectors.norm(dim=1)), data.scalars[j], data.scalars[i]]
        sent = self.edges(torch.cat(inputs, dim=1))
        received = sent.new_zeros(len(data.types), WIDTH).index_add(0, i, sent)
        features: Tensor = self.nodes(received / _NETWORK.n_neighbors**0.5)
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
        # hot and cold differ by little of a channel's spread; once trained, it only shifts and scales
        self.norm = nn.BatchNorm1d(WIDTH, affine=False)
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
        features = self.norm(features)
        pooled = features.mean(0) if clusters is None else features[clusters].mean(1)
        logits: Tensor = self.head(pooled).squeeze(-1)
        return logits

    def activation(self, seen: Glass | Data) -> FloatArray:
        r"""The class activation map ``(n_particles,)``: log-odds :math:`w \cdot h_i + b` of each particle.

        Its mean is the log-odds of the configuration, so that nothing is left over: large where the
        structure is liquid-like, small where it is solid-like.

        Parameters
        ----------
        seen :
            A configuration, or its :meth:`graph`, made once for several classifiers.
        """
        data = (self.graph(seen) if isinstance(seen, Glass) else seen).to(self.head.weight.device)
        self.eval()
        with torch.no_grad():
            each = self.logits(self.features(data), torch.arange(len(data.types))[:, None])
        per_particle: FloatArray = each.double().cpu().numpy()
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
