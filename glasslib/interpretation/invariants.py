"""What a network knows of every particle after each of its layers, as numbers that do not turn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from e3nn import o3
from torch import Tensor
from torch_geometric.data import Data

from glasslib.equivariant import Convolution, SE3Network
from glasslib.equivariant.network import Layer
from glasslib.errors import GlassError
from glasslib.features import Features
from glasslib.glass import Glass
from glasslib.graph import build_graph
from glasslib.interpretation.identity import norms
from glasslib.predictor import SE3Predictor


def layer_features(predictor: SE3Predictor, glass: Glass) -> dict[str, Features]:
    """Invariants of every particle in the inputs, after each layer, and after each average over neighbours.

    Invariants of a layer are its scalars and the norms of its l > 0 features. They do not change under
    rotations, reflections and translations, and follow relabelling.

    Parameters
    ----------
    predictor :
        Fitted.
    glass :
        The configuration.

    Returns
    -------
    dict
        ``"input"``; ``"layer 1"`` and on; ``"embedding"``, what the network makes of the last layer's
        invariants, particle by particle; ``"average 1"`` and on, the last of which the decoder reads. Values
        ``(n_particles, n_invariants)`` have the network's type; names are such as ``"l=2 channel 3"``.

    Raises
    ------
    GlassError
        When the predictor is not fitted, or the Glass lacks what the network is shown.
    """
    network = trained(predictor)
    seen: list[Tensor] = []
    hooks = [
        *(
            layer.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
            for layer in network.layers[:1]
        ),
        *(layer.register_forward_hook(lambda _, args, out: seen.append(out)) for layer in network.layers),
        network.embed.register_forward_hook(lambda _, args, out: seen.append(out)),
        *(stage.register_forward_hook(lambda _, args, out: seen.append(out)) for stage in network.stages),
    ]
    try:
        with asked(network):
            network.representation(graph(predictor, glass))
    finally:
        for hook in hooks:
            hook.remove()
    n_layers = len(network.layers)
    irreps = [convolutions(network)[0].irreps_in, *[o3.Irreps(network.options.hidden)] * n_layers]
    found = {
        f"layer {number}" if number else "input": _invariants(values, each)
        for number, (values, each) in enumerate(zip(seen, irreps, strict=False))
    }
    x = torch.zeros(())
    for number, update in enumerate(seen[n_layers + 1 :]):  # every stage adds to what was there
        x = x.to(update) + update
        names = [f"channel {channel}" for channel in range(x.shape[1])]
        found[f"average {number}" if number else "embedding"] = Features(x.cpu().numpy(), names)
    return found


def _invariants(features: Tensor, irreps: o3.Irreps) -> Features:
    """Scalars as they are (their sign counts), norms of the rest."""
    parts, names = [], []
    for (mul, ir), piece, norm in zip(irreps, irreps.slices(), norms(features, irreps), strict=True):
        parts.append(features[:, piece] if ir.l == 0 else norm)
        names += [f"l={ir.l} channel {channel}" for channel in range(mul)]
    return Features(torch.cat(parts, dim=1).cpu().numpy(), names)


def trained(predictor: SE3Predictor) -> SE3Network:
    """The predictor's network."""
    if not isinstance(predictor.network, SE3Network):
        raise GlassError("has no network to read", field="predictor", remedy="Call fit or load a checkpoint")
    return predictor.network


def convolutions(network: SE3Network) -> list[Convolution]:
    """The convolutions of a network, first to last."""
    return [cast(Layer, layer).convolution for layer in network.layers]


def graph(predictor: SE3Predictor, glass: Glass) -> Data:
    """What the network is shown, in its floating-point type and where it is."""
    parameter = next(trained(predictor).parameters())
    return build_graph(glass, predictor.graph_options, dtype=parameter.dtype).to(parameter.device)


@contextmanager
def asked(network: SE3Network) -> Iterator[None]:
    """No dropout, no gradients; afterwards the network is in the mode it was in."""
    before: Any = network.training
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        network.train(before)
