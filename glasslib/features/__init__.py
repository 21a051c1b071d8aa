"""Expert features: radial densities, bond order, cluster expansion; descriptors with a physical meaning."""

from glasslib.features.bond_order import bond_order_parameters
from glasslib.features.cluster_expansion import ace_invariants
from glasslib.features.coarse_graining import coarse_grain
from glasslib.features.densities import radial_densities
from glasslib.features.options import FeatureOptions, Shells
from glasslib.features.physical import PhysicalOptions, physical_descriptors, voronoi_cells
from glasslib.features.steinhardt import averaged_steinhardt, nearest_neighbors, steinhardt
from glasslib.features.table import Features, features

__all__ = [
    "FeatureOptions",
    "Features",
    "PhysicalOptions",
    "Shells",
    "ace_invariants",
    "averaged_steinhardt",
    "bond_order_parameters",
    "coarse_grain",
    "features",
    "nearest_neighbors",
    "physical_descriptors",
    "radial_densities",
    "steinhardt",
    "voronoi_cells",
]
