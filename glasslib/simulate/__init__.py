"""Molecular dynamics with LAMMPS: equilibrate, isoconfigurational ensemble, inherent structure."""

from glasslib.simulate.inherent import inherent_structure, inherent_structures
from glasslib.simulate.protocol import Protocol, expected_tau

__all__ = ["Protocol", "expected_tau", "inherent_structure", "inherent_structures"]
