"""What every notebook has in common, checked without running it."""

from __future__ import annotations

import ast
import json
import re
import statistics
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
PLOTLY = "application/vnd.plotly.v1+json"
IGNORED = "nbval-ignore-output"
LOCAL_PATHS = (
    r"/home/",
    r"/Users/",
    r"/root/",
    r"/tmp/",
    r"site-packages",
    r"[A-Z]:\\\\",
    r"/work/",
    r"\.venv",
)
#: What an opening says of the minutes to run, rounded, and of those to read.
RUN = ("under a minute", "a minute", "two minutes", "three minutes", "four minutes", "five minutes")
READ = {"fifteen": 15, "twenty": 20, "half an hour": 30, "forty": 40, "an hour": 60}
COLAB = "https://colab.research.google.com/github/glasslib/glasslib/blob/main/notebooks/"


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell):
    return cell.metadata.get("tags", [])


def has_figure(cell):
    return any(PLOTLY in output.get("data", {}) for output in cell.get("outputs", []))


def prints(cell):
    """Whether a cell has text among its outputs that nbval could compare."""
    return any(
        output.output_type == "stream" or "text/plain" in output.get("data", {}) for output in cell.outputs
    )


def test_they_are_numbered_without_gaps_from_the_start():
    numbers = [int(path.name[:2]) for path in NOTEBOOKS]
    assert len(NOTEBOOKS) >= 2
    assert len(set(numbers)) == len(numbers)
    assert numbers[0] == 0
    assert all(re.fullmatch(r"\d\d_[a-z0-9_]+", path.stem) for path in NOTEBOOKS)


def test_valid_and_for_the_plain_kernel(notebook):
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"


def test_opening(path, notebook):
    title, *_ = notebook.cells
    assert title.cell_type == "markdown"
    assert title.source.startswith(f"# {path.name[:2]} · ")
    assert f"{COLAB}{path.name}" in title.source
    for part in ("**Goal.**", "**You need**", "**Time:**"):
        assert part in title.source
    install, imports, seed = code(notebook)[:3]
    assert "COLAB_RELEASE_TAG" in install.source
    assert install.outputs == []
    assert "import" in imports.source
    assert "version" in imports.source
    assert "seed" in seed.source
    assert "device" in seed.source
    assert IGNORED in tags(imports)
    assert IGNORED in tags(seed)


def minutes_of(path):
    """Minutes to run, as measured, and to read, as the notebook's opening estimates: such as (2, 60)."""
    measured = json.loads((ROOT / "docs" / "minutes.json").read_text())["seconds"]
    assert path.stem in measured, f"run `python tools/time_notebooks.py notebooks/{path.name}`"
    seconds = measured[path.stem]
    opening = nbformat.read(path, as_version=4).cells[0].source
    run, read = re.search(r"\*\*Time:\*\* ([a-z ]+) to run, ([a-z ]+) to read\.", opening).groups()
    assert run == RUN[round(seconds / 60)], f"{seconds} s were measured"
    return round(seconds / 60), READ[read]


def test_minutes_are_those_that_were_measured(path):
    run, read = minutes_of(path)
    assert run <= 5
    assert 15 <= read <= 60


@pytest.mark.parametrize("where", ["README.md", "notebook 00"])
def test_map_of_the_course(where):
    """Both list every notebook in order, with its question and its minutes."""
    if where == "README.md":
        text, folder = (ROOT / where).read_text(encoding="utf-8"), "notebooks/"
    else:
        cells = nbformat.read(NOTEBOOKS[0], as_version=4).cells
        text, folder = next(c.source for c in cells if c.source.startswith("## The map of the course")), ""
    rows = [[part.strip() for part in line.split("|")[1:-1]] for line in text.splitlines() if line[:1] == "|"]
    rows = [row for row in rows if re.match(r"\[?\d\d\b", row[0]) and "*coming*" not in " ".join(row)]
    assert len(rows) == len(NOTEBOOKS)
    for path, row in zip(NOTEBOOKS, rows, strict=True):
        run, read = minutes_of(path)
        assert path.name[:2] in row[0]
        assert f"]({folder}{path.name})" in " ".join(row[:2]) or (
            where != "README.md" and path is NOTEBOOKS[0]
        )
        assert any(part.endswith("?") for part in row)
        assert f"{run or '< 1'} + {read}" in row


def test_links_back_and_forward(path, notebook):
    """Each leads to the one before it and to the next; the last leads to the map in the first."""
    number = NOTEBOOKS.index(path)
    closing = notebook.cells[-1].source.replace("\n", " ")
    back = re.search(r"\*\*Back:\*\* \[(\d\d) · [^\]]+\]\(([^)]+)\)", closing)
    forward = re.search(r"\*\*Next:\*\* \[(\d\d) · [^\]]+\]\(([^)]+)\)", closing)
    following = NOTEBOOKS[(number + 1) % len(NOTEBOOKS)]
    assert forward.groups() == (following.name[:2], following.name)
    if number:
        assert back.groups() == (NOTEBOOKS[number - 1].name[:2], NOTEBOOKS[number - 1].name)


def test_needs_only_what_came_before(path, notebook):
    needs = re.search(r"\*\*You need\*\*.*?(?=\n\n)", notebook.cells[0].source, re.DOTALL)[0]
    for name in re.findall(r"\]\((\d\d_[^)]+)\)", needs):
        assert name < path.name


def test_install_cell_is_the_same_everywhere(path, notebook):
    """But for what those want in addition that run LAMMPS: the same, too."""
    like = next(p for p in NOTEBOOKS if p.name[:2] == ("12" if path.name[:2] in ("09", "12") else "00"))
    assert code(notebook)[0].source == code(nbformat.read(like, as_version=4))[0].source


def test_nothing_was_left_to_be_written(notebook):
    """No mark of the author's for words or numbers to come, and no TeX command with its backslash doubled."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert not re.search(r"\b(TODO|FIXME|XXX|TBD)\b", cell.source)
            assert not re.search(r"(?:^|[.:)*] )[A-Z][A-Z0-9]{2,}$", cell.source, re.MULTILINE)
            assert not re.search(r"\\\\(tau|alpha|sigma|phi|mathbf|hat|frac)", cell.source)


def test_closing(notebook):
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    places = [
        text.find(part) for part in ("\n## Exercises", "## What you saw", "\n## References", "**Next:**")
    ]
    assert all(place > 0 for place in places)
    assert places == sorted(places)
    seen = text[places[1] : places[2]]
    assert len(re.findall(r"^\* ", seen, re.MULTILINE)) == 3


def exercise_checks(notebook):
    """Sources of the cells that tell right from wrong: of each pair of code cells the second."""
    start = next(
        k for k, cell in enumerate(notebook.cells) if "\n## Exercises" in "\n" + cell.source.split("\n\n")[0]
    )
    return [cell.source for cell in notebook.cells[start:] if cell.cell_type == "code"][1::2]


def test_exercises_have_assertions(notebook):
    """Each exercise: a numbered question, a cell to fill in, a cell that tells right from wrong."""
    checks = exercise_checks(notebook)
    assert len(checks) >= 3
    for number, check in enumerate(checks, start=1):
        assert "is None" in check
        assert f"Exercise {number} is open" in check
        assert "assert" in check
        assert 'print("Right.")' in check


def test_small(path):
    assert path.stat().st_size < 2_000_000


def test_cells_are_short(path, notebook):
    lengths = [len(cell.source.splitlines()) for cell in code(notebook)]
    assert statistics.median(lengths) <= 6
    assert max(lengths) <= 25
    assert len(lengths) <= 40
    assert len(lengths) >= (10 if path.name.startswith("00") else 15)


def test_cells_are_run_in_order(notebook):
    assert [cell.execution_count for cell in code(notebook)] == list(range(1, len(code(notebook)) + 1))


def test_outputs_are_stored(notebook):
    """A cell that prints, or ends with the name of something to show, has stored what came out."""
    for cell in code(notebook):
        if "%pip" not in cell.source:
            body = [node.value for node in ast.parse(cell.source).body if isinstance(node, ast.Expr)]
            printed = any(isinstance(v, ast.Call) and getattr(v.func, "id", "") == "print" for v in body)
            if printed or (body and isinstance(body[-1], ast.Name)):
                assert cell.outputs, cell.source


def test_no_errors_warnings_or_skips(notebook):
    for cell in code(notebook):
        assert "NBVAL" not in cell.source
        assert not set(tags(cell)) - {IGNORED}
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr"


def test_half_of_the_text_is_compared(notebook):
    printing = [cell for cell in code(notebook) if prints(cell)]
    compared = [cell for cell in printing if IGNORED not in tags(cell)]
    assert len(compared) >= len(printing) / 2
    assert len(compared) >= 3


def test_texts_that_are_compared_are_short(notebook):
    for cell in code(notebook):
        if IGNORED not in tags(cell):
            text = "".join(output.get("text", "") for output in cell.outputs)
            assert len(text.splitlines()) <= 12
            assert not re.search(r"\d\.\d{5,}", text), "round it: it must hold on another processor"


def test_figures_have_words_before_and_after(notebook):
    cells = notebook.cells
    figures = [k for k, cell in enumerate(cells) if has_figure(cell)]
    assert figures
    for k in figures:
        assert cells[k - 1].cell_type == "markdown"
        after = cells[k + 1 : k + 3]  # a cell that prints numbers may come first
        assert any(cell.cell_type == "markdown" and len(cell.source) > 60 for cell in after)


def test_figures_are_asserted_and_have_a_static_twin(notebook):
    for cell in code(notebook):
        for output in cell.outputs:
            data = output.get("data", {})
            assert "text/html" not in data
            assert (PLOTLY in data) == ("image/png" in data)
        if has_figure(cell):
            asserted = [node for node in ast.parse(cell.source).body if isinstance(node, ast.Assert)]
            assert asserted
            assert ".data" in cell.source


def test_links_lead_somewhere(path, notebook):
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for target in re.findall(r"\]\(([^)\s]+)\)", cell.source):
                if not re.match(r"https://", target):
                    assert (path.parent / target.split("#")[0]).exists(), target


def test_no_local_paths(path):
    text = path.read_text(encoding="utf-8")
    for pattern in LOCAL_PATHS:
        assert not re.search(pattern, without_pictures(text)), pattern


def test_no_widget_state(path, notebook):
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    assert "widget" not in without_pictures(path.read_text(encoding="utf-8"))


def without_pictures(text):
    return re.sub(r'"image/png": "[^"]*"', "", json.dumps(json.loads(text), ensure_ascii=False))
