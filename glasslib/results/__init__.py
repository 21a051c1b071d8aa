"""The numbers that the course shows: the command that makes each, and the file where it is kept."""

from glasslib.results.runs import RUNS, Run
from glasslib.results.shelf import folder, levers, read

__all__ = ["RUNS", "Run", "folder", "levers", "read"]
