"""`townsfolk tune`: measure on this GPU how a model's products run fastest."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--model", default="starter", help="a directory, a hub id or starter")
    parser.add_argument("--shape", help="a named shape instead, such as llama-3.2-1b")
    parser.add_argument(
        "--processes",
        type=int,
        default=max((os.cpu_count() or 2) - 1, 1),
        help="that compile at once. Default: all processors but one",
    )

    parser.add_argument(
        "--output",
        type=Path,
        help="folder for the results. Default: the user's cache, where every start finds them",
    )


def run(options: argparse.Namespace) -> int:
    """Measure and save; return the exit status."""
    import torch
    from townsfolk_kernels.registry import has_triton

    from townsfolk.library import resolve
    from townsfolk.models import NAMED_SHAPES, named_spec, open_source
    from townsfolk.models.decode_step import has_fused_steps

    if not torch.cuda.is_available() or not has_triton():
        print("townsfolk: tune needs a CUDA device and Triton (townsfolk[gpu])", file=sys.stderr)
        return 1
    if options.shape and options.shape not in NAMED_SHAPES:
        print(f"townsfolk: --shape is one of {', '.join(NAMED_SHAPES)}", file=sys.stderr)
        return 1
    from townsfolk_kernels.decode.tune import BATCHES, Product, save, tune
    from townsfolk_kernels.gpu.tuning import own_results

    from townsfolk.models.fused_products import product_shapes

    if options.shape:
        spec = named_spec(options.shape)
    else:
        spec = open_source(Path(resolve(options.model))).architecture().spec
    if not has_fused_steps(spec):
        print(
            "townsfolk: this model decodes in plain operations, of which none is tuned",
            file=sys.stderr,
        )
        return 1
    products = [
        Product(op, rows, columns, batch)
        for op, (rows, columns) in product_shapes(spec)
        for batch in BATCHES
        if (op, batch) != ("qkv", 1)  # no product alone: it shares a launch with attention
    ]
    chosen = tune(products, options.processes, print)
    try:
        path = save(chosen, torch.device("cuda"), options.output or own_results())
    except OSError as error:
        print(f"townsfolk: the results cannot be written: {error}", file=sys.stderr)
        return 1
    print(f"written to {path}")
    return 0
