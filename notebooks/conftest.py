"""What ``pytest --nbval notebooks`` leaves uncompared: pictures, and what a browser draws.

Figures are checked by cells that assert on their data; everything that is text is compared.
"""

from __future__ import annotations

import os

import pytest

NOT_COMPARED = (
    "stderr",
    "text/html",
    "application/javascript",
    "application/vnd.plotly.v1+json",
    "image/svg+xml",
    "image/png",
)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent):
    """Extend nbval's own tuple for every notebook it collects."""
    collectors = yield
    for collector in collectors if isinstance(collectors, list) else [collectors]:
        if hasattr(collector, "skip_compare"):
            collector.skip_compare = (*collector.skip_compare, *NOT_COMPARED)
    return collectors


def pytest_configure(config):
    """Kernels draw nothing but the data of a figure: faster, and the same everywhere."""
    os.environ.setdefault("PLOTLY_RENDERER", "plotly_mimetype")
