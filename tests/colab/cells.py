"""Run the first three cells with code (install, imports, seed) of notebooks; runs in the environment tested.

    python cells.py 1 NOTEBOOK...   # only the first cell of each
    python cells.py 3 NOTEBOOK...

Prints, as JSON, what each notebook asked of ``%pip``.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import warnings

import nbformat
from IPython.core.interactiveshell import InteractiveShell

warnings.simplefilter("ignore", DeprecationWarning)
asked: dict[str, list[str]] = {}
shell = InteractiveShell.instance()
for name in sys.argv[2:]:
    asked[name] = []
    shell.reset()
    shell.register_magic_function(asked[name].append, magic_name="pip")
    cells = [cell for cell in nbformat.read(name, as_version=4).cells if cell.cell_type == "code"]
    for cell in cells[: int(sys.argv[1])]:
        with contextlib.redirect_stdout(io.StringIO()):
            shell.run_cell(cell.source).raise_error()
print(json.dumps(asked))
