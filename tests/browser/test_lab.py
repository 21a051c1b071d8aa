"""The course as people meet it: in JupyterLab, with a browser, a mouse and a stop button.

All tests share one JupyterLab and one page, and run on one worker.
"""

from __future__ import annotations

import itertools

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tests.browser.lab import PATIENCE, WIDGET, contents, move_slider, wait_for_another, wait_for_change

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * PATIENCE)]

START = "00_start_here.ipynb"
EPOCHS = 20
SMALL = f"""\
train = catalog.load("bundled", "train", temperature=0.64, limit=2)
small = NetworkOptions(hidden="8x0e + 4x1o", l_max=1, n_layers=1, n_averages=1, width=8)
training = TrainingOptions(epochs={EPOCHS}, patience={EPOCHS}, validation=0.5)
"""
TRAINING = [
    """\
import torch

from glasslib import catalog
from glasslib.equivariant import NetworkOptions
from glasslib.predictor import SE3Predictor
from glasslib.training import PropensityModule, TrainingOptions

torch.set_num_threads(1)  # the other core may be busy with another test
steps, step = [], PropensityModule.training_step
PropensityModule.training_step = lambda *given: steps.append(1) or step(*given)
"""
    + SMALL,
    'predictor = SE3Predictor(network=small, training=training).fit(train, directory="run")',
    "print(len(predictor.history), len(steps))",
]

VIEWS = [
    """\
import numpy as np

from glasslib import catalog, checkpoints
from glasslib.equivariant import NetworkOptions
from glasslib.explore import GlassExplorer, LiveExplorer, LiveGlass, TrainingWatcher
from glasslib.predictor import SE3Predictor
from glasslib.simulate import Protocol
from glasslib.training import TrainingOptions

protocol = Protocol(1.0, particles=300)
sites = np.stack(np.unravel_index(np.random.default_rng(0).permutation(343)[:300], (7, 7, 7)), axis=1)
live = LiveGlass(protocol, (sites + 0.5) / 7 * protocol.box, checkpoints.load("se3-T0.64"))
"""
    + SMALL,
    'GlassExplorer(data="bundled", temperature="0.64", name="test 1")',
    'TrainingWatcher(SE3Predictor(network=small, training=training), train, "watched")',
    "LiveExplorer(live, chunk=0.1)",
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


def test_a_notebook_runs_from_end_to_end(lab):
    lab.open("07_transfer_learning.ipynb")
    run_to_the_end(lab)
    lab.shut_down_kernel()


def test_a_notebook_with_a_view_runs_from_end_to_end_and_its_slider_turns_the_picture(lab):
    lab.open("03_equivariant_convolution_by_hand.ipynb")
    run_to_the_end(lab)
    (shown,) = [cell["index"] for cell in lab.cells() if WIDGET in str(cell["outputs"])]
    view = lab.view(shown)
    picture, slider = view.picture("A neighbourhood"), view.control("about y (°)")
    before = picture.inner_html()
    slider.press("ArrowRight")
    turned = wait_for_another(picture, before)
    slider.press("ArrowLeft")
    assert wait_for_another(picture, turned) == before
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


@pytest.fixture(scope="module")
def views(lab):
    """A notebook with the views, whose kernel the tests from here on share."""
    lab.open(write_notebook(lab, "views.ipynb", VIEWS).name)
    lab.run()
    assert [errors(cell) for cell in lab.wait_until_run()] == [[]] * len(VIEWS)
    yield
    lab.shut_down_kernel()


@pytest.mark.usefixtures("views")
def test_the_glass_explorer_follows_the_keyboard_and_the_mouse(lab):
    view = lab.view(1)
    slabs, closely = view.picture("Two slabs"), view.picture("The selected particle")
    view.wait_for_text("predicted, r =")  # computed beside the kernel
    view.control("right panel").press("ArrowDown")
    view.wait_for_text("predicted − measured")

    number, spectrum = view.control("particle").input_value(), bars(closely)
    view.control("in the slab").press("ArrowRight")
    closely.get_by_text(f"particle {number} (").wait_for(state="detached")
    assert bars(closely) != spectrum

    for picture in (slabs, closely):
        disc, spectrum = picture.locator("[data-id]").last, bars(closely)  # drawn last, it lies on top
        number = disc.get_attribute("data-id")
        disc.click()
        view.wait_for_text(f"particle {number} (")
        assert view.control("particle").input_value() == number
        assert bars(closely) != spectrum


def bars(picture):
    """How high they are."""
    heights = picture.locator("rect").evaluate_all("bars => bars.map(bar => bar.getAttribute('height'))")
    assert len(heights) == 8
    return heights


@pytest.mark.usefixtures("views")
def test_a_training_is_watched_stopped_and_resumed(lab):
    view = lab.view(2)
    curves = view.picture("Loss and correlation")
    dots = curves.locator("circle")  # four for each epoch
    view.button("Start").press("Enter")
    dots.nth(8).wait_for()
    view.button("Stop").press("Enter")
    view.wait_for_text("not running")
    number, stopped = dots.count(), curves.inner_html()
    view.button("Resume").press("Enter")
    wait_for_another(curves, stopped)
    assert dots.count() >= number
    dots.nth(4 * EPOCHS - 1).wait_for()
    view.wait_for_text("finished")


@pytest.mark.usefixtures("views")
def test_a_simulation_moves_in_sight_and_can_be_used_when_it_is_paused(lab):
    view = lab.view(3)
    slab = view.picture("A slab of the running simulation")
    for _ in range(2):
        frame = slab.inner_html()
        view.button("Run").press("Enter")
        for _ in range(2):
            frame = wait_for_another(slab, frame)
        view.button("Pause").press("Enter")
        view.wait_for_text("paused")
        frame = slab.inner_html()
        view.control("predict for t").press("ArrowLeft")
        other = wait_for_another(slab, frame)
        view.control("predict for t").press("ArrowRight")
        assert wait_for_another(slab, other) == frame


def errors(cell):
    return [output for output in cell["outputs"] if output["output_type"] == "error"]
