"""The browser, if there is one, and a picture of what it showed when a test failed."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.lab import PREFIX, Lab, browse, make_lab
from tools.rebuild_notebooks import BROWSERS


def missing() -> str | None:
    """What these tests need and this machine lacks."""
    if importlib.util.find_spec("playwright") is None:
        return "no playwright: pip install playwright"
    if not (PREFIX / "bin" / "jupyter").exists():
        return f"no JupyterLab beside this Python, in {PREFIX / 'bin'}"
    if shutil.which("make") is None:
        return "no make"
    if browser() is None:
        return "no Chromium (Debian: apt install chromium) nor a BROWSER_PATH that names one"
    return None


def browser() -> str | None:
    """The browser that BROWSER_PATH names, or one on the PATH."""
    return os.environ.get("BROWSER_PATH") or next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab as ``make lab`` opens it, in a browser."""
    reason = missing()
    if reason:
        pytest.skip(reason)
    with make_lab(tmp_path_factory.mktemp("course")) as server, browse(str(browser())) as page:
        opened = Lab(page, server)
        opened.enter()
        yield opened


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """When a test of the browser fails, keep a picture of the page and say where."""
    report = yield
    lab = item.funcargs.get("lab")
    if report.failed and report.when != "teardown" and isinstance(lab, Lab):
        picture = Path(item.funcargs["tmp_path"]) / "failed.png"
        lab.page.screenshot(path=picture)
        report.sections.append(("what the browser showed", str(picture)))
    return report
