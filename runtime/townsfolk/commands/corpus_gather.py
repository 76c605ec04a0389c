"""`townsfolk corpus gather`: dialogues of any source as data to train on, with a card."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from townsfolk.commands.options import share


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    add = parser.add_argument
    add(
        "sources",
        type=Path,
        nargs="+",
        metavar="SOURCE",
        help="files of dialogues, folders of `corpus teach`, folders of recorded play",
    )
    add("-o", "--output", type=Path, required=True, metavar="DIR")
    add(
        "--hold-out",
        type=share,
        default=0.1,
        metavar="SHARE",
        help="of the dialogues, whole characters, to measure on. Default 0.1",
    )
    add("--seed", type=int, default=0, help="of the choice of characters. Default 0")
    licence = "a line for the card, such as 'mine.jsonl: CC0-1.0'; may be given again"
    add("--licence", action="append", default=[], metavar="TEXT", help=licence)


def run(args: Namespace) -> int:
    """Gather; return the exit status."""
    from townsfolk.dataset.gather import CARD, Source, gather

    try:
        data = gather([*map(Source.read, args.sources)], args.hold_out, args.seed)
        if not data.train:
            raise ValueError("nothing is left to learn from; no reply passed the filters")
        data.write(args.output, args.licence, args.seed, args.hold_out)
    except (OSError, ValueError) as error:
        print(f"townsfolk corpus gather: {error}", file=sys.stderr)
        return 2
    for source, tally in data.tallies:
        print(f"{source.path}: {tally.kept} of {tally.read} dialogues kept ({source.kind})")
        for reason, times in tally.faults.most_common():
            print(f"{times:6d}  dropped or cut short: the reply {reason}")
    held = f"{len(data.held_out)} held out" if data.held_out else "nothing held out"
    print(f"{len(data.train)} dialogues to learn from, {held}: {args.output / CARD}")
    return 0
