"""One number per particle out of a network, and over which distance it hangs together.

``python -m glasslib.order_parameter`` measures both on all configurations of a data set.
"""

from glasslib.order_parameter.components import Component, OrderParameter, principal_component, untrained
from glasslib.order_parameter.correlations import (
    CorrelationLength,
    SpatialCorrelation,
    correlation_length,
    spatial_correlation,
)

__all__ = [
    "Component",
    "CorrelationLength",
    "OrderParameter",
    "SpatialCorrelation",
    "correlation_length",
    "principal_component",
    "spatial_correlation",
    "untrained",
]
