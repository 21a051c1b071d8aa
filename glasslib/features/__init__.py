"""Expert features: radial densities, bond order, invariants of the atomic cluster expansion."""

from glasslib.features.bond_order import bond_order_parameters
from glasslib.features.cluster_expansion import ace_invariants
from glasslib.features.coarse_graining import coarse_grain
from glasslib.features.densities import radial_densities
from glasslib.features.options import FeatureOptions, Shells
from glasslib.features.steinhardt import averaged_steinhardt, nearest_neighbors, steinhardt
from glasslib.features.table import Features, features

__all__ = [
    "FeatureOptions",
    "Features",
    "Shells",
    "ace_invariants",
    "averaged_steinhardt",
    "bond_order_parameters",
    "coarse_grain",
    "features",
    "nearest_neighbors",
    "radial_densities",
    "steinhardt",
]
