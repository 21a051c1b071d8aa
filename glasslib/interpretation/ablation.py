"""Networks from which the features or harmonics of some degrees are taken away."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from e3nn import o3
from torch import Tensor

from glasslib.equivariant import SE3Network
from glasslib.errors import GlassError
from glasslib.evaluation import common_times, pearson
from glasslib.glass import FloatArray, Glass
from glasslib.interpretation.invariants import asked, convolutions, graph, trained
from glasslib.interpretation.readout import r_squared
from glasslib.predictor import SE3Predictor

Where = Literal["harmonics", "features", "inputs"]


def ablate(network: SE3Network, degrees: int | Sequence[int], where: Where = "harmonics") -> SE3Network:
    """A copy of a network without harmonics, features or inputs of some degrees.

    ``"harmonics"``: in every convolution the spherical harmonics of these degrees are zero, so that no
    particle sees this part of the directions to its neighbours. Features of these degrees still exist as far
    as other harmonics make them, or as inputs. Without harmonics of all l > 0 every neighbour counts by its
    distance and its features only.

    ``"features"``: features of these degrees are zero, in the inputs and after every layer, so that nothing
    is passed on in them and their norms do not reach the read-out. Without features of all l > 0 (the
    displacement is among them) predictions do not depend on any angle.

    ``"inputs"``: features of these degrees are zero in the inputs only; degree 1 is the displacement, 0 is
    types and energies.

    Weights are otherwise those that were trained: this says what the trained network uses, not how well one
    trained without would do.

    Parameters
    ----------
    network :
        Stays as it is.
    degrees :
        One degree l, or several; none is a mere copy.
    where :
        ``"harmonics"``, ``"features"`` or ``"inputs"``.

    Raises
    ------
    GlassError
        When the network has no such degree.
    """
    chosen = {int(degree) for degree in np.atleast_1d(np.asarray(degrees, dtype=int))}
    there = degrees_of(network, where)
    if not chosen <= set(there):
        raise GlassError(
            f"expected degrees among {there}, got {sorted(chosen)}: the network has no other {where}",
            field="degrees",
        )
    result = copy.deepcopy(network)
    if where == "harmonics":
        _without_harmonics(result, chosen)
    else:
        _without_features(result, chosen, inputs_only=where == "inputs")
    return result


def degrees_of(network: SE3Network, where: Where = "harmonics") -> list[int]:
    """Degrees that a network has."""
    if where not in get_args(Where):
        raise GlassError(f"expected one of {', '.join(get_args(Where))}, got {where!r}", field="where")
    if where == "harmonics":
        return list(range(network.options.l_max + 1))
    irreps = [convolutions(network)[0].irreps_in]
    irreps += [o3.Irreps(network.options.hidden)] * (where == "features")
    return sorted({ir.l for each in irreps for _, ir in each})


def _without_harmonics(network: SE3Network, degrees: set[int]) -> None:
    """Paths of these harmonics get no weight, which is the same as harmonics of zero."""
    with torch.no_grad():
        for convolution in convolutions(network):
            for path in convolution.paths:
                if path.l1 in degrees:
                    convolution.weights[path.out][path.rows] = 0


def _without_features(network: SE3Network, degrees: set[int], *, inputs_only: bool) -> None:
    inputs = _Mask(convolutions(network)[0].irreps_in, degrees)
    network.layers[0].register_forward_pre_hook(inputs.of_inputs)
    if inputs_only:
        return
    hidden = _Mask(o3.Irreps(network.options.hidden), degrees)
    for layer in network.layers:
        layer.register_forward_hook(hidden.of_outputs)


class _Mask:
    """Zero for features of some degrees."""

    def __init__(self, irreps: o3.Irreps, degrees: set[int]) -> None:
        self.keep = torch.cat([torch.full((mul * ir.dim,), ir.l not in degrees) for mul, ir in irreps])

    def of_inputs(self, _: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self._masked(args[0]), *args[1:])

    def of_outputs(self, _: Any, args: Any, output: Tensor) -> Tensor:
        return self._masked(output)

    def _masked(self, features: Tensor) -> Tensor:
        return features * self.keep.to(features)


@dataclass(frozen=True, eq=False)
class Ablation:
    """What is left of a prediction without some degrees.

    Attributes
    ----------
    where, degrees :
        What was taken away, as in :func:`ablate`.
    r : (n_times,)
        Pearson r with the propensity, mean over configurations.
    drop : (n_times,)
        How much less than the whole network's that is.
    agreement : (n_times,)
        Pearson r with the whole network's prediction, mean over configurations.
    r_squared : (n_times,)
        Share of the variance of the whole network's prediction (all particles together) that is left: 1 when
        nothing changes; far below 0 when predictions move as a whole, which r does not see.
    """

    where: Where
    degrees: tuple[int, ...]
    r: FloatArray
    drop: FloatArray
    agreement: FloatArray
    r_squared: FloatArray


def ablation(
    predictor: SE3Predictor,
    glasses: Sequence[Glass],
    cases: Sequence[tuple[Where, Sequence[int]]] | None = None,
    *,
    particle_type: str = "A",
) -> list[Ablation]:
    """Take degrees away from a trained network, case by case, and predict.

    Parameters
    ----------
    predictor :
        Fitted; it stays as it is.
    glasses :
        Configurations with propensity at the predictor's times.
    cases :
        What to take away; by default, of harmonics, features and inputs, each degree l > 0 by itself and all
        of them together.
    particle_type :
        Particles that are looked at.

    Raises
    ------
    GlassError
        When the predictor is not fitted, or there is no propensity at its times, or no such degree.
    """
    network = trained(predictor)
    if not np.array_equal(common_times(glasses), np.asarray(predictor.times)):
        raise GlassError("differ from those of the predictor", field="times", remedy="Use glass.at_times")
    masks = [glass.is_type(particle_type) for glass in glasses]
    graphs = [graph(predictor, glass) for glass in glasses]
    truth = [glass.require("propensity")[:, mask] for glass, mask in zip(glasses, masks, strict=True)]

    def predict(net: SE3Network) -> list[FloatArray]:
        with asked(net):
            return [
                net(data).T.double().cpu().numpy()[:, mask] for data, mask in zip(graphs, masks, strict=True)
            ]

    whole = predict(network)
    r_whole = _mean_r(whole, truth)
    rows = []
    for where, degrees in default_cases(network) if cases is None else cases:
        left = predict(ablate(network, degrees, where))
        r = _mean_r(left, truth)
        share = r_squared(np.concatenate(left, axis=1).T, np.concatenate(whole, axis=1).T)
        rows.append(Ablation(where, tuple(degrees), r, r_whole - r, _mean_r(left, whole), share))
    return rows


def default_cases(network: SE3Network) -> list[tuple[Where, Sequence[int]]]:
    """Each degree l > 0 by itself, then all of them: of harmonics, then of features, then of inputs."""
    cases: list[tuple[Where, Sequence[int]]] = []
    kinds: tuple[Where, ...] = get_args(Where)
    for where in kinds:
        angular = [degree for degree in degrees_of(network, where) if degree > 0]
        cases += [(where, (degree,)) for degree in angular]
        cases += [(where, tuple(angular))] * (len(angular) > 1)
    return cases


def _mean_r(guesses: Sequence[FloatArray], truths: Sequence[FloatArray]) -> FloatArray:
    """Pearson r ``(n_times,)`` of ``(n_times, n_particles)`` arrays, mean over configurations."""
    each = [
        [pearson(*rows) for rows in zip(guess, truth, strict=True)]
        for guess, truth in zip(guesses, truths, strict=True)
    ]
    mean: FloatArray = np.mean(each, axis=0)
    return mean
