"""A real JupyterLab, started as ``make lab`` starts it, and a real browser that looks at it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

ROOT = Path(__file__).resolve().parents[2]
PREFIX = Path(sys.prefix)
FLAGS = (
    "--no-sandbox",
    "--use-angle=swiftshader",  # WebGL without a GPU
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--no-first-run",
)
PLOTLY = "application/vnd.plotly.v1+json"
WIDGET = "application/vnd.jupyter.widget-view+json"
PATIENCE = 1800  # seconds; on two quiet cores everything takes a small part of it


@dataclass
class Server:
    """A JupyterLab that runs on a copy of the notebooks."""

    folder: Path
    url: str

    @property
    def notebooks(self) -> Path:
        """What it serves."""
        return self.folder / "notebooks"


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def make_lab(folder: Path) -> Iterator[Server]:
    """``make lab`` in a copy of what it needs, with this Python as its environment; shut down at the end."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    ignore = shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=ignore)
    own = {name: str(folder / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")}
    own |= {name: str(folder / name.lower()) for name in ("JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    options = f"--no-browser --port {free_port()} --LabApp.expose_app_in_browser=True"
    # what is installed already is not installed anew, whatever its date
    command = ["make", "lab", f"VENV={PREFIX}", f"--old-file={PREFIX}/.ready", f"ARGS={options}"]
    log = folder / "lab.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | own | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        url = _printed_url(log, process)
        yield Server(folder, url)
        _shut_down(url)
        assert process.wait(60) == 0, f"JupyterLab did not end well:\n{log.read_text()}"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _printed_url(log: Path, process: subprocess.Popen[bytes]) -> str:
    """The address with its token, as people copy it from the terminal."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        found = re.search(r"http://127\.0\.0\.1:\d+/lab/tree/\S+\?token=\w+", log.read_text())
        if found:
            return found[0]
        time.sleep(0.1)
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text()}")


def _shut_down(url: str) -> None:
    """As File > Shut Down does."""
    address, token = re.match(r"(http://[\d.:]+)/.*token=(\w+)", url).groups()  # type: ignore[union-attr]
    headers = {"Authorization": f"token {token}"}
    request = urllib.request.Request(f"{address}/api/shutdown", method="POST", headers=headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200


@contextmanager
def browse(executable: str) -> Iterator[Page]:
    """An empty page in the browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE * 1000)
        yield page
        browser.close()


class Lab:
    """JupyterLab in a page: what people do there by mouse and keyboard, and what they see."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.server = server
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        # the question about news, whenever it comes, is in nobody's way
        news = page.get_by_text("Would you like to get notified about official Jupyter news?")
        page.add_locator_handler(news, lambda: page.get_by_role("button", name="No", exact=True).click())

    @property
    def panel(self) -> Locator:
        """The notebook in front."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    def enter(self) -> None:
        """Follow the address that ``make lab`` prints."""
        self.page.goto(self.server.url)

    def open(self, name: str) -> None:
        """Double-click a notebook in the list of files, and wait until its kernel is ready."""
        self.page.locator(".jp-DirListing-item", has_text=name).dblclick()
        self.wait_until_ready(name)

    def wait_until_ready(self, name: str) -> None:
        """Past connecting and starting, until the kernel of this notebook is idle."""
        self.page.wait_for_function(
            """name => {
                const panel = window.jupyterapp?.shell.currentWidget;
                const kernel = panel?.sessionContext?.session?.kernel;
                return panel?.context?.isReady && panel.context.path === name
                    && kernel?.connectionStatus === "connected" && kernel.status === "idle";
            }""",
            arg=name,
        )

    def menu(self, name: str, entry: str) -> None:
        """Choose from a menu."""
        self.page.get_by_role("menuitem", name=name, exact=True).click()
        self.page.get_by_role("menuitem", name=entry, exact=True).click()

    def cells(self) -> list[dict[str, Any]]:
        """Of every cell of the notebook in front: ``index``, ``code``, ``count``, ``state``, ``outputs``."""
        text: str = self.page.evaluate(f"() => JSON.stringify(({_CELLS})())")
        cells: list[dict[str, Any]] = json.loads(text)
        return cells

    def run(self, first: int = 0) -> None:
        """Clear all outputs and start the cells from the first on."""
        self.menu("Edit", "Clear Outputs of All Cells")
        self.page.wait_for_function(f"() => ({_CELLS})().every(cell => cell.count === null)")
        self.cell(first).locator(".jp-InputPrompt").click()
        self.menu("Run", "Run Selected Cell and All Below" if first else "Run All Cells")

    def wait_until_run(self, first: int = 0) -> list[dict[str, Any]]:
        """Until every cell with code has its count and rests, or one of them shows an error; those cells."""
        self.page.wait_for_function(
            f"""first => {{
                const cells = ({_CELLS})().slice(first).filter(cell => cell.code);
                return cells.some(cell => cell.outputs.some(output => output.output_type === "error"))
                    || cells.every(cell => cell.count !== null && cell.state === "idle");
            }}""",
            arg=first,
            polling=250,
        )
        return [cell for cell in self.cells()[first:] if cell["code"]]

    def wait_for_file(self, path: Path) -> None:
        """Until the kernel has written it."""
        deadline = time.monotonic() + PATIENCE
        while not path.exists():
            assert time.monotonic() < deadline, f"{path} was not written"
            self.page.wait_for_timeout(50)

    def cell(self, index: int) -> Locator:
        """A cell, scrolled to: only what has been in sight is drawn."""
        self.page.evaluate(
            """async index => {
                await jupyterapp.shell.currentWidget.content.scrollToItem(index, "end");
            }""",
            index,
        )
        return self.panel.locator(f'.jp-Cell[data-windowed-list-index="{index}"]')

    def plots(self, cell: dict[str, Any]) -> list[Locator]:
        """The plotly figures of a cell, once they are drawn."""
        expected = sum(PLOTLY in output.get("data", {}) for output in cell["outputs"])
        if not expected:
            return []
        drawn = self.cell(cell["index"]).locator(".js-plotly-plot:has(.main-svg)")
        drawn.nth(expected - 1).wait_for()
        return drawn.all()

    def stop(self) -> None:
        """Press the stop button of the notebook in front."""
        self.panel.locator('[data-jp-item-name="interrupt"]').click()

    def view(self, index: int) -> View:
        """What a cell shows of :mod:`glasslib.explore`."""
        return View(self.cell(index).locator(".jp-OutputArea"))

    def refresh(self) -> None:
        """Read the list of files anew."""
        self.page.locator(".jp-FileBrowser-toolbar [data-jp-item-name='refresh']").click()

    def shut_down_kernel(self) -> None:
        """End the kernel of the notebook in front: each takes its part of the memory."""
        self.menu("Kernel", "Shut Down Kernel")
        self.page.wait_for_function("() => !jupyterapp.shell.currentWidget.sessionContext.session")


@dataclass
class View:
    """A view of :mod:`glasslib.explore`: its controls and its pictures, by what stands on them."""

    area: Locator

    def control(self, name: str) -> Locator:
        """What is moved in the control with this name beside it."""
        named = self.area.page.get_by_text(name, exact=True)
        return self.area.locator(".widget-inline-hbox", has=named).locator("select, input, [role=slider]")

    def button(self, name: str) -> Locator:
        """The button that can be pressed."""
        return self.area.get_by_role("button", name=name, exact=True, disabled=False)

    def picture(self, label: str) -> Locator:
        """The picture whose label begins so."""
        return self.area.locator(f'svg[aria-label^="{label}"]')

    def wait_for_text(self, text: str) -> None:
        """Until it says so."""
        self.area.get_by_text(text).first.wait_for()


def contents(plot: Locator) -> str:
    """The data of a drawn figure, as text to compare."""
    text: str = plot.evaluate(
        "plot => JSON.stringify(plot.data.map(t => [t.x, t.y, t.z, t.value, t.marker?.color]))"
    )
    return text


def wait_for_change(plot: Locator, before: str, read: Callable[[Locator], str] = contents) -> str:
    """Until what is drawn is read otherwise than before, the data of a figure by default; what it is then."""
    deadline = time.monotonic() + PATIENCE
    while (now := read(plot)) == before:
        assert time.monotonic() < deadline, "what is drawn stayed as it was"
        plot.page.wait_for_timeout(50)
    return now


def wait_for_another(picture: Locator, before: str) -> str:
    """Until a picture is another than before; what it consists of then."""
    return wait_for_change(picture, before, lambda picture: picture.inner_html())


def move_slider(plot: Locator, place: float) -> None:
    """Click on the rail of a figure's own slider, at a fraction of its length."""
    rail = plot.locator(".slider-rail-touch-rect")
    rail.scroll_into_view_if_needed()
    box = rail.bounding_box()
    assert box is not None
    rail.click(position={"x": place * box["width"], "y": box["height"] / 2})


_CELLS = """() => jupyterapp.shell.currentWidget.content.widgets.map((cell, index) => ({
    index,
    code: cell.model.type === "code" && cell.model.sharedModel.getSource().trim() !== "",
    count: cell.model.executionCount ?? null,
    state: cell.model.executionState ?? null,
    outputs: cell.model.outputs?.toJSON() ?? [],
}))"""
