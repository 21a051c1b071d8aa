"""Controls of ipywidgets, and how they are laid out; the one place that imports it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from itertools import count
from typing import Any

from glasslib.errors import GlassError
from glasslib.explore.picture import picture

_numbers = count(1)

#: JupyterLab takes plain keys on a dropdown for itself: arrows go to another cell, and x cuts this one.
_KEYS = (
    "<style onload=\"this.closest('.explore-view').onkeydown = event => {"
    "if (event.target.matches('select') &amp;&amp; !(event.shiftKey || event.ctrlKey || event.metaKey))"
    ' event.stopPropagation()}"></style>'
)


def toolkit() -> Any:
    """The module ``ipywidgets``.

    Raises
    ------
    GlassError
        Where it is not installed.
    """
    try:
        import ipywidgets
    except ImportError as error:
        raise GlassError(
            "ipywidgets is not installed", remedy='Install it with: pip install "glasslib[lab]"'
        ) from error
    return ipywidgets


def control(kind: str, description: str, **settings: Any) -> Any:
    """A control with its name beside it, reached with Tab and moved with the arrow keys."""
    made = toolkit()
    width = settings.pop("width", "300px")
    return getattr(made, kind)(
        description=description,
        style={"description_width": "95px"},
        layout=made.Layout(width=width),
        **settings,
    )


def button(text: str, tooltip: str, pressed: Callable[[], None]) -> Any:
    """A button that calls ``pressed``."""
    made = toolkit()
    it = made.Button(description=text, tooltip=tooltip, layout=made.Layout(width="110px"))
    it.on_click(lambda _: pressed())
    return it


def watch_values(controls: Sequence[Any], changed: Callable[[], None]) -> None:
    """Call ``changed`` whenever the value of one of them does."""
    for each in controls:
        each.observe(lambda _: changed(), names="value")


def columns(*columns_of: Sequence[Any]) -> Any:
    """Controls in columns side by side, which wrap where there is little room."""
    made = toolkit()
    flow = made.Layout(display="flex", flex_flow="row wrap")
    return made.Box([made.VBox(list(each)) for each in columns_of], layout=flow)


def side_by_side(*children: Any) -> Any:
    """One beside the other."""
    return toolkit().HBox(list(children), layout=toolkit().Layout(flex_flow="row wrap"))


def rows(*children: Any) -> Any:
    """One below the other, as all of a view: its dropdowns get the keys that are meant for them."""
    made = toolkit()
    panel = made.VBox([*children, made.HTML(_KEYS, layout=made.Layout(display="none"))])
    panel.add_class("explore-view")
    return panel


class Screen:
    """Where a figure is drawn, in place.

    Parameters
    ----------
    label :
        What it is, for whoever cannot see it.
    click :
        A control for a number, which a click on a dot sets.
    """

    def __init__(self, label: str, click: Any = None) -> None:
        self.panel = toolkit().HTML()
        self._label, self._click = label, None
        if click is not None:
            self._click = next((c for c in click._dom_classes if c.startswith("explore-")), None)
            if self._click is None:
                self._click = f"explore-{next(_numbers)}"
                click.add_class(self._click)

    def show(self, figure: Any) -> None:
        """Draw a figure."""
        self.panel.value = picture(figure, self._label, click=self._click)

    def say(self, text: str) -> None:
        """Show a text instead."""
        self.panel.value = f'<p style="font-size:14px">{escape(text)}</p>'


class View:
    """Controls and screens together, displayed by :meth:`show` or by a notebook cell that ends with it."""

    panel: Any

    def _ipython_display_(self) -> None:
        self.show()

    def show(self) -> None:
        """Display it."""
        import IPython.display

        show: Any = IPython.display.display
        show(self.panel)
