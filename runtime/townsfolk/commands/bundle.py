"""`townsfolk bundle`: a runtime that ships with a game."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from townsfolk.bundle.errors import BundleError
from townsfolk.bundle.manifest import FileFacts
from townsfolk.bundle.model import FOLDER as MODEL_FOLDER

_SHOWN = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--model", required=True, help="the model, as `townsfolk serve` takes it")
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="the folder to make, or to replace"
    )
    device = parser.add_mutually_exclusive_group()
    for name, what in (("cpu", "no GPU"), ("cuda", "NVIDIA GPUs")):
        device.add_argument(
            f"--{name}",
            dest="device",
            action="store_const",
            const=name,
            help=f"refuse to bundle anything but a runtime for {what}",
        )
    parser.add_argument(
        "--engine",
        choices=("godot", "unity"),
        help="whose project the folder lies in, so that its editor leaves it alone",
    )
    parser.add_argument(
        "--model-licence",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a licence text of the model, where none lies beside it",
    )
    parser.add_argument(
        "--adapter",
        type=Path,
        metavar="DIR",
        help="an adapter to bring along, as `townsfolk serve` takes it, and there by its name",
    )
    parser.add_argument(
        "--small",
        action="store_true",
        help="leave out what compiles the CPU's decode steps on the player's machine: 180 MB less, "
        "and slower on a CPU",
    )
    parser.add_argument(
        "--kernels",
        type=Path,
        metavar="DIR",
        help="kernels of `townsfolk kernels build`; default: those of the model are compiled",
    )


def run(options: argparse.Namespace) -> int:
    """Make the bundle; return the exit status."""
    from townsfolk.bundle.make import Order, make_bundle

    order = Order(
        model=options.model,
        out=options.out,
        device=options.device,
        engine=options.engine,
        model_licences=tuple(options.model_licence),
        kernels=options.kernels,
        small=options.small,
        adapter=options.adapter,
    )
    try:
        facts = make_bundle(order, lambda line: print(f"{line} ...", flush=True))
    except BundleError as error:
        print(f"townsfolk bundle: {error}", file=sys.stderr)
        return 1
    _show(facts, options)
    return 0


def _show(facts: Sequence[FileFacts], options: argparse.Namespace) -> None:
    from townsfolk.bundle.make import program_name, sizes

    found = sizes(facts)
    model = found.pop("the model", 0)
    print(f"\n{options.out}: {sum(found.values()) / 1e6:.0f} MB beside the model, of which")
    largest = list(found.items())[:_SHOWN]
    for name, size in largest:
        print(f"{size / 1e6:8.1f} MB  {name}")
    rest = sum(found.values()) - sum(size for _, size in largest)
    print(f"{rest / 1e6:8.1f} MB  all else")
    print(f"{model / 1e6:8.1f} MB  {MODEL_FOLDER}: {options.model}")
    print(f"\nIt talks. Try it: {options.out / program_name()} talk")
