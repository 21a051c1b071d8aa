"""Run the notebooks and store their outputs, each plotly figure with a PNG beside it.

    python tools/rebuild_notebooks.py                      # all of them
    python tools/rebuild_notebooks.py notebooks/00*.ipynb  # some

GitHub shows no interactive figure, so a picture of each is stored as well. Drawing those needs kaleido and a
Chrome or Chromium: the one that BROWSER_PATH names, or one on the PATH (Debian: apt install chromium).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLOTLY = "application/vnd.plotly.v1+json"
WIDGET = "application/vnd.jupyter.widget-view+json"
LARGEST = 2_000_000  # bytes


def find_browser() -> str:
    """A Chrome for kaleido; ends the program with advice where there is none."""
    named = os.environ.get("BROWSER_PATH")
    if named:
        if not Path(named).is_file():
            sys.exit(f"BROWSER_PATH names {named}, which is not a file")
        return named
    for name in BROWSERS:
        found = shutil.which(name)
        if found:
            return found
    sys.exit("No Chrome or Chromium found: install one (Debian: apt install chromium) or set BROWSER_PATH")


def execute(path: Path, timeout: int) -> NotebookNode:
    """The notebook with fresh outputs, run in its own folder by this Python."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=timeout, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    )
    client.execute()
    return notebook


def clean(notebook: NotebookNode) -> None:
    """Normalise the metadata; drop widgets with their state, times of execution, names of local folders."""
    notebook.metadata = NotebookNode(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
        tags = cell.metadata.get("tags")
        cell.metadata = NotebookNode({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            kept = [o for o in cell.outputs if WIDGET not in o.get("data", {}) and not of_kaleido(o)]
            cell.outputs = merged(kept)
        for output in cell.get("outputs", []):
            if "metadata" in output:
                output.metadata = NotebookNode()
            if "text" in output:
                output.text = without_local_paths(output.text)
            for kind, content in output.get("data", {}).items():
                if kind.startswith("text/"):
                    output.data[kind] = without_local_paths(content)
            if PLOTLY in output.get("data", {}):
                output.data[PLOTLY].get("config", {}).pop("plotlyServerURL", None)


def of_kaleido(output: NotebookNode) -> bool:
    """What kaleido's wire to the browser says now and then; pictures are made all the same."""
    return output.get("name") == "stderr" and output.text.startswith("JSONError decoding message. Ignoring")


def merged(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Pieces of one printed text as one output; how a kernel cuts it up is chance."""
    kept: list[NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream" and kept and kept[-1].get("name") == output.name:
            kept[-1].text += output.text
        else:
            kept.append(output)
    return kept


def without_local_paths(text: str) -> str:
    """Names of this machine's folders replaced."""
    for folder, name in ((ROOT, "glasslib"), (Path(sys.prefix), ".venv"), (Path.home(), "~")):
        if folder != Path("/"):
            text = text.replace(str(folder), name)
    return text


def compact_numbers(text: str) -> str:
    """JSON with each list of numbers on one line instead of one number a line: a third of the size."""
    number = r"(?:-?\d[\d.eE+-]*|null)"
    lists = re.compile(rf"\[\n\s*({number}(?:,\n\s*{number})*)\n\s*\]")
    return lists.sub(lambda found: "[" + re.sub(r"\n\s*", "", found[1]) + "]", text)


def rebuild(path: Path, timeout: int) -> None:
    """Run one notebook and store it, whole or not at all."""
    start = time.perf_counter()
    notebook = execute(path, timeout)
    clean(notebook)
    pictures = [o for cell in notebook.cells for o in cell.get("outputs", []) if PLOTLY in o.get("data", {})]
    if not all("image/png" in output.data for output in pictures):
        sys.exit(f"{path.name}: a figure has no picture; is kaleido installed?")
    nbformat.validate(notebook)
    text = compact_numbers(nbformat.writes(notebook)) + "\n"
    if len(text.encode()) > LARGEST:
        sys.exit(f"{path.name}: {len(text.encode()) / 1e6:.2f} MB is too large; show fewer particles")
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
    seconds = time.perf_counter() - start
    print(f"{path.name}: {len(pictures)} figures, {len(text) / 1e6:.2f} MB, {seconds:.0f} s", flush=True)


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("notebooks", nargs="*", type=Path, help="by default all in notebooks/")
    parser.add_argument("--timeout", type=int, default=600, help="seconds for one cell")
    options = parser.parse_args()
    os.environ["BROWSER_PATH"] = find_browser()
    os.environ["PLOTLY_RENDERER"] = "plotly_mimetype+png"
    folder = ROOT / "notebooks"
    found = sorted([*folder.glob("*.ipynb"), *folder.glob("solutions/*.ipynb")])
    for path in options.notebooks or found:
        rebuild(path.resolve(), options.timeout)


if __name__ == "__main__":
    main()
