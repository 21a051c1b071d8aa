"""Build a static site of the course from the notebooks as they are stored: nothing is run, nothing fetched.

    python tools/build_book.py                 # build/book/index.html, which opens from the file system
    python tools/build_book.py --out elsewhere

Figures stay interactive. plotly.js and MathJax come with the site, once, so that it needs no network either.
Needs the extra ``book`` (sphinx with myst-nb).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
REPOSITORY = "https://github.com/glasslib/glasslib"
PLOTLY = "application/vnd.plotly.v1+json"
HEIGHT = 450  # pixels, of a figure that does not say

#: Draws the figures that come near the window: browsers keep about sixteen of the 3D ones at a time.
SCRIPT = """
document.addEventListener("DOMContentLoaded", () => {
  const observer = new IntersectionObserver((entries) => {
    for (const {isIntersecting, target} of entries) {
      if (!isIntersecting) continue;
      observer.unobserve(target);
      Plotly.newPlot(target, JSON.parse(target.nextElementSibling.textContent));
    }
  }, {rootMargin: "800px"});
  document.querySelectorAll("div.figure-of-plotly").forEach((place) => observer.observe(place));
});
"""

SETTINGS: dict[str, Any] = {
    "project": "Learning glassy liquids",
    "html_title": "Learning glassy liquids",
    "html_theme": "sphinx_book_theme",
    "html_theme_options": {
        "repository_url": REPOSITORY,
        "path_to_docs": "notebooks",
        "use_repository_button": True,
        "use_download_button": False,
        "home_page_in_toc": True,
    },
    "html_context": {"default_mode": "light"},
    "html_static_path": ["static"],
    "html_js_files": ["plotly.min.js", "figures.js"],
    "html_copy_source": False,
    "html_show_copyright": False,
    "extensions": ["myst_nb"],
    "nb_execution_mode": "off",
    "myst_enable_extensions": ["amsmath", "dollarmath"],
    "mathjax_path": "tex-svg.js",
    "suppress_warnings": ["myst.header"],  # the part about the set-up is small on purpose
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "book", help="default: build/book")
    out: Path = parser.parse_args().out.resolve()
    if importlib.util.find_spec("myst_nb") is None:
        sys.exit("tools/build_book.py needs the extra 'book': make setup, or pip install -e '.[book]'")
    with tempfile.TemporaryDirectory() as temporary:
        source, built = Path(temporary, "source"), Path(temporary, "built")
        write_source(source)
        build(source, built)
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(built, out)
    print(f"the site is ready: open {out / 'index.html'}")


def write_source(folder: Path) -> None:
    """What Sphinx makes the site of: notebooks, a front page, and what the pages load."""
    from plotly.offline import get_plotlyjs

    paths = sorted([*NOTEBOOKS.glob("*.ipynb"), *NOTEBOOKS.glob("solutions/*.ipynb")])
    for path in paths:
        target = folder / path.relative_to(NOTEBOOKS)
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(prepared(nbformat.read(path, as_version=4), path.parent), target)
    names = [path.relative_to(NOTEBOOKS).with_suffix("").as_posix() for path in paths]
    (folder / "index.md").write_text(front_page(names), encoding="utf-8")
    for picture in (ROOT / "docs").glob("*.png"):
        shutil.copy(picture, folder)
    static = folder / "static"
    static.mkdir()
    (static / "plotly.min.js").write_text(get_plotlyjs(), encoding="utf-8")
    (static / "figures.js").write_text(SCRIPT, encoding="utf-8")
    mathjax = importlib.util.find_spec("sphinx-mathjax-offline")
    assert mathjax is not None
    assert mathjax.origin is not None
    shutil.copy(Path(mathjax.origin).parent / "static" / "mathjax" / "tex-svg.js", static)


def prepared(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """A notebook whose figures are HTML and whose links lead somewhere from the site."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = with_links(cell.source, folder)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if PLOTLY in data:
                output.data = NotebookNode({"text/html": figure(data[PLOTLY])})
    return notebook


def figure(described: dict[str, Any]) -> str:
    """A place for a figure, and what to draw there."""
    content = {**described, "config": {**described.get("config", {}), "responsive": True}}
    text = json.dumps(content, separators=(",", ":")).replace("</", "<\\/")
    height = described.get("layout", {}).get("height", HEIGHT)
    return (
        f'<div class="figure-of-plotly" style="height: {height}px"></div>'
        f'<script type="application/json">{text}</script>'
    )


def with_links(text: str, folder: Path) -> str:
    """Links to what is not on the site lead to the repository; a badge, which is fetched, becomes a link."""

    def leading(link: re.Match[str]) -> str:
        target = link[1].split("#")[0]
        path = (folder / target).resolve()
        if re.match(r"https?:|#", link[1]) or path.suffix in (".ipynb", ".png"):
            return link[0]
        kind = "tree" if path.is_dir() else "blob"
        return f"]({REPOSITORY}/{kind}/main/{path.relative_to(ROOT).as_posix()})"

    return re.sub(r"\]\(([^)\s]+)\)", leading, re.sub(r"!\[([^]]*)\]\(https?://[^)\s]+\)", r"\1", text))


def front_page(names: list[str]) -> str:
    """The beginning of README.md, and the contents in order."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## The package")[0]
    lines = [re.sub(r"\]\((?:notebooks|docs)/", "](", with_links(readme, ROOT))]
    for caption, inside in (("The course", False), ("Solutions", True)):
        chosen = [name for name in names if ("/" in name) == inside]
        if chosen:
            lines += ["", "```{toctree}", ":hidden:", f":caption: {caption}", "", *chosen, "```"]
    return "\n".join(lines) + "\n"


def build(source: Path, out: Path) -> None:
    """Run Sphinx; a link that leads nowhere ends the program."""
    from sphinx.application import Sphinx

    doctrees = source.parent / "doctrees"
    app = Sphinx(source, None, out, doctrees, "html", SETTINGS, warningiserror=True, status=None)
    app.build()
    if app.statuscode:
        sys.exit("the site has warnings, told above")


if __name__ == "__main__":
    main()
