"""Trained networks that ship with the package, each with a card that says what it is.

>>> from glasslib import checkpoints
>>> checkpoints.names()  # doctest: +SKIP
['se3-T0.64']
>>> predictor = checkpoints.load("se3-T0.64")  # doctest: +SKIP
>>> predictor.predict(glass).shape  # doctest: +SKIP
(8, 4096)

``python -m glasslib.checkpoints list | card NAME | verify | add NAME --from RUN_DIRECTORY``.
"""

from glasslib.checkpoints.card import Card
from glasslib.checkpoints.conditions import conditions, outside
from glasslib.checkpoints.shelf import Checkpoint, card, load, names, take

__all__ = ["Card", "Checkpoint", "card", "conditions", "load", "names", "outside", "take"]
