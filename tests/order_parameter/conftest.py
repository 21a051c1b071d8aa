"""The small networks of the interpretation's tests serve here as well."""

from __future__ import annotations

from tests.interpretation.conftest import glasses, make_predictor, predictor

__all__ = ["glasses", "make_predictor", "predictor"]
