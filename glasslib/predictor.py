"""A network with the face of a predictor: configurations in, propensity out."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm.auto import tqdm

from glasslib.equivariant import NetworkOptions, SE3Network
from glasslib.errors import GlassError
from glasslib.evaluation import common_times
from glasslib.glass import Glass
from glasslib.graph import GraphOptions, build_graph
from glasslib.readers.boundary import atomic_write
from glasslib.training import TrainingOptions, fit

FORMAT = "glasslib SE3 1"


class SE3Predictor:
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

    def __init__(
        self,
        graph: GraphOptions | None = None,
        network: NetworkOptions | None = None,
        training: TrainingOptions | None = None,
    ) -> None:
        self.graph_options = graph or GraphOptions()
        self.training_options = training or TrainingOptions()
        self.network_options = replace(
            network or NetworkOptions(),
            n_scalars=self.graph_options.n_scalars,
            n_vectors=self.graph_options.n_vectors,
            cutoff=self.graph_options.cutoff,
        )
        self.network: SE3Network | None = None
        self.times: NDArray[np.float64] | None = None
        self.history: list[dict[str, float]] = []

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
    ) -> SE3Predictor:
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
        self.network_options = replace(self.network_options, n_times=len(self.times))
        network = SE3Network(self.network_options)
        bar = tqdm(glasses, desc="graphs", disable=not progress)
        graphs = [build_graph(glass, self.graph_options) for glass in bar]
        label = {
            "graph": asdict(self.graph_options),
            "network": asdict(self.network_options),
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
            "format": FORMAT,
            "graph": asdict(self.graph_options),
            "network": asdict(self.network_options),
            "training": asdict(self.training_options),
            "times": None if self.times is None else self.times.tolist(),
            "state": self._trained().state_dict(),
        }
        with atomic_write(path) as file:
            torch.save(state, file)

    @classmethod
    def load(cls, path: str | Path) -> SE3Predictor:
        """Read what :meth:`save` wrote.

        Raises
        ------
        GlassError
            When the file is missing, damaged, or something else.
        """
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            if state["format"] != FORMAT:
                raise GlassError(f"expected the format {FORMAT!r}, got {state['format']!r}", source=path)
            predictor = cls(
                GraphOptions(**state["graph"]),
                NetworkOptions(**state["network"]),
                TrainingOptions(**state["training"]),
            )
            predictor.times = None if state["times"] is None else np.array(state["times"])
            predictor.network = SE3Network(predictor.network_options)
            predictor.network.load_state_dict(state["state"])
        except GlassError:
            raise
        # torch.load raises whatever the damage leads to: zip, pickle, key or type errors
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise GlassError(f"is not a readable checkpoint ({reason})", source=path) from error
        predictor.network.eval()
        return predictor

    def _trained(self) -> SE3Network:
        if self.network is None:
            raise GlassError("call fit (or load a checkpoint) first")
        return self.network
