"""Every ``python -m glasslib...``: how it ends, and what it says then."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import glasslib
from glasslib.command import command
from glasslib.errors import GlassError

SOURCE = Path(glasslib.__file__).parent
MODULES = [
    ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)
    for path in sorted(SOURCE.rglob("*.py"))
    if '\nif __name__ == "__main__":' in path.read_text(encoding="utf-8")
]


def test_they_are_found():
    assert len(MODULES) >= 13


@pytest.mark.parametrize("module", MODULES)
def test_a_wrong_option_is_told_in_one_line(module, capsys):
    with pytest.raises(SystemExit) as end:
        importlib.import_module(module).main(["--no-such-option"])
    assert end.value.code == 2
    (told,) = capsys.readouterr().err.splitlines()
    assert re.match(rf"{re.escape(module.removesuffix('.__main__'))}: .*--help", told)


@pytest.mark.parametrize("module", MODULES)
def test_help_names_the_command(module, capsys):
    with pytest.raises(SystemExit) as end:
        importlib.import_module(module).main(["--help"])
    assert not end.value.code
    assert f"python -m {module.removesuffix('.__main__')}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("raised", "status", "told"),
    [
        (None, 0, ""),
        (GlassError("is too small", field="box"), 2, "a.module: box: is too small\n"),
        (KeyboardInterrupt(), 130, "a.module: interrupted; start again\n"),
    ],
)
def test_how_it_ends(raised, status, told, capsys):
    @command("a.module", "start again")
    def main(arguments):
        assert arguments == ["one"]
        if raised:
            raise raised

    assert main(["one"]) == status
    assert capsys.readouterr().err == told


def test_a_mistake_of_ours_is_not_hidden():
    @command("a.module")
    def main(arguments):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        main([])
