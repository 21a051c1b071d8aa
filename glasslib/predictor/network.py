"""What all networks have in common as predictors: graphs, training, files."""

from __future__ import annotations

import hashlib
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch_geometric.data import Data
from tqdm.auto import tqdm

from glasslib.errors import GlassError
from glasslib.evaluation import common_times
from glasslib.glass import Glass
from glasslib.readers.boundary import atomic_write
from glasslib.training import TrainingOptions, fit


class NetworkPredictor(ABC):
    """What all networks have in common: graphs, training, files.

    Parameters
    ----------
    training :
        How it is trained.
    """

    #: Begins its files.
    FORMAT: ClassVar[str]

    def __init__(self, training: TrainingOptions | None) -> None:
        self.training_options = training or TrainingOptions()
        self.network: nn.Module | None = None
        self.times: NDArray[np.float64] | None = None
        self.history: list[dict[str, float]] = []

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What is shown to which network, JSON-like."""

    @classmethod
    @abstractmethod
    def from_description(cls, description: dict[str, Any], training: TrainingOptions) -> Self:
        """The predictor, untrained, that :meth:`describe` described."""

    @abstractmethod
    def prepare(self, glass: Glass) -> Data:
        """What the network is shown of a configuration."""

    def teach(self, glass: Glass) -> Data:
        """The same with what it learns."""
        return self.prepare(glass)

    @abstractmethod
    def make_network(self, n_times: int) -> nn.Module:
        """An untrained network."""

    @property
    def n_parameters(self) -> int:
        """Number of trained numbers."""
        return sum(p.numel() for p in self.trained().parameters())

    def fit(
        self,
        glasses: Sequence[Glass],
        *,
        directory: str | Path | None = None,
        start: NetworkPredictor | None = None,
        progress: bool = True,
        **more: Any,
    ) -> Self:
        """Train on configurations, part of which is set aside for validation.

        Parameters
        ----------
        glasses :
            Configurations with propensity at common times.
        directory :
            Where checkpoints go; a run that was cut off there continues. By default a temporary
            folder.
        start :
            Begin with the weights of this trained predictor (fine-tuning) instead of random ones. Where it
            predicts another number of times, the last layer starts afresh.
        progress :
            Show bars.
        **more :
            ``devices``, ``num_nodes``, ``accelerator``, ``precision`` and ``watch`` of
            :func:`glasslib.training.fit`.
        """
        self.times = common_times(glasses)
        torch.manual_seed(self.training_options.seed)
        network = self.make_network(len(self.times))
        if start is not None:
            network.load_state_dict(self._fitting(network, start))
        bar = tqdm(glasses, desc="graphs", disable=not progress)
        graphs = [self.teach(glass) for glass in bar]
        label: dict[str, Any] = {
            "options": self.describe(),
            "times": self.times.tolist(),
            "sources": [Path(glass.source).name if glass.source else None for glass in glasses],
        }
        if start is not None:
            label["start"] = _checksum(start.trained())
        with tempfile.TemporaryDirectory() as temporary:
            self.history = fit(
                network,
                graphs,
                self.training_options,
                directory=directory or temporary,
                progress=progress,
                label=label,
                begin=partial(self.begin, network, progress) if start is None else None,
                **more,
            )
        self.network = network
        return self

    def begin(self, network: nn.Module, progress: bool, training: Sequence[Data]) -> None:
        """Improve random weights before the first epoch, if there is a way; the training graphs are given."""
        del network, progress, training

    def _fitting(self, network: nn.Module, start: NetworkPredictor) -> dict[str, torch.Tensor]:
        """The state of ``network`` with the weights of ``start``; its own where the times differ."""
        theirs, own = start.trained().state_dict(), network.state_dict()
        times = 1 if start.times is None else len(start.times)
        alike = type(self).from_description(self.describe(), self.training_options).make_network(times)
        expected = {name: value.shape for name, value in alike.state_dict().items()}
        if {name: value.shape for name, value in theirs.items()} != expected:
            raise GlassError(
                "is a network of another kind or size", field="start", remedy="Give both the same options"
            )
        return {
            name: theirs[name] if theirs[name].shape == value.shape else value for name, value in own.items()
        }

    def predict(self, glass: Glass) -> NDArray[np.float64]:
        """Propensity ``(n_times, n_particles)``, in sigma_AA, at ``self.times``."""
        network = self.trained().eval()
        device = next(network.parameters()).device
        with torch.no_grad():
            out = network(self.prepare(glass).to(device))
        propensity: NDArray[np.float64] = out.T.double().cpu().numpy()
        return propensity

    def save(self, path: str | Path) -> None:
        """Write the trained network: weights and options, nothing that could run."""
        state = {
            "format": self.FORMAT,
            "options": self.describe(),
            "training": asdict(self.training_options),
            "times": None if self.times is None else self.times.tolist(),
            "state": self.trained().state_dict(),
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
            predictor = cls.from_description(state["options"], TrainingOptions(**state["training"]))
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

    def trained(self) -> Any:
        """The network; GlassError where there is none yet."""
        if self.network is None:
            raise GlassError("call fit (or load a checkpoint) first")
        return self.network


def _checksum(network: nn.Module) -> str:
    """Of all weights."""
    digest = hashlib.sha256()
    for value in network.state_dict().values():
        digest.update(value.cpu().numpy().tobytes())
    return digest.hexdigest()
