"""A plotly figure as a plain SVG, which is redrawn in place within milliseconds.

JupyterLab builds a plotly figure anew each time that it changes: it flickers, and forgets how it was turned.
An SVG in ipywidgets' ``HTML`` is the same in JupyterLab, in VS Code and on Colab, and its discs can be
clicked. So what is explored is drawn by :func:`picture`, from the figure that is its static twin.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glasslib.errors import GlassError
from glasslib.explore.marks import Page, along, colour_bar, line, scale_of, text
from glasslib.plots.style import COLOURS
from glasslib.simulate.live import Axis

_DASHES = {"dash": "10 6", "dot": "2 5", "dashdot": "10 5 2 5"}
_ANCHORS = {"left": "start", "right": "end"}
_FONT = "font-family:Arial,Helvetica,sans-serif"

#: What a disc does when it is clicked: its number goes into the input with the class that is named.
_CLICK = (
    "var d=event.target.closest('[data-id]');var f=document.querySelector('.{name} input');"
    "if(d&amp;&amp;f){{f.value=d.dataset.id;f.dispatchEvent(new Event('change',{{bubbles:true}}))}}"
)


def picture(figure: Any, label: str = "", *, click: str | None = None) -> str:
    """The scatter and bar traces of a plotly figure as an SVG.

    Drawn are lines, dots, texts, error bars and bars, on any number of panels (x-axis n belongs to y-axis n),
    colour bars, annotations and straight lines; nothing else.

    Parameters
    ----------
    figure :
        A plotly figure whose axes are linear or logarithmic. What its traces have as ``hovertext`` shows when
        the mouse rests on a dot.
    label :
        Says to whoever cannot see it what it is.
    click :
        Class of an input, such as ``"particle-3"``: a click on a dot sets its value to the dot's ``ids``.

    Raises
    ------
    GlassError
        For a trace of another kind.
    """
    content = figure.to_dict()
    layout = content["layout"]
    base = layout.get("template", {}).get("layout", {})
    width, height = (float(layout.get(name, base.get(name, 450))) for name in ("width", "height"))
    margin = {"l": 70, "r": 30, "t": 30, "b": 60} | base.get("margin", {}) | layout.get("margin", {})
    page = Page(
        margin["l"], width - margin["l"] - margin["r"], margin["t"], height - margin["t"] - margin["b"]
    )
    panels: dict[str, list[dict[str, Any]]] = {name[5:]: [] for name in layout if name.startswith("xaxis")}
    for trace in content["data"]:
        if trace.get("type") not in ("scatter", "bar"):
            raise GlassError(f"cannot draw a trace of type {trace.get('type')!r}", field="figure")
        panels.setdefault(trace.get("xaxis", "x")[1:].removeprefix("1"), []).append(trace)
    axes = {name: _axes(layout, name, traces, page) for name, traces in panels.items()}
    parts = [_panel(axes[name], layout, name, traces) for name, traces in panels.items()]
    parts += [colour_bar(layout[name], page) for name in layout if name.startswith("coloraxis")]
    parts += [_shape(shape, axes, page) for shape in layout.get("shapes", ())]
    parts += [_annotation(note, axes, page) for note in layout.get("annotations", ())]
    if title := layout.get("title", {}).get("text"):
        parts.append(text(width / 2, 22, title, size=16, anchor="middle"))
    handler = f' onclick="{_CLICK.format(name=escape(click))}"' if click else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(label)}" '
        f'style="background:white;max-width:100%;height:auto;{_FONT};font-size:13px"{handler}>'
        f"{''.join(parts)}</svg>"
    )


def _axes(layout: Any, name: str, traces: Sequence[Any], page: Page) -> tuple[Axis, Axis]:
    """The horizontal and the vertical axis of a panel."""
    found = []
    for letter, to_pixels in (("x", page.x), ("y", page.y)):
        axis = layout.get(f"{letter}axis{name}", {})
        low, high = (to_pixels(end) for end in axis.get("domain", (0, 1)))
        log = axis.get("type") == "log"
        if axis.get("range"):
            start, end = map(float, axis["range"])
            found.append(Axis(start, end, log, (low, high)))
            continue
        values = [np.asarray(trace.get(letter, ()), dtype=float) for trace in traces]
        if letter == "y":
            errors = [(trace.get("error_y") or {}).get("array", 0.0) for trace in traces]
            values += [
                sign * np.asarray(e) + y for sign in (-1, 1) for e, y in zip(errors, values, strict=True)
            ]
        if letter == "y" and any(trace["type"] == "bar" for trace in traces):
            values.append(np.zeros(1))
        values = [each[np.isfinite(each) & ((each > 0) | (not log))] for each in values]
        found.append(Axis.around(values, log, (low, high)))
    return found[0], found[1]


def _panel(axes: tuple[Axis, Axis], layout: Any, name: str, traces: Sequence[Any]) -> str:
    """Frame, ticks, titles and traces of one panel; a nested svg cuts off what sticks out."""
    (left, right), (bottom, top) = axes[0].pixels, axes[1].pixels
    parts: list[str] = []
    for letter, axis in zip("xy", axes, strict=True):
        style = layout.get(f"{letter}axis{name}", {})
        if style.get("visible", True):
            parts += _ticks(letter, axis, style, (left, right, bottom, top))
    inside = "".join(piece for trace in traces for piece in _trace(trace, axes, layout))
    size = f'x="{left:g}" y="{top:g}" width="{right - left:g}" height="{bottom - top:g}"'
    view = f'viewBox="{left:g} {top:g} {right - left:g} {bottom - top:g}"'
    return f'{"".join(parts)}<svg {size} {view} overflow="hidden">{inside}</svg>'


def _ticks(letter: str, axis: Axis, style: Any, frame: tuple[float, float, float, float]) -> Iterator[str]:
    left, right, bottom, top = frame
    if "tickvals" in style:
        places = axis.place(style["tickvals"])
        texts = style.get("ticktext") or [f"{value:g}" for value in style["tickvals"]]
        ticks = list(zip(places.tolist(), texts, strict=True))
    else:
        ticks = axis.ticks(max(2, round(abs(axis.pixels[1] - axis.pixels[0]) / (40 if axis.log else 70))))
    shown, title = style.get("showticklabels", True), style.get("title", {}).get("text")
    low, high = sorted(axis.pixels)
    for place, label in ticks:
        if not low - 1 <= place <= high + 1:
            continue
        if letter == "x":
            yield line(place, bottom, place, bottom + 5)
            yield text(place, bottom + 19, label if shown else None, anchor="middle")
        else:
            yield line(left - 5, place, left, place)
            yield text(left - 8, place + 4, label if shown else None, anchor="end")
    if letter == "x":
        yield line(left, bottom, right, bottom)
        yield text((left + right) / 2, bottom + 38, title, anchor="middle")
    else:
        yield line(left, top, left, bottom)
        yield text(left - 46, (top + bottom) / 2, title, anchor="middle", turned=True)


def _trace(trace: Any, axes: tuple[Axis, Axis], layout: Any) -> Iterator[str]:
    x, y = (np.array(trace.get(letter, ()), dtype=float) for letter in "xy")
    good = np.isfinite(x) & np.isfinite(y)
    good &= ((x > 0) | (not axes[0].log)) & ((y > 0) | (not axes[1].log))
    px, py = (axis.place(np.where(good, values, 1.0)) for axis, values in zip(axes, (x, y), strict=True))
    marker, stroke, mode = trace.get("marker") or {}, trace.get("line") or {}, trace.get("mode", "lines")
    if trace["type"] == "bar":
        half = float(trace.get("width", 0.8)) / 2
        colours, zero = _colours(marker, layout, len(x)), float(axes[1].place(0.0))
        for k in np.flatnonzero(good):
            (a, b), (low, high) = axes[0].place([x[k] - half, x[k] + half]), sorted((zero, float(py[k])))
            yield f'<rect x="{a:.1f}" y="{low:.1f}" width="{b - a:.1f}" height="{high - low:.1f}" '
            yield f'fill="{colours[k]}">{_hover(trace, k)}</rect>'
        return
    if error := trace.get("error_y"):
        for k in np.flatnonzero(good & ((y > error["array"]) | (not axes[1].log))):
            low, high = axes[1].place([y[k] - error["array"][k], y[k] + error["array"][k]])
            yield line(px[k], low, px[k], high)
    if "lines" in mode:
        dash = f' stroke-dasharray="{_DASHES[stroke["dash"]]}"' if stroke.get("dash") in _DASHES else ""
        colour, width = stroke.get("color", COLOURS[0]), stroke.get("width", 2)
        for piece in _stretches(good):
            path = " ".join(f"{px[k]:.1f},{py[k]:.1f}" for k in piece)
            yield f'<polyline points="{path}" stroke="{colour}" stroke-width="{width:g}" fill="none"{dash}/>'
    if "markers" in mode:
        yield from _markers(trace, px, py, np.flatnonzero(good), layout)
    if "text" in mode:
        font = trace.get("textfont") or {}
        for k in np.flatnonzero(good):
            style = {"size": font.get("size", 13), "colour": font.get("color", "#222")}
            yield text(px[k], py[k] + 4, trace["text"][k], anchor="middle", **style)


def _markers(trace: Any, px: Any, py: Any, chosen: Iterable[int], layout: Any) -> Iterator[str]:
    """Circles and diamonds, as large as plotly's."""
    marker = trace.get("marker") or {}
    colours, sizes = _colours(marker, layout, len(px)), np.broadcast_to(marker.get("size", 6), len(px))
    edge, ids = marker.get("line") or {}, trace.get("ids")
    symbols = np.broadcast_to(marker.get("symbol", "circle"), len(px)).tolist()
    edges = np.broadcast_to(edge.get("color", "none"), len(px)).tolist()
    for k in chosen:
        open_ = symbols[k].endswith("-open")
        fill, stroke = ("none", colours[k]) if open_ else (colours[k], edges[k])
        style = f'fill="{fill}" stroke="{stroke}" stroke-width="{edge.get("width", 1 if open_ else 0):g}"'
        style += f' opacity="{marker["opacity"]}"' if "opacity" in marker else ""
        if ids is not None:
            style += f' data-id="{escape(str(ids[k]))}" style="cursor:pointer"'
        hover, r = _hover(trace, k), sizes[k] / 2
        if symbols[k].startswith("diamond"):
            r *= 1.3  # as plotly draws them
            path = f"M{px[k]:.1f} {py[k] - r:.1f}l{r:.1f} {r:.1f}l{-r:.1f} {r:.1f}l{-r:.1f} {-r:.1f}z"
            yield f'<path d="{path}" {style}>{hover}</path>'
        else:
            yield f'<circle cx="{px[k]:.1f}" cy="{py[k]:.1f}" r="{r:.1f}" {style}>{hover}</circle>'


def _hover(trace: Any, k: Any) -> str:
    words = trace.get("hovertext")
    return f"<title>{escape(str(words[k]))}</title>" if isinstance(words, list | tuple) else ""


def _stretches(good: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """Indices of points that follow each other without a gap."""
    index = np.flatnonzero(good)
    return [piece for piece in np.split(index, np.flatnonzero(np.diff(index) > 1) + 1) if len(piece)]


def _colours(marker: Any, layout: Any, n: int) -> list[str]:
    colour = marker.get("color", COLOURS[0])
    if isinstance(colour, str):
        return [colour] * n
    if len(colour) and isinstance(colour[0], str):
        return list(colour)
    axis = layout[marker["coloraxis"]] if "coloraxis" in marker else marker
    return along(scale_of(axis), colour, axis["cmin"], axis["cmax"])


def _shape(shape: Any, axes: dict[str, tuple[Axis, Axis]], page: Page) -> str:
    ends = [_place(shape[f"x{k}"], shape[f"y{k}"], shape, axes, page) for k in (0, 1)]
    return line(*ends[0], *ends[1], (shape.get("line") or {}).get("color", "#888"))


def _annotation(note: Any, axes: dict[str, tuple[Axis, Axis]], page: Page) -> str:
    x, y = _place(note["x"], note["y"], note, axes, page)
    font = note.get("font") or {}
    shift = {"bottom": -6, "top": 14}.get(note.get("yanchor", "middle"), 4)
    anchor = _ANCHORS.get(note.get("xanchor", "center"), "middle")
    style = {"size": font.get("size", 13), "colour": font.get("color", "#222")}
    return text(x + note.get("xshift", 0), y + shift, note["text"], anchor=anchor, **style)


def _place(
    x: float, y: float, item: Any, axes: dict[str, tuple[Axis, Axis]], page: Page
) -> tuple[float, float]:
    """Pixels of a point in paper coordinates or in those of an axis (there, logarithms where it has them)."""
    found = []
    for k, (value, name) in enumerate(((x, item.get("xref", "x")), (y, item.get("yref", "y")))):
        if name == "paper":
            found.append(page.x(value) if k == 0 else page.y(value))
        else:
            axis = axes[name[1:].removeprefix("1")][k]
            found.append(float(Axis(axis.low, axis.high, False, axis.pixels).place(value)))
    return found[0], found[1]
