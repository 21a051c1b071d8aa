"""What the network has in common with expert features, and what a trained one has learned."""

from glasslib.interpretation.ablation import Ablation, ablate, ablation
from glasslib.interpretation.identity import (
    GaussianShells,
    carrying_convolution,
    expert_convolution,
    inner_products,
    neighborhood_mean,
    norms,
)
from glasslib.interpretation.invariants import layer_features
from glasslib.interpretation.kernels import Leading, RadialPath, radial_functions
from glasslib.interpretation.probes import Explained, Probe, explained, kind_of, probe
from glasslib.interpretation.readout import fit_readout, r_squared

__all__ = [
    "Ablation",
    "Explained",
    "GaussianShells",
    "Leading",
    "Probe",
    "RadialPath",
    "ablate",
    "ablation",
    "carrying_convolution",
    "expert_convolution",
    "explained",
    "fit_readout",
    "inner_products",
    "kind_of",
    "layer_features",
    "neighborhood_mean",
    "norms",
    "probe",
    "r_squared",
    "radial_functions",
]
