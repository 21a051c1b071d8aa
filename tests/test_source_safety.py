"""No pickle, no eval, no shell: what is in a file or a name is never run. And one way to write files."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

ROOT = Path(__file__).parents[1]
FOLDERS = ("glasslib", "tools", "benchmarks", "notebooks")
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
PACKAGE = sorted((ROOT / "glasslib").rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))

#: May not even be imported.
MODULES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "jsonpickle", "marshal", "shelve"}
#: May not even be named.
FUNCTIONS = {
    *("eval", "exec", "compile", "__import__"),
    *("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"),
    *("asyncio.create_subprocess_shell", "pty.spawn", "pandas.eval", "pandas.read_pickle"),
    *("joblib.load", "joblib.dump", "torch.hub.load", "torch.jit.load", "torch.package.PackageImporter"),
    *("yaml.unsafe_load", "yaml.unsafe_load_all", "yaml.full_load", "yaml.full_load_all"),
    *("yaml.Loader", "yaml.FullLoader", "yaml.UnsafeLoader", "yaml.CLoader"),
}
#: Have to be called, and with this argument in so many words.
NEEDED = {
    "torch.load": ("weights_only", "True"),
    "yaml.load": ("Loader", "yaml.SafeLoader"),
    "yaml.load_all": ("Loader", "yaml.SafeLoader"),
}
#: Where these arguments are given to anything, they are this in so many words.
GIVEN = {"shell": "False", "allow_pickle": "False", "weights_only": "True"}


def dangers(source: str) -> list[str]:
    """What the source does that could run what it reads, one line each."""
    tree = ast.parse(source)
    return [f"line {node.lineno}: {text}" for node, text in _found(tree, _imported(tree))]


def _imported(tree: ast.Module) -> dict[str, str]:
    """By name in the source: what it stands for."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _qualified(node: ast.expr, names: dict[str, str]) -> str:
    """The dotted name that an expression stands for; empty for anything else."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id if hasattr(builtins, node.id) else "")
    if isinstance(node, ast.Attribute) and (before := _qualified(node.value, names)):
        return f"{before}.{node.attr}"
    return ""


def _found(tree: ast.Module, names: dict[str, str]) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            for module in modules:
                if module.split(".")[0] in MODULES:
                    yield node, f"imports {module}"
        elif isinstance(node, ast.Name | ast.Attribute):
            name = _qualified(node, names)
            if name in FUNCTIONS:
                yield node, name
            elif name in NEEDED and id(node) not in called:
                yield node, f"{name} under another name"
        elif isinstance(node, ast.Call):
            given = {word.arg: word.value for word in node.keywords}
            for argument, value in GIVEN.items():
                if argument in given and ast.unparse(given[argument]) != value:
                    yield node, f"{argument} is not {value}"
            argument, value = NEEDED.get(name := _qualified(node.func, names), ("", ""))
            if argument and (argument not in given or _said(given[argument], names) != value):
                yield node, f"{name} without {argument}={value}"
            if "ckpt_path" in given and "weights_only" not in given:
                yield node, "ckpt_path without weights_only=True"


def _said(node: ast.expr, names: dict[str, str]) -> str:
    return _qualified(node, names) or ast.unparse(node)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_that_is_read_can_run(path):
    assert dangers(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_nothing_that_a_notebook_reads_can_run(path):
    cells = [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    source = "\n".join(TransformerManager().transform_cell(cell) for cell in cells)
    assert dangers(source) == []
    assert "get_ipython().system(" not in source
    assert "get_ipython().getoutput(" not in source


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import os.path, dill",
        "eval('1')",
        "f = exec",
        "__import__('x')",
        "import os\nos.system('ls')",
        "from os import system as run\nrun('ls')",
        "import os as o\nshow = o.popen",
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "from subprocess import run\nrun('ls', shell=loud)",
        "import torch\ntorch.load(path)",
        "import torch\ntorch.load(path, weights_only=False)",
        "import torch\ntorch.load(path, weights_only=safe)",
        "import torch\ntorch.load(path, **options)",
        "from torch import load as read\nread(path)",
        "import torch\nread = torch.load",
        "trainer.fit(module, ckpt_path=last)",
        "Network.load_from_checkpoint(path, weights_only=None)",
        "import numpy as np\nnp.load(path, allow_pickle=True)",
        "import numpy as np\nnp.save(path, x, allow_pickle=known)",
        "import yaml\nyaml.load(text)",
        "import yaml\nyaml.load(text, Loader=yaml.Loader)",
        "import yaml\nyaml.unsafe_load(text)",
        "import joblib\njoblib.load(path)",
        "from joblib import load\nload(path)",
    ],
)
def test_dangers_are_seen(source):
    assert dangers(source)


@pytest.mark.parametrize(
    "source",
    [
        "import pickletools",
        "network.eval()",
        "self.compile(x)",
        "import re, torch\nre.compile('x')\ntorch.compile(f)",
        "import torch\ntorch.load(path, weights_only=True)",
        "from torch import load as read\nread(path, weights_only=True)",
        "trainer.fit(module, ckpt_path=last, weights_only=True)",
        "import numpy as np\nnp.load(path)\nnp.load(path, allow_pickle=False)",
        "import subprocess\nsubprocess.run(['ls'])\nsubprocess.run(['ls'], shell=False)",
        "import yaml\nyaml.safe_load(text)\nyaml.load(text, Loader=yaml.SafeLoader)",
        "from yaml import SafeLoader, load\nload(text, Loader=SafeLoader)",
        "import joblib\njoblib.Parallel()(x)",
        "from glasslib import load\nload(path)",
        "from .x import eval_scores\nsystem = 3\nload = read(path)",
        "text = 'pickle, eval(x), os.system'",
    ],
)
def test_what_is_harmless_is_let_pass(source):
    assert dangers(source) == []


#: Where new files come from: a half-written one never has its name.
BOUNDARY = {"readers/boundary.py", "catalog/transfer.py"}


def writes(source: str) -> list[str]:
    """Where the source opens or names files in a way that a kill could leave half done."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        place = slice(0, 2) if isinstance(node.func, ast.Attribute) else slice(1, 2)
        modes = [*node.args[place], *(word.value for word in node.keywords if word.arg == "mode")]
        texts = [mode.value for mode in modes if isinstance(mode, ast.Constant)]
        opens = name == "open" and any(isinstance(text, str) and set(text) & set("wax+") for text in texts)
        if opens or name in ("write_text", "write_bytes", "rename"):
            found.append(f"line {node.lineno}: {ast.unparse(node)[:80]}")
    return found


@pytest.mark.parametrize(
    "source", ["open(p, 'w')", "path.open('ab')", "open(p, mode='r+')", "p.write_text('')", "os.rename(a, b)"]
)
def test_writing_past_the_boundary_is_seen(source):
    assert writes(source)
    assert not writes("open(p)\nopen(p, 'rb')\npath.open()\nfile.write(b'')\nzip.open(info)")


@pytest.mark.parametrize("path", PACKAGE, ids=lambda path: path.name)
def test_files_are_written_whole_or_not_at_all(path):
    if path.relative_to(ROOT / "glasslib").as_posix() not in BOUNDARY:
        assert writes(path.read_text(encoding="utf-8")) == []
