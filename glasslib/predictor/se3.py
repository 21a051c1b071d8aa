"""The SE(3) network as a predictor."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, Self

from torch_geometric.data import Data

from glasslib.equivariant import NetworkOptions, SE3Network
from glasslib.errors import GlassError
from glasslib.glass import Glass
from glasslib.graph import GraphOptions, build_graph
from glasslib.predictor.network import NetworkPredictor
from glasslib.training import TrainingOptions


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

    Raises
    ------
    GlassError
        When the network has layers over the thermal structure and the graph has not, or the reverse.

    Examples
    --------
    >>> predictor = SE3Predictor()
    >>> predictor.fit(train_glasses, directory="runs/first")  # doctest: +SKIP
    >>> predictor.predict(glass).shape  # doctest: +SKIP
    (1, 4096)
    """

    FORMAT = "glasslib SE3 2"

    def __init__(
        self,
        graph: GraphOptions | None = None,
        network: NetworkOptions | None = None,
        training: TrainingOptions | None = None,
    ) -> None:
        super().__init__(training)
        self.graph_options = graph or GraphOptions()
        both, n_thermal = (
            self.graph_options.structure == "both",
            (network or NetworkOptions()).n_thermal_layers,
        )
        if both != (n_thermal > 0):
            raise GlassError(
                f"expected layers over the thermal structure if, and only if, the graph holds both;"
                f" got {n_thermal} of them and structure {self.graph_options.structure!r}",
                field="n_thermal_layers",
            )
        self.network_options = replace(
            network or NetworkOptions(),
            n_scalars=self.graph_options.n_scalars,
            n_vectors=self.graph_options.n_vectors,
            cutoff=self.graph_options.cutoff,
        )

    def describe(self) -> dict[str, Any]:
        """What is shown to which network, JSON-like."""
        return {"graph": asdict(self.graph_options), "network": asdict(self.network_options)}

    @classmethod
    def from_description(cls, description: dict[str, Any], training: TrainingOptions) -> Self:
        """The predictor, untrained, that :meth:`describe` described."""
        return cls(GraphOptions(**description["graph"]), NetworkOptions(**description["network"]), training)

    def prepare(self, glass: Glass) -> Data:
        """The graph of a configuration."""
        return build_graph(glass, self.graph_options)

    def make_network(self, n_times: int) -> SE3Network:
        """An untrained network."""
        self.network_options = replace(self.network_options, n_times=n_times)
        return SE3Network(self.network_options)
