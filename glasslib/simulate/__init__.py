"""Molecular dynamics with LAMMPS: equilibrate, isoconfigurational ensemble, inherent structure."""

from glasslib.simulate.inherent import inherent_structure, inherent_structures
from glasslib.simulate.protocol import Protocol

__all__ = ["Protocol", "inherent_structure", "inherent_structures"]
