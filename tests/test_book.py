"""The static site: a page for every notebook, links that lead somewhere, figures drawn from the disk."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    for needed in ("myst_nb", "sphinx_book_theme", "sphinx-mathjax-offline"):
        pytest.importorskip(needed, reason="needs the extra 'book' (make setup installs it)")
    out = tmp_path_factory.mktemp("site") / "book"
    command = [sys.executable, "-W", "ignore", ROOT / "tools" / "build_book.py", "--out", out]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


def test_every_notebook_is_a_page_and_the_front_page_lists_them_in_order(site):
    front = (site / "index.html").read_text(encoding="utf-8")
    contents = front[front.index("The course") :]
    places = [contents.index(f'href="{name}.html"') for name in NOTEBOOKS]
    assert places == sorted(places)
    for name in NOTEBOOKS:
        page = (site / f"{name}.html").read_text(encoding="utf-8")
        assert f"<h1>{name[:2]} · " in page
        assert "Traceback" not in page


def test_links_lead_somewhere_and_nothing_is_fetched(site):
    for page in site.rglob("*.html"):
        if "_static" in page.parts:
            continue
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r'\bhref="([^"]*)"', text):
            if not re.match(r"https?:|#|mailto:", target):
                path = page.parent / unquote(re.split("[#?]", target)[0])
                assert path.exists(), (page.name, target)
                assert path.suffix != ".ipynb", (page.name, target)
        fetched = re.findall(r'\bsrc="([^"]*)"', text) + re.findall(r'<link\b[^>]*\bhref="([^"]*)"', text)
        for target in fetched:
            assert not re.match(r"https?:|//", target), (page.name, target)
    assert len(list(site.rglob("plotly*.js"))) == 1  # not one for each figure
    assert max(page.stat().st_size for page in site.glob("*.html")) < 2_500_000


#: Of the first trace with particles.
COLOURS = "figure => Array.from(figure.data.find(trace => trace.marker && trace.x.length).marker.color)"


def test_a_browser_draws_the_figures_from_the_disk(site):
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if CHROMIUM is None:
        pytest.skip("needs chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
        )
        page = browser.new_context(offline=True).new_page()
        page.set_default_timeout(120_000)
        wrong: list[str] = []
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("requestfailed", lambda request: wrong.append(request.url))

        page.goto((site / f"{NOTEBOOKS[0]}.html").as_uri())
        figure = page.locator("div.figure-of-plotly").first
        figure.scroll_into_view_if_needed()
        figure.locator(".gl-container canvas").first.wait_for(state="attached")
        box = figure.bounding_box()
        assert box["width"] > 300
        assert box["height"] > 300
        assert "scatter3d" in figure.evaluate("figure => figure.data.map(trace => trace.type)")
        before = figure.evaluate(COLOURS)
        figure.locator(".slider-rail-touch-rect").click(position={"x": 5, "y": 5})
        changed = f"before => String(({COLOURS})(document.querySelector('.figure-of-plotly'))) !== before"
        page.wait_for_function(changed, arg=",".join(map(str, before)))

        page.goto((site / "03_equivariant_convolution_by_hand.html").as_uri())
        page.locator("mjx-container svg").first.wait_for(state="attached")  # formulas
        figure = page.locator("div.figure-of-plotly").first
        figure.scroll_into_view_if_needed()
        figure.locator(".main-svg").first.wait_for()
        page.locator('a[href="04_expert_bond_order_features.html"]').last.click()
        page.wait_for_url("**/04_*.html")
        browser.close()
    assert wrong == []
