"""The one exception of this package."""

from __future__ import annotations

from os import PathLike


class GlassError(ValueError):
    """Input that cannot be used: says what was wrong, where, and what to do.

    Parameters
    ----------
    problem:
        What was found and what was expected.
    source:
        The file (or other origin) it was found in.
    field:
        The field, array or option concerned.
    remedy:
        What the reader can do about it.
    """

    def __init__(
        self,
        problem: str,
        *,
        source: str | PathLike[str] | None = None,
        field: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.problem = problem
        self.source = None if source is None else str(source)
        self.field = field
        self.remedy = remedy
        where = ": ".join(part for part in (self.source, field) if part)
        text = f"{where}: {problem}" if where else problem
        super().__init__(f"{text}. {remedy}" if remedy else text)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.problem, self.source, self.field, self.remedy))


def _rebuild(problem: str, source: str | None, field: str | None, remedy: str | None) -> GlassError:
    return GlassError(problem, source=source, field=field, remedy=remedy)
