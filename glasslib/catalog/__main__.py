"""``python -m glasslib.catalog list | fetch NAME | verify NAME | path [NAME]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from glasslib import catalog
from glasslib.command import Parser, command


@command("glasslib.catalog")
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(arguments)
    _COMMANDS[options.command](options)


def _parser() -> argparse.ArgumentParser:
    parser = Parser("python -m glasslib.catalog", description="Data sets by name.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="all data sets, with licence and size")
    for action, text in (
        ("fetch", "download what is missing"),
        ("verify", "check the files that are there"),
    ):
        sub = commands.add_parser(action, help=text)
        sub.add_argument("name", metavar="NAME")
        sub.add_argument("--split", choices=("train", "test"))
        if action == "fetch":
            sub.add_argument("--file", action="append", metavar="PATH", help="deepmind: a name in the bucket")
            sub.add_argument("--quiet", action="store_true", help="no progress bar")
    path = commands.add_parser("path", help="where the files lie; without a name, the cache folder")
    path.add_argument("name", metavar="NAME", nargs="?")
    return parser


def _list(options: argparse.Namespace) -> None:
    for entry in catalog.datasets().values():
        state = "here" if catalog.is_cached(entry.name) else "to fetch"
        print(f"{entry.name:<18} {entry.size / 1e6:7.1f} MB  {state:<8}  {entry.licence}")
        print(f"    {entry.description}")
        print(f"    {entry.citation}; {entry.homepage}")


def _fetch(options: argparse.Namespace) -> None:
    for path in catalog.fetch(options.name, options.split, files=options.file, progress=not options.quiet):
        print(path)


def _verify(options: argparse.Namespace) -> None:
    print(f"checked {len(catalog.verify(options.name, options.split))}, all sound")


def _path(options: argparse.Namespace) -> None:
    for path in [catalog.cache_folder()] if options.name is None else catalog.paths(options.name):
        print(path)


_COMMANDS = {"list": _list, "fetch": _fetch, "verify": _verify, "path": _path}

if __name__ == "__main__":
    sys.exit(main())
