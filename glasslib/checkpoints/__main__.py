"""``python -m glasslib.checkpoints list | card NAME | verify | add NAME --from RUN_DIRECTORY``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from glasslib import checkpoints
from glasslib.checkpoints.adding import add
from glasslib.checkpoints.shelf import verify
from glasslib.command import Parser, command


@command("glasslib.checkpoints")
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(arguments)
    _COMMANDS[options.action](options)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m glasslib.checkpoints", description="Trained networks by name.")
    commands = parser.add_subparsers(dest="action", required=True)
    commands.add_parser("list", help="all that come with the package")
    commands.add_parser("verify", help="compare their files with their checksums")
    card = commands.add_parser("card", help="everything known about one")
    card.add_argument("name", metavar="NAME")
    new = commands.add_parser("add", help="put the model of a finished run into the package")
    new.add_argument("name", metavar="NAME")
    new.add_argument("--from", dest="run", type=Path, required=True, metavar="RUN_DIRECTORY")
    new.add_argument("--scores", type=Path, metavar="PATH", help="default: RUN_DIRECTORY/scores.json")
    new.add_argument("--commit", help="of the code that trained it (default: that around the run)")
    new.add_argument("--force", action="store_true", help="replace a checkpoint of that name")
    new.add_argument("--quiet", action="store_true", help="no progress bars")
    return parser


def _list(options: argparse.Namespace) -> None:
    for name in checkpoints.names():
        card = checkpoints.card(name)
        print(f"{name:<16} {card.predictor}, {card.n_parameters} parameters; {card.data['name']}")
        for time, r in zip(card.times, card.scores["test"]["mean"], strict=True):
            print(f"    t = {time:<8g} test r(mean) {r:.3f}")


def _card(options: argparse.Namespace) -> None:
    print(json.dumps(asdict(checkpoints.card(options.name)), indent=1))


def _verify(options: argparse.Namespace) -> None:
    print(f"checked {len(verify())}, all sound")


def _add(options: argparse.Namespace) -> None:
    card = add(
        options.name,
        options.run,
        scores=options.scores,
        commit=options.commit,
        force=options.force,
        progress=not options.quiet,
    )
    print(f"added {card.name}: {card.training['command']}")


_COMMANDS = {"list": _list, "card": _card, "verify": _verify, "add": _add}

if __name__ == "__main__":
    sys.exit(main())
