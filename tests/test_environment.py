"""The environment check: right when all is well, and honest about each thing that is not."""

from __future__ import annotations

import importlib
import sys

import pytest

from glasslib import catalog, environment
from glasslib.environment import Requirement, check, report
from glasslib.errors import GlassError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GLASSLIB_CACHE", str(tmp_path / "cache"))


def row(name: str) -> Requirement:
    return next(each for each in check() if each.name == name)


def test_all_is_well_here():
    failed = [each for each in check() if each.status == "FAIL"]
    assert failed == []


def test_names_are_unique_and_failures_have_remedies():
    rows = check()
    assert len({each.name for each in rows}) == len(rows)
    assert all(each.ok != bool(each.remedy) for each in rows)


def test_old_python(monkeypatch):
    monkeypatch.setattr(environment, "OLDEST_PYTHON", (9, 9))
    assert row("Python").status == "FAIL"
    assert "Python 9.9" in row("Python").remedy


def test_missing_package(monkeypatch):
    monkeypatch.setitem(environment.PACKAGES, "no_such_module", "no-such-module")
    assert row("no-such-module").found == "not installed"
    assert row("no-such-module").remedy == "pip install no-such-module"


@pytest.mark.parametrize(
    "error", [ImportError("libcudart.so.12: cannot open"), OSError("bad\nimage"), ValueError()]
)
def test_broken_package(monkeypatch, error):
    real = importlib.import_module

    def broken(name, *rest):
        if name == "e3nn":
            raise error
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", broken)
    assert row("e3nn").status == "FAIL"
    assert "broken" in row("e3nn").found
    assert "\n" not in row("e3nn").found


def test_damaged_data(monkeypatch):
    def damaged(name):
        raise GlassError("expected SHA-256 0, got 1", source="001.npz")

    monkeypatch.setattr(catalog, "fetch", damaged)
    assert row("bundled data").status == "FAIL"
    assert "SHA-256" in row("bundled data").found


def test_cache_that_is_a_file(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GLASSLIB_CACHE", str(tmp_path / "file"))
    assert row("download cache").status == "FAIL"
    assert "GLASSLIB_CACHE" in row("download cache").remedy


def test_missing_lammps_is_no_failure(monkeypatch):
    monkeypatch.setitem(sys.modules, "glasslib.simulate", None)
    assert row("LAMMPS").status == "none"
    assert "glasslib[md]" in row("LAMMPS").remedy


def test_report_prints_remedies(capsys):
    rows = [
        Requirement("good", True, "1.0"),
        Requirement("bad", False, "not installed", "pip install bad"),
        Requirement("extra", False, "not there", "get it", optional=True),
    ]
    assert not report(rows)
    text = capsys.readouterr().out
    assert text.splitlines()[0].split() == ["OK", "good", "1.0"]
    assert "FAIL  bad" in text
    assert "-> pip install bad" in text
    assert "none  extra (optional)" in text
    assert "1 to mend: bad" in text
    assert report([rows[0], rows[2]])
    assert "Everything that is needed is there." in capsys.readouterr().out
