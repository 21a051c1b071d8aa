"""Networks with the face of a predictor: configurations in, propensity out."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm.auto import tqdm

from glasslib.baselines import InteractionNetwork
from glasslib.equivariant import NetworkOptions, SE3Network
from glasslib.errors import GlassError
from glasslib.evaluation import common_times
from glasslib.glass import Glass
from glasslib.graph import GraphOptions, build_graph
from glasslib.readers.boundary import atomic_write
from glasslib.training import TrainingOptions, fit


class NetworkPredictor(ABC):
    """What all networks have in common: graphs, training, files.

    Parameters
    ----------
    graph :
        What the network is shown.
    training :
        How it is trained.
    """

    #: Begins its files.
    FORMAT: ClassVar[str]

    def __init__(self, graph: GraphOptions, training: TrainingOptions | None) -> None:
        self.graph_options = graph
        self.training_options = training or TrainingOptions()
        self.network: nn.Module | None = None
        self.times: NDArray[np.float64] | None = None
        self.history: list[dict[str, float]] = []

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """The network's options, JSON-like."""

    @abstractmethod
    def make_network(self, n_times: int) -> nn.Module:
        """An untrained network."""

    @classmethod
    @abstractmethod
    def from_description(
        cls, graph: GraphOptions, network: dict[str, Any], training: TrainingOptions
    ) -> Self:
        """A predictor whose network :meth:`describe` described."""

    @property
    def n_parameters(self) -> int:
        """Number of trained numbers."""
        return sum(p.numel() for p in self._trained().parameters())

    def fit(
        self,
        glasses: Sequence[Glass],
        *,
        directory: str | Path | None = None,
        progress: bool = True,
        **devices: Any,
    ) -> Self:
        """Train on configurations, part of which is set aside for validation.

        Parameters
        ----------
        glasses :
            Configurations with propensity at common times.
        directory :
            Where checkpoints go; a run that was cut off there continues. By default a temporary
            folder.
        progress :
            Show bars.
        **devices :
            ``devices`` and ``accelerator`` of :func:`glasslib.training.fit`.
        """
        self.times = common_times(glasses)
        torch.manual_seed(self.training_options.seed)
        network = self.make_network(len(self.times))
        bar = tqdm(glasses, desc="graphs", disable=not progress)
        graphs = [build_graph(glass, self.graph_options) for glass in bar]
        label = {
            "graph": asdict(self.graph_options),
            "network": self.describe(),
            "times": self.times.tolist(),
            "sources": [Path(glass.source).name if glass.source else None for glass in glasses],
        }
        with tempfile.TemporaryDirectory() as temporary:
            self.history = fit(
                network,
                graphs,
                self.training_options,
                directory=directory or temporary,
                progress=progress,
                label=label,
                **devices,
            )
        self.network = network
        return self

    def predict(self, glass: Glass) -> NDArray[np.float64]:
        """Propensity ``(n_times, n_particles)``, in sigma_AA, at ``self.times``."""
        network = self._trained().eval()
        device = next(network.parameters()).device
        with torch.no_grad():
            out = network(build_graph(glass, self.graph_options).to(device))
        propensity: NDArray[np.float64] = out.T.double().cpu().numpy()
        return propensity

    def save(self, path: str | Path) -> None:
        """Write the trained network: weights and options, nothing that could run."""
        state = {
            "format": self.FORMAT,
            "graph": asdict(self.graph_options),
            "network": self.describe(),
            "training": asdict(self.training_options),
            "times": None if self.times is None else self.times.tolist(),
            "state": self._trained().state_dict(),
        }
        with atomic_write(path) as file:
            torch.save(state, file)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises
        ------
        GlassError
            When the file is missing, damaged, or something else.
        """
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            if state["format"] != cls.FORMAT:
                raise GlassError(f"expected the format {cls.FORMAT!r}, got {state['format']!r}", source=path)
            predictor = cls.from_description(
                GraphOptions(**state["graph"]), state["network"], TrainingOptions(**state["training"])
            )
            predictor.times = np.array(state["times"])
            predictor.network = predictor.make_network(len(state["times"]))
            predictor.network.load_state_dict(state["state"])
        except GlassError:
            raise
        # torch.load raises whatever the damage leads to: zip, pickle, key or type errors
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise GlassError(f"is not a readable checkpoint ({reason})", source=path) from error
        predictor.network.eval()
        return predictor

    def _trained(self) -> nn.Module:
        if self.network is None:
            raise GlassError("call fit (or load a checkpoint) first")
        return self.network


class SE3Predictor(NetworkPredictor):
    """The SE(3) network, trained on configurations and asked about others.

    Parameters
    ----------
    graph :
        What the network is shown.
    network :
        Its size; inputs, cutoff and number of times are filled in.
    training :
        How it is trained.

    Examples
    --------
    >>> predictor = SE3Predictor()
    >>> predictor.fit(train_glasses, directory="runs/first")  # doctest: +SKIP
    >>> predictor.predict(glass).shape  # doctest: +SKIP
    (1, 4096)
    """

    FORMAT = "glasslib SE3 1"

    def __init__(
        self,
        graph: GraphOptions | None = None,
        network: NetworkOptions | None = None,
        training: TrainingOptions | None = None,
    ) -> None:
        super().__init__(graph or GraphOptions(), training)
        self.network_options = replace(
            network or NetworkOptions(),
            n_scalars=self.graph_options.n_scalars,
            n_vectors=self.graph_options.n_vectors,
            cutoff=self.graph_options.cutoff,
        )

    def describe(self) -> dict[str, Any]:
        """The network's options, JSON-like."""
        return asdict(self.network_options)

    def make_network(self, n_times: int) -> SE3Network:
        """An untrained network."""
        self.network_options = replace(self.network_options, n_times=n_times)
        return SE3Network(self.network_options)

    @classmethod
    def from_description(
        cls, graph: GraphOptions, network: dict[str, Any], training: TrainingOptions
    ) -> Self:
        """A predictor whose network :meth:`describe` described."""
        return cls(graph, NetworkOptions(**network), training)


class InteractionPredictor(NetworkPredictor):
    """BOTAN's or Bapst et al.'s network, trained on configurations and asked about others.

    Parameters
    ----------
    kind :
        ``"botan"`` or ``"bapst"``.
    structure :
        Positions that span the graph: ``"thermal"``, as published, or ``"inherent"``.
    training :
        How it is trained.
    """

    FORMAT = "glasslib interaction 1"

    def __init__(
        self,
        kind: Literal["botan", "bapst"] = "botan",
        structure: Literal["thermal", "inherent"] = "thermal",
        training: TrainingOptions | None = None,
    ) -> None:
        graph = GraphOptions(structure, cutoff=2.0, energy=False, displacement=False, averaging_cutoff=0)
        super().__init__(graph, training)
        self.kind: Literal["botan", "bapst"] = kind

    def describe(self) -> dict[str, Any]:
        """The network's options, JSON-like."""
        return {"kind": self.kind}

    def make_network(self, n_times: int) -> InteractionNetwork:
        """An untrained network."""
        return InteractionNetwork(self.kind, n_times)

    @classmethod
    def from_description(
        cls, graph: GraphOptions, network: dict[str, Any], training: TrainingOptions
    ) -> Self:
        """A predictor whose network :meth:`describe` described."""
        return cls(network["kind"], graph.structure, training)
