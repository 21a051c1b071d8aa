"""The SE(3) network as a predictor."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, Self

from torch_geometric.data import Data

from glasslib.equivariant import NetworkOptions, SE3BondNetwork, SE3Network
from glasslib.errors import GlassError
from glasslib.glass import Glass
from glasslib.graph import GraphOptions
from glasslib.motion import add_motion
from glasslib.predictor.bonds import BondPredictor
from glasslib.training import TrainingOptions


class SE3Predictor(BondPredictor):
    """The SE(3) network, trained on configurations and asked about others.

    Parameters
    ----------
    graph :
        What the network is shown.
    network :
        Its size; inputs, cutoff and number of times are filled in.
    training :
        How it is trained.
    node_weight, pretraining_epochs :
        Of :class:`~glasslib.predictor.bonds.BondPredictor`. Where bonds are learned it is BOTAN's equivariant
        twin, :class:`~glasslib.equivariant.SE3BondNetwork`.
    motion_weight :
        Weight in the loss of what else the end points tell (:mod:`glasslib.motion`); takes ``end_positions``
        in training. 0: nothing.

    Raises
    ------
    GlassError
        When the network has layers over the thermal structure and the graph has not, or the reverse; when
        bonds and motion are both to be learned.

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
        *,
        motion_weight: float = 0.0,
        node_weight: float = 1.0,
        pretraining_epochs: int = 0,
    ) -> None:
        super().__init__(training, node_weight=node_weight, pretraining_epochs=pretraining_epochs)
        if not motion_weight >= 0:
            raise GlassError(f"expected 0 or more, got {motion_weight}", field="motion_weight")
        if self.learns_bonds and motion_weight:
            raise GlassError("learn bonds or motion beside particles, not both", field="motion_weight")
        self.motion_weight = motion_weight
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
        shown = {"graph": asdict(self.graph_options), "network": asdict(self.network_options)}
        bonds = {"node_weight": self.node_weight, "pretraining_epochs": self.pretraining_epochs}
        motion = {"motion_weight": self.motion_weight} if self.motion_weight else {}
        return {**shown, **motion, **(bonds if self.learns_bonds else {})}

    @classmethod
    def from_description(cls, description: dict[str, Any], training: TrainingOptions) -> Self:
        """The predictor, untrained, that :meth:`describe` described."""
        rest = {name: value for name, value in description.items() if name not in ("graph", "network")}
        graph, network = GraphOptions(**description["graph"]), NetworkOptions(**description["network"])
        return cls(graph, network, training, **rest)

    def teach(self, glass: Glass) -> Data:
        """The graph of a configuration, with all that is learned of it."""
        graph = super().teach(glass)
        return add_motion(graph, glass) if self.motion_weight else graph

    def make_network(self, n_times: int) -> SE3Network:
        """An untrained network."""
        self.network_options = replace(self.network_options, n_times=n_times)
        if self.learns_bonds:
            return SE3BondNetwork(self.network_options, self.node_weight)
        return SE3Network(self.network_options, self.motion_weight)
