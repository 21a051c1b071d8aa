"""The glass explorer, driven by the values of its controls, as a browser does."""

from __future__ import annotations

import numpy as np
import pytest

from glasslib import GlassError
from glasslib.explore import GlassExplorer


@pytest.fixture
def explorer(glasses, stub):
    others = [glasses[0].replace(temperature=0.7, times=[0.5, 1.5])]
    view = GlassExplorer({"mine": glasses, "others": others}, {"stub": stub}, data="mine", particle=3)
    view.shelf.wait()
    return view


def slabs(explorer):
    return explorer._slabs.panel.value


def closely(explorer):
    return explorer._closely.panel.value


def test_it_begins_where_it_was_told_to(explorer):
    state = explorer.state
    assert (state.data, state.temperature, state.name, state.particle) == ("mine", "0.5", "1", 3)
    assert state.predictor == "stub"
    assert "predicted, r =" in slabs(explorer)
    assert "particle 3 (A)" in closely(explorer)


def test_the_twins_show_the_same(explorer, read):
    figure = explorer.slab_figure()
    dots = [
        element.get("data-id") for element in read(slabs(explorer), "circle") + read(slabs(explorer), "path")
    ]
    ids = [i for trace in figure.data for i in trace.ids or ()]
    assert sorted(i for i in dots if i is not None) == sorted(ids)
    assert "measured, t = 1" in figure.layout.annotations[0].text
    assert {trace.name for trace in explorer.particle_figure().data} >= {"measured", "predicted", "q_l"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("time", 1),
        ("left", "type"),
        ("right", "error"),
        ("right", "energy"),
        ("structure", "thermal"),
        ("axis", 0),
        ("middle", 0.5),
        ("particle", 77),
        ("name", "2"),
        ("data", "others"),
    ],
)
def test_every_control_changes_the_slabs(explorer, capfd, name, value):
    before = slabs(explorer)
    explorer.controls[name].value = value
    explorer.shelf.wait()
    assert getattr(explorer.state, name) == value
    assert slabs(explorer) != before
    assert slabs(explorer).startswith("<svg")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "value"), [("turned", 90), ("tilted", -45), ("radius", 1.4), ("left", "type")]
)
def test_what_changes_the_particle_seen_closely(explorer, name, value):
    before, map_before = closely(explorer), slabs(explorer)
    explorer.controls[name].value = value
    explorer.shelf.wait()
    assert closely(explorer) != before
    assert (slabs(explorer) == map_before) == (name in ("turned", "tilted", "radius"))


def test_the_slab_follows_the_particle(explorer):
    glass = explorer.shelf.glass("mine", "0.5", "1")
    for particle in (100, 12):
        explorer.controls["particle"].value = particle
        height = glass.inherent_positions[particle, 2] - explorer.state.middle
        height -= glass.box[2] * np.round(height / glass.box[2])
        assert abs(height) <= 0.5
        assert f'data-id="{particle}"' in slabs(explorer)


def test_a_slider_goes_through_the_slab(explorer):
    step = explorer.controls["step"]
    seen = []
    for k in range(step.max + 1):
        step.value = k
        seen.append(explorer.state.particle)
    assert sorted(seen) == sorted(explorer._here())
    assert len(set(seen)) == step.max + 1


def test_another_data_set_brings_its_own_temperatures_and_times(explorer):
    explorer.controls["time"].value = 1
    explorer.controls["data"].value = "others"
    c = explorer.controls
    assert list(c["temperature"].options) == ["0.7"]
    assert [text for text, _ in c["time"].options] == ["0.5", "1.5"]
    assert explorer.state.time == 1
    assert "measured, t = 1.5" in slabs(explorer)
    c["data"].value = "bundled"
    assert c["particle"].max == 4095
    assert len(c["time"].options) == 8


def test_what_cannot_be_shown_is_said_and_the_rest_goes_on(explorer):
    explorer.controls["averaged"].value = 1  # reaches 3, and the box is 4.8
    explorer.controls["left"].value = "energy"
    explorer.shelf.wait()
    assert "box" in slabs(explorer)
    assert "<svg" not in slabs(explorer)
    explorer.controls["averaged"].value = 0
    explorer.shelf.wait()
    assert slabs(explorer).startswith("<svg")


def test_clicks_go_to_the_number_of_the_particle(explorer):
    (name,) = [each for each in explorer.controls["particle"]._dom_classes if each.startswith("explore-")]
    assert f".{name} input" in slabs(explorer)
    assert f".{name} input" in closely(explorer)


def test_a_start_that_is_not_there(glasses):
    with pytest.raises(GlassError, match="nowhere"):
        GlassExplorer({"mine": glasses}, data="nowhere")
    with pytest.raises(GlassError, match="colour"):
        GlassExplorer({"mine": glasses}, colour="measured")


def test_a_cell_that_ends_with_it_shows_it(explorer, monkeypatch):
    import IPython.display

    shown = []
    monkeypatch.setattr(IPython.display, "display", shown.append)
    explorer._ipython_display_()
    assert shown == [explorer.panel]


def test_without_the_toolkit_it_says_what_to_install(monkeypatch, glasses):
    import sys

    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(GlassError, match="ipywidgets is not installed"):
        GlassExplorer({"mine": glasses})
