"""How every ``python -m glasslib...`` reads its arguments and ends: with a status, and one line on stderr."""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from glasslib.errors import GlassError

Arguments = Sequence[str] | None


class Parser(argparse.ArgumentParser):
    """One that tells what is wrong with the arguments in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        self.exit(2, f"{self.prog.removeprefix('python -m ')}: {message} (--help lists the options)\n")


def command(
    module: str, interrupted: str = "the same command continues"
) -> Callable[[Callable[[Arguments], int | None]], Callable[..., int]]:
    """Of a function of arguments: one that returns the exit status.

    0, or what the function returns; 2 after a :class:`GlassError`, 130 when interrupted, either told in a
    line on stderr.

    Parameters
    ----------
    module :
        Its name, which begins the line.
    interrupted :
        What whoever ended it should know.
    """

    def decorate(main: Callable[[Arguments], int | None]) -> Callable[..., int]:
        @functools.wraps(main)
        def status(arguments: Arguments = None) -> int:
            try:
                return main(arguments) or 0
            except GlassError as error:
                print(f"{module}: {error}", file=sys.stderr)
                return 2
            except KeyboardInterrupt:
                print(f"{module}: interrupted; {interrupted}", file=sys.stderr)
                return 130

        return status

    return decorate
