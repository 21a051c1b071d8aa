"""Predict the mobility of your own configuration with a shipped checkpoint.

>>> from glasslib import checkpoints
>>> from glasslib.predict import predict, read, write_xyz
>>> prediction = predict(read("mine.xyz"), checkpoints.take("se3-T0.64"))  # doctest: +SKIP
>>> prediction.warnings  # doctest: +SKIP
('temperature 0.44 is below the trained 0.64 by 0.2 epsilon_AA/k_B',)
>>> write_xyz(prediction, "mine.predicted.xyz")  # doctest: +SKIP

The same as a command: ``python -m glasslib.predict mine.xyz --xyz --html``.
"""

from glasslib.predict.outputs import write_html, write_npz
from glasslib.predict.prediction import Prediction, predict
from glasslib.predict.xyz import read, write_xyz

__all__ = ["Prediction", "predict", "read", "write_html", "write_npz", "write_xyz"]
