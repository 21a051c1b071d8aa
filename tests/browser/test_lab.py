"""The course as people meet it: in JupyterLab, with a browser, a mouse and a stop button.

All tests share one JupyterLab and one page, and run on one worker.
"""

from __future__ import annotations

import itertools

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tests.browser.lab import PATIENCE, contents, move_slider, wait_for_change

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * PATIENCE)]

START = "00_start_here.ipynb"
EPOCHS = 40
TRAINING = [
    """\
from glasslib import catalog
from glasslib.equivariant import NetworkOptions
from glasslib.predictor import SE3Predictor
from glasslib.training import PropensityModule, TrainingOptions

steps, step = [], PropensityModule.training_step
PropensityModule.training_step = lambda *given: steps.append(1) or step(*given)
train = catalog.load("bundled", "train", temperature=0.64, limit=2)
small = NetworkOptions(hidden="8x0e + 4x1o", l_max=1, n_layers=1, n_averages=1, width=8)
""",
    f"""\
training = TrainingOptions(epochs={EPOCHS}, patience={EPOCHS}, validation=0.5)
predictor = SE3Predictor(network=small, training=training).fit(train, directory="run")
""",
    "print(len(predictor.history), len(steps))",
]

EXPLORER = [
    """\
from glasslib import catalog
from glasslib.explore import ConvolutionExplorer

(glass,) = catalog.load("bundled", "test", temperature=0.64, limit=1)
""",
    "ConvolutionExplorer(glass, particle=9)",
]


@pytest.fixture(autouse=True)
def page_without_errors(lab, tmp_path):
    """Nothing went wrong in the page itself (and tmp_path is there for a picture of it)."""
    yield
    assert lab.errors == []


def write_notebook(lab, name, sources):
    """A notebook of the test's own beside those of the course, to be opened; its path."""
    metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources], metadata=metadata)
    path = lab.server.notebooks / name
    nbformat.write(notebook, path)
    lab.refresh()
    return path


def run_to_the_end(lab):
    """Every cell runs, in order and without complaint, and all figures are there; those, by cell."""
    lab.run()
    cells = lab.wait_until_run()
    for cell in cells:
        for output in cell["outputs"]:
            assert output["output_type"] != "error", "\n".join(output["traceback"])
            assert output.get("name") != "stderr", output["text"]
    assert [cell["count"] for cell in cells] == list(range(1, len(cells) + 1))
    plots = [found for cell in cells if (found := lab.plots(cell))]
    assert plots
    for plot in itertools.chain(*plots):
        size = plot.bounding_box()
        assert size["width"] > 300
        assert size["height"] > 200
        assert plot.locator(".no-webgl").count() == 0
    assert lab.panel.get_by_text("Error displaying widget").count() == 0
    return plots


def test_make_lab_lands_on_the_first_notebook_which_runs_and_whose_sliders_move(lab):
    lab.wait_until_ready(START)
    plots = run_to_the_end(lab)
    assert len(plots) == 2
    for (plot,) in plots:
        before = contents(plot)
        move_slider(plot, 0.1)
        early = wait_for_change(plot, before)
        move_slider(plot, 0.4)
        assert wait_for_change(plot, early) != before
    lab.shut_down_kernel()


@pytest.mark.parametrize("name", ["03_equivariant_convolution_by_hand.ipynb", "07_transfer_learning.ipynb"])
def test_a_notebook_runs_from_end_to_end(lab, name):
    lab.open(name)
    run_to_the_end(lab)
    lab.shut_down_kernel()


def test_sliders_of_widgets_obey_the_keyboard_and_redraw_the_figure(lab):
    lab.open(write_notebook(lab, "explorer.ipynb", EXPLORER).name)
    lab.run()
    cells = lab.wait_until_run()
    assert errors(cells[1]) == []
    view = lab.cell(1).locator(".jp-OutputArea")
    figure, slider = view.locator("svg:visible").first, view.get_by_role("slider").first
    before = figure.inner_html()
    slider.press("ArrowRight")
    turned = lab.wait_for_another(figure, before)
    slider.press("ArrowLeft")
    assert lab.wait_for_another(figure, turned) == before
    lab.shut_down_kernel()


def test_training_that_is_stopped_goes_on_where_it_was(lab):
    run = write_notebook(lab, "training.ipynb", TRAINING).parent / "run"
    lab.open("training.ipynb")
    lab.run()
    lab.wait_for_file(run / "last.ckpt")
    lab.stop()
    stopped = lab.wait_until_run()[1]
    assert not (run / "history.json").exists(), "it ended before it could be stopped"
    assert [output["ename"] for output in errors(stopped)] == ["KeyboardInterrupt"]

    lab.run(first=1)
    training, numbers = lab.wait_until_run(first=1)
    assert errors(training) == []
    epochs, steps = map(int, numbers["outputs"][0]["text"].split())
    assert epochs == EPOCHS
    assert EPOCHS <= steps <= EPOCHS + 1, (
        "of what was done before, only the step that was cut off is repeated"
    )
    lab.shut_down_kernel()


def errors(cell):
    return [output for output in cell["outputs"] if output["output_type"] == "error"]
