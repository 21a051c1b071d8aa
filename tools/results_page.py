"""Write the table and the figure of results in README.md from the files of scores in the package.

    python tools/results_page.py           # rewrite README.md and docs/results.png
    python tools/results_page.py --check   # only say whether the table is as the files say

The figure needs kaleido and a Chrome or Chromium, as tools/rebuild_notebooks.py does.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from glasslib.evaluation import load_scores
from glasslib.plots import TEMPLATE
from glasslib.results import folder

ROOT = Path(__file__).resolve().parent.parent
START, END = "<!-- results -->", "<!-- end of results -->"

#: Columns of the table: folder of scores, time, heading.
COLUMNS = (
    ("botan-T0.44", 4120.0, "T = 0.44, τα"),
    ("kob-andersen-T0.50", 217.0, "T = 0.50, τα"),
    ("kob-andersen-T0.56", 52.0, "T = 0.56, τα"),
    ("kob-andersen-T0.64", 16.5, "T = 0.64, τα"),
    ("kob-andersen-T0.64", 0.1, "T = 0.64, t = 0.1"),
)
LAST = ("energy alone", "ceiling")

#: Folders of scores at several times, temperature, tau_alpha.
OWN = (
    ("kob-andersen-T0.64", "0.64", 16.5),
    ("kob-andersen-T0.56", "0.56", 52.0),
    ("kob-andersen-T0.50", "0.50", 217.0),
)

SYMBOLS = ("circle", "square", "diamond")


def each_seed(data: str, time: float) -> dict[str, list[float]]:
    """r(mean) of every run on some data at one of its times, by predictor."""
    found: dict[str, list[float]] = defaultdict(list)
    for path in sorted((folder() / data).glob("*.json")):
        for name, score in load_scores(path).items():
            rows = np.flatnonzero(np.isclose(score.times, time))
            if len(rows) and (name not in LAST or not found[name]):  # these are the same in every file
                found[name].append(float(score.mean[rows[0]]))
    return {name: values for name, values in found.items() if name != "constant"}


def told(values: list[float]) -> str:
    """Mean and, of several seeds, standard deviation and number."""
    if not values:
        return ""
    spread = f" ± {np.std(values, ddof=1):.3f} ({len(values)})" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{spread}"


def table() -> str:
    """Markdown: predictors, best first, and the data they were trained and tested on."""
    columns = [each_seed(data, time) for data, time, _ in COLUMNS]
    shown = [k for k, column in enumerate(columns) if column]
    names = {name for column in columns for name in column}

    def order(name: str) -> tuple[bool, float]:
        return name in LAST, -max(np.mean(columns[k][name]) for k in shown if name in columns[k])

    lines = [f"| r(mean) | {' | '.join(COLUMNS[k][2] for k in shown)} |", "|---" * (len(shown) + 1) + "|"]
    for name in sorted(names, key=order):
        lines.append(f"| {name} | {' | '.join(told(columns[k].get(name, [])) for k in shown)} |")
    return "\n".join(lines)


def figure() -> go.Figure:
    """r by time in our own liquids; below them, at tau_alpha of BOTAN's cold one."""
    panels = make_subplots(
        2,
        len(OWN),
        specs=[[{}] * len(OWN), [{"colspan": len(OWN)}, *[None] * (len(OWN) - 1)]],
        shared_yaxes=True,
        horizontal_spacing=0.03,
        vertical_spacing=0.13,
    )
    curves = [by_time(data) for data, _, _ in OWN]
    names = dict.fromkeys(name for drawn in curves for name in drawn)
    for k, name in enumerate(names):  # colours repeat; symbols tell them apart
        colours = TEMPLATE.layout.colorway
        colour, symbol = colours[k % len(colours)], SYMBOLS[k // len(colours)]
        line = {"dash": "dot", "color": "#555"} if name == "ceiling" else {"color": colour}
        for column, drawn in enumerate(curves, start=1):
            times, r = drawn.get(name, ([], []))
            panels.add_scatter(
                x=times,
                y=r,
                name=name,
                mode="lines+markers",
                line=line,
                marker={"symbol": symbol, "size": 7},
                legendgroup=name,
                showlegend=column == 1,
                row=1,
                col=column,
            )
    for column, (_, temperature, tau) in enumerate(OWN, start=1):
        title = f"t, T = {temperature} (τ<sub>α</sub> = {tau:g})"
        panels.update_xaxes(type="log", dtick=1, title=title, row=1, col=column)
    bars = each_seed("botan-T0.44", 4120.0)
    ranked = sorted(bars, key=lambda name: float(np.mean(bars[name])))
    panels.add_bar(
        x=[np.mean(bars[name]) for name in ranked],
        y=ranked,
        error_x={"type": "data", "array": [np.std(bars[name]) for name in ranked]},
        orientation="h",
        showlegend=False,
        marker={"color": "#0072b2"},
        row=2,
        col=1,
    )
    panels.update_xaxes(title="r(mean) at τ<sub>α</sub>, T = 0.44", domain=[0.33, 1], row=2, col=1)
    panels.update_yaxes(dtick=1, tickfont={"size": 11}, row=2, col=1)  # every name
    panels.update_yaxes(title="r(mean)", row=1, col=1)
    panels.update_layout(
        template=TEMPLATE,
        width=1100,
        height=1050,
        margin={"l": 60, "r": 20, "t": 30, "b": 60},
        legend={"orientation": "h", "y": -0.08, "font": {"size": 11}},
    )
    return panels


def by_time(data: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Times and r(mean) of each predictor's first run on some data."""
    drawn: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for path in sorted((folder() / data).glob("*-seed0.json")):
        drawn |= {name: (score.times, score.mean) for name, score in load_scores(path).items()}
    unasked = ("constant", "energy alone")
    return {name: curve for name, curve in drawn.items() if name not in unasked and "decoder" not in name}


def pieces(text: str) -> Iterator[str]:
    """README before, between and after the marks."""
    before, mark, rest = text.partition(START)
    between, end, after = rest.partition(END)
    if not (mark and end):
        sys.exit(f"README.md holds no {START} ... {END}")
    yield from (before, between, after)


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    readme = ROOT / "README.md"
    before, between, after = pieces(readme.read_text(encoding="utf-8"))
    new = f"\n{table()}\n"
    if parser.parse_args().check:
        return 0 if between == new else 1
    readme.write_text(f"{before}{START}{new}{END}{after}", encoding="utf-8")
    figure().write_image(ROOT / "docs" / "results.png", scale=2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
