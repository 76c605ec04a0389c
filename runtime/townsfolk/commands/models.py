"""`townsfolk models`: which models there are, what is here, and what fits this machine."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from townsfolk.commands.options import whole_number
from townsfolk.library import CatalogueModel, catalogue, find_known, models_folder
from townsfolk.library.shelf import Found, found_here

if TYPE_CHECKING:
    from townsfolk.engine.fit import Machine

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
        misfit: why it is not for this machine; empty where it fits.
        notes: what it is good for.
    """

    name: str
    here: str
    file_bytes: int
    licence: str
    memory_bytes: int
    misfit: str
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
    from townsfolk.engine.fit import Machine

    machine = Machine.here(options.gpu_memory_mib)
    rows = [_known(model, machine, options.context) for model in catalogue().values()]
    rows += [_found(found, machine, options.context) for found in found_here()]
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
        f"\nOf this machine a model may take {machine}.\n"
        "`townsfolk pull NAME` fetches a model; `--model NAME` uses it, and `--model auto` the "
        f"largest that fits.\nFiles of your own go into {models_folder()}"
    )
    return 0


def _known(model: CatalogueModel, machine: Machine, context: int) -> Row:
    from townsfolk.engine.fit import ModelFootprint

    path = find_known(model)
    footprint = ModelFootprint.of_known(model, machine.device)
    return Row(
        name=model.name,
        here=str(path or ""),
        file_bytes=model.bytes,
        licence=model.licence,
        memory_bytes=machine.bytes_at(context, footprint),
        misfit=machine.misfit(footprint),
        notes=model.notes,
    )


def _found(found: Found, machine: Machine, context: int) -> Row:
    from townsfolk.engine.fit import ModelFootprint
    from townsfolk.engine.load_errors import LOAD_ERRORS
    from townsfolk.models import open_source

    memory, licence = 0, ""
    try:
        footprint = ModelFootprint.of_files(found.path, machine.device)
        memory, misfit = machine.bytes_at(context, footprint), machine.misfit(footprint)
    except (*LOAD_ERRORS, OSError) as error:
        misfit = f"can't be run: {error}"
    else:
        licence = open_source(found.path).licence()
    return Row(found.name, str(found.path), found.nbytes, licence, memory, misfit, "")


def _cells(row: Row) -> tuple[str, ...]:
    memory = f"{row.memory_bytes / GIB:.1f} GiB" if row.memory_bytes else "unknown"
    here = "yes" if row.here else ""
    return (row.name, here, _size(row.file_bytes), memory, row.licence, row.misfit or "fits")


def _size(nbytes: int) -> str:
    return f"{nbytes / GIB:.1f} GiB" if nbytes >= GIB / 10 else f"{nbytes / 1024**2:.0f} MiB"
