"""`townsfolk models`: which models there are, what is here, and what fits this machine."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from townsfolk.commands.options import whole_number
from townsfolk.library import CatalogueModel, catalogue, find_known, models_folder
from townsfolk.library.shelf import Found, found_here

GIB = 1024**3
_CONTEXT = 4096


@dataclass(frozen=True, slots=True)
class Row:
    """A model as it is listed.

    Attributes:
        name: what `--model` takes.
        here: where it lies; empty where it is to be downloaded.
        file_bytes: its size.
        licence: under which it may be used; empty where nobody says.
        memory_bytes: for the model and one conversation; 0 where it can't be told.
        fits: whether it fits this machine, or what is in the way.
        notes: what it is good for.
    """

    name: str
    here: str
    file_bytes: int
    licence: str
    memory_bytes: int
    fits: str
    notes: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "--gpu-memory-mib",
        type=whole_number(1),
        metavar="N",
        help="the memory that a model may take. Not set: half of what is free",
    )
    parser.add_argument(
        "--context",
        type=whole_number(1),
        default=_CONTEXT,
        metavar="N",
        help=f"tokens of the conversation that memory is given for. Default {_CONTEXT}",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def run(options: argparse.Namespace) -> int:
    """Print the list; return the exit status."""
    from townsfolk.engine.devices import planning_device

    device = planning_device(options.gpu_memory_mib)
    rows = [_known(model, device, options) for model in catalogue().values()]
    rows += [_found(found, device, options) for found in found_here()]
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return 0
    memory = f"memory at {options.context:,} tokens"
    header = ("name", "here", "file", memory, "licence", "this machine")
    cells = [header, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(header) - 1)]
    for line in cells:
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=False))
        print("  ".join([*padded, line[-1]]))
    print(
        "\n`townsfolk pull NAME` fetches one; `--model NAME` uses it, and `--model auto` the largest "
        f"that fits.\nFiles of your own go into {models_folder()}"
    )
    return 0
