"""The plain graph networks as predictors."""

from __future__ import annotations

from typing import Any, Literal, Self

from torch_geometric.data import Data

from glasslib.baselines import InteractionNetwork
from glasslib.glass import Glass
from glasslib.graph import GraphOptions, build_graph
from glasslib.predictor.network import NetworkPredictor
from glasslib.training import TrainingOptions


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

    FORMAT = "glasslib interaction 2"

    def __init__(
        self,
        kind: Literal["botan", "bapst"] = "botan",
        structure: Literal["thermal", "inherent"] = "thermal",
        training: TrainingOptions | None = None,
    ) -> None:
        super().__init__(training)
        self.graph_options = GraphOptions(
            structure, cutoff=2.0, energy=False, displacement=False, averaging_cutoff=0
        )
        self.kind: Literal["botan", "bapst"] = kind

    def describe(self) -> dict[str, Any]:
        """What is shown to which network, JSON-like."""
        return {"kind": self.kind, "structure": self.graph_options.structure}

    @classmethod
    def from_description(cls, description: dict[str, Any], training: TrainingOptions) -> Self:
        """The predictor, untrained, that :meth:`describe` described."""
        return cls(**description, training=training)

    def prepare(self, glass: Glass) -> Data:
        """The graph of a configuration."""
        return build_graph(glass, self.graph_options)

    def make_network(self, n_times: int) -> InteractionNetwork:
        """An untrained network."""
        return InteractionNetwork(self.kind, n_times)
