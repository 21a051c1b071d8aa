"""Rotation-equivariant features: radial basis, convolution, network."""

from glasslib.equivariant.basis import GaussianBasis
from glasslib.equivariant.convolution import Convolution
from glasslib.equivariant.edges import SE3BondNetwork
from glasslib.equivariant.factorised import FactorisedConvolution
from glasslib.equivariant.neighborhoods import Neighborhoods, neighborhoods
from glasslib.equivariant.network import NetworkOptions, SE3Network

__all__ = [
    "Convolution",
    "FactorisedConvolution",
    "GaussianBasis",
    "Neighborhoods",
    "NetworkOptions",
    "SE3BondNetwork",
    "SE3Network",
    "neighborhoods",
]
