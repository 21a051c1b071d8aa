"""The solutions and the course: the same exercises, the same checks, and nothing that has drifted apart."""

from __future__ import annotations

import ast
import re
import statistics

import nbformat
import pytest

from tests.notebooks.test_static import (
    COLAB,
    FOLDER,
    IGNORED,
    LOCAL_PATHS,
    NOTEBOOKS,
    PLOTLY,
    code,
    exercise_checks,
    tags,
    without_pictures,
)

SOLUTIONS = sorted((FOLDER / "solutions").glob("*.ipynb"))


@pytest.fixture(params=SOLUTIONS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def solution(path):
    return nbformat.read(path, as_version=4)


@pytest.fixture
def course(path):
    return nbformat.read(course_path(path), as_version=4)


def course_path(path):
    return FOLDER / path.name.replace("_solutions.ipynb", ".ipynb")


def definitions(notebook):
    """Functions and classes of all cells: name to what the parser makes of them."""
    found = {}
    for cell in code(notebook):
        if "%pip" not in cell.source:
            for node in ast.parse(cell.source).body:
                if isinstance(node, ast.FunctionDef | ast.ClassDef):
                    found[node.name] = ast.dump(node)
    return found


def test_every_notebook_of_the_course_has_one():
    assert [course_path(path).name for path in SOLUTIONS] == [path.name for path in NOTEBOOKS]


def test_valid_and_clean(path, solution):
    nbformat.validate(solution)
    assert solution.metadata.kernelspec.name == "python3"
    assert set(solution.metadata) <= {"kernelspec", "language_info"}
    text = without_pictures(path.read_text(encoding="utf-8"))
    assert "widget" not in text
    for pattern in LOCAL_PATHS:
        assert not re.search(pattern, text), pattern
    assert path.stat().st_size < 2_000_000


def test_opening_leads_to_the_course_and_back(path, solution):
    title, *_ = solution.cells
    assert re.match(rf"# {path.name[:2]} · .+: solutions\n", title.source)
    assert f"{COLAB}solutions/{path.name}" in title.source
    assert f"](../{course_path(path).name})" in title.source
    assert f"](../{course_path(path).name})" in solution.cells[-1].source
    assert "COLAB_RELEASE_TAG" in code(solution)[0].source


def test_course_leads_to_the_solutions(path, course):
    (exercises,) = (cell.source for cell in course.cells if re.search(r"^## Exercises", cell.source, re.M))
    assert f"](solutions/{path.name})" in exercises


def test_the_checks_are_those_of_the_course(solution, course):
    wanted = exercise_checks(course)
    cells = code(solution)
    sources = [cell.source for cell in cells]
    assert len(wanted) >= 3
    places = [sources.index(check) for check in wanted]
    assert places == sorted(places)
    for place in places:
        assert "".join(output.text for output in cells[place].outputs) == "Right.\n"
        assert IGNORED not in tags(cells[place])


def test_one_heading_for_each_exercise(solution, course):
    titles = [cell.source.splitlines()[0] for cell in solution.cells if cell.source.startswith("## ")]
    assert titles == [f"## Exercise {k}" for k in range(1, len(exercise_checks(course)) + 1)]


def test_each_answer_is_explained(solution):
    for cell in solution.cells:
        if cell.source.startswith("## Exercise"):
            question, *explanation = cell.source.split("\n\n")[1:]
            assert re.fullmatch(r"\*[^*].*[^*]\*", question, re.DOTALL), "the question in italics"
            assert len(" ".join(explanation).split()) >= 12


def test_set_up_does_not_drift(solution, course):
    """What the course defines under the same name is the same; an exercise's own function is the answer."""
    theirs = definitions(course)
    answers = {name for name in theirs if name.startswith("my_")}
    for name, found in definitions(solution).items():
        if name in theirs and name not in answers:
            assert found == theirs[name], name


def test_cells_are_short(solution):
    lengths = [len(cell.source.splitlines()) for cell in code(solution)]
    assert max(lengths) <= 25
    assert statistics.median(lengths) <= 10


def test_outputs_are_stored(solution):
    cells = code(solution)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr"
            data = output.get("data", {})
            assert (PLOTLY in data) == ("image/png" in data)


def test_links_lead_somewhere(path, solution):
    for cell in solution.cells:
        if cell.cell_type == "markdown":
            for target in re.findall(r"\]\(([^)\s]+)\)", cell.source):
                if not target.startswith("https://"):
                    assert (path.parent / target.split("#")[0]).exists(), target
