"""Measure how long each notebook runs, on one core, and keep it in docs/minutes.json.

    python tools/time_notebooks.py                      # all of the course
    python tools/time_notebooks.py notebooks/00*.ipynb  # some; the others keep what was measured before

What counts is processor time, of the kernel and whatever it starts, with one thread: on a machine with
nothing else to do that is what a reader waits, and on a busy one it is much the same. Nothing is stored in
the notebooks. The table of the README, the map in notebook 00 and each notebook's opening tell these
minutes; a test compares.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
MINUTES = ROOT / "docs" / "minutes.json"


def processor_seconds(path: Path, timeout: int) -> float:
    """Of one run of a notebook, in its own folder, by a kernel of this Python."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=timeout, kernel_name="python3", resources=where).execute()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def keep(name: str, seconds: float) -> None:
    """Write one number beside those that are there, whole or not at all."""
    found = json.loads(MINUTES.read_text()) if MINUTES.exists() else {}
    found["what"] = "processor seconds of one run on one core, by tools/time_notebooks.py"
    found.setdefault("seconds", {})[name] = round(seconds)
    found["seconds"] = dict(sorted(found["seconds"].items()))
    found["machine"] = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    with tempfile.NamedTemporaryFile("w", dir=MINUTES.parent, delete=False) as part:
        part.write(json.dumps(found, indent=1) + "\n")
    Path(part.name).chmod(0o644)
    Path(part.name).replace(MINUTES)


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("notebooks", nargs="*", type=Path, help="by default those of the course")
    parser.add_argument("--timeout", type=int, default=1200, help="seconds for one cell")
    options = parser.parse_args()
    os.environ.update(OMP_NUM_THREADS="1", PLOTLY_RENDERER="plotly_mimetype")
    for path in options.notebooks or sorted((ROOT / "notebooks").glob("*.ipynb")):
        seconds = processor_seconds(path.resolve(), options.timeout)
        keep(path.stem, seconds)
        print(f"{path.stem}: {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
