"""`townsfolk kernels`: compile a model's kernels for cards that need not be there."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from townsfolk.models import Decoder

ROOMS = ("decode", "prefill", "sampling")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    build = actions.add_parser(
        "build",
        help="write a library of kernels",
        description=(
            "Compile all kernels that models need into a library, with which a runtime starts "
            "without compiling. It is found in the package, or by TOWNSFOLK_KERNELS=DIR."
        ),
    )
    build.add_argument("-o", "--output", type=Path, required=True, help="folder of the library")
    check = actions.add_parser(
        "check",
        help="hold kernels to the limits of cards",
        description=(
            "Compile all kernels that models need, and say which ones take more shared memory "
            "than a card has, or keep registers in memory where characters speak."
        ),
    )
    check.add_argument("--quick", action="store_true", help="only the largest of each kernel")
    check.add_argument(
        "--rooms",
        nargs="+",
        choices=ROOMS,
        default=ROOMS,
        metavar="ROOM",
        help=f"only kernels of some of these: {', '.join(ROOMS)}",
    )
    for action in (build, check):
        action.add_argument(
            "--model", action="append", default=[], help="a directory, a hub id or starter"
        )
        action.add_argument(
            "--shape", action="append", default=[], help="a named shape, such as llama-3.2-1b"
        )
        action.add_argument(
            "--capability",
            nargs="+",
            metavar="N.N",
            help="of the cards. Default: all that are known, 8.0 to 12.0",
        )
        action.add_argument(
            "--dtype",
            choices=("auto", "bfloat16", "float16", "float32"),
            default="auto",
            help="type of the weights. Default: the checkpoint's",
        )
        action.add_argument(
            "--quantization", metavar="MIX", help="of the weights of --shape, such as q4_k_m"
        )
        action.add_argument(
            "--kv-dtype",
            choices=("auto", "int8"),
            default="auto",
            help="of keys and values, as the runtime is told. Default: that of activations",
        )
        action.add_argument("--block-size", type=int, default=16, help="tokens in a KV block")
        action.add_argument(
            "--processes",
            type=int,
            default=os.cpu_count() or 2,
            help="that compile at once. Default: as many as there are processors",
        )


def run(options: argparse.Namespace) -> int:
    """Compile; return the exit status."""
    from townsfolk_kernels.registry import has_triton

    from townsfolk.engine.load_errors import LOAD_ERRORS

    if not has_triton():
        print("townsfolk: kernels need Triton: pip install 'townsfolk[gpu]'", file=sys.stderr)
        return 1
    if options.action == "check" and not (options.model or options.shape):
        from townsfolk.models import NAMED_SHAPES

        options.shape = list(NAMED_SHAPES)
    try:
        return _run(options)
    except (*LOAD_ERRORS, OSError, ValueError) as error:
        print(f"townsfolk: {error}", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    import torch
    from townsfolk_kernels.gpu.card import capabilities, capability_of, sample_cards

    from townsfolk.engine.kernel_library import build_library, launches_of

    kept = torch.int8 if options.kv_dtype == "int8" else None
    decoders = _decoders(options)
    chosen = [capability_of(version) for version in options.capability or ()] or capabilities()
    unknown = [capability for capability in chosen if not sample_cards(capability)]
    if unknown:
        known = ", ".join(f"{major}.{minor}" for major, minor in capabilities())
        raise ValueError(f"--capability is one of {known}")
    folder = options.output if options.action == "build" else None
    fine = True
    for capability in chosen:
        needed = launches_of(decoders, capability, options.block_size, kept)
        if options.action == "check":
            needed = needed.of_rooms(options.rooms)
            needed = needed.samples() if options.quick else needed
        report = build_library(needed, capability, folder, options.processes)
        fine = fine and not report.problems
        print(
            f"{capability[0]}.{capability[1]}: {report.count} kernels, a block takes up to "
            f"{report.most_shared / 1024:.0f} KiB of shared memory, {len(report.spilling)} spill",
            flush=True,
        )
        for problem in report.problems:
            print(f"  {problem}", file=sys.stderr)
    return 0 if fine else 1


def _decoders(options: argparse.Namespace) -> list[Decoder]:
    import torch

    from townsfolk.engine.launch_list import model_on_paper, random_on_paper
    from townsfolk.library import resolve
    from townsfolk.models import NAMED_SHAPES, named_spec
    from townsfolk.models.mixes import MIXES

    unknown = [shape for shape in options.shape if shape not in NAMED_SHAPES]
    if unknown:
        raise ValueError(f"--shape is one of {', '.join(NAMED_SHAPES)}")
    if not options.shape and not options.model:
        raise ValueError("name models by --model or --shape")
    if options.quantization not in (None, *MIXES):
        raise ValueError(f"--quantization is one of {', '.join(MIXES)}")
    dtype = None if options.dtype == "auto" else getattr(torch, options.dtype)
    mix = None if options.quantization is None else MIXES[options.quantization]
    return [
        *(random_on_paper(named_spec(shape), dtype, mix) for shape in options.shape),
        *(model_on_paper(resolve(model), dtype) for model in options.model),
    ]
