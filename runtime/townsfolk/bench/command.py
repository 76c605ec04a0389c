"""`townsfolk bench`: measurements, each ending in one JSON line.

- Without --shape: characters of a model that talk at once, over the real service.
- With --shape, random weights of that shape in this process: decode speed; or with --tavern many
  characters that share lore, or with --interference what long prompts do to those who speak.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from townsfolk.commands.connection import add_connection

DTYPES = ("bfloat16", "float16", "float32")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_connection(parser)
    parser.add_argument("--threads", type=int, help="CPU threads. Default: what PyTorch takes")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each; medians. Default 3")
    npcs = parser.add_argument_group("characters over the service")
    npcs.add_argument("--npcs", type=_numbers, default=[1, 8, 32], help="default 1,8,32")
    npcs.add_argument("--turns", type=int, default=4, help="questions to each. Default 4")
    decode = parser.add_argument_group("random weights in this process")
    decode.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    decode.add_argument("--shape", help="llama-160m, llama-3.2-1b, llama-3.1-8b")
    decode.add_argument("--batch", type=_numbers, default=[1, 8, 16], help="default 1,8,16")
    decode.add_argument("--prompt-tokens", type=int, default=128, help="default 128")
    decode.add_argument("--dtype", choices=DTYPES, default="bfloat16", help="of our weights")
    decode.add_argument(
        "--peer", action="store_true", help="also run transformers, bf16, in turns with ours"
    )
    decode.add_argument("--tavern", type=_numbers, metavar="NPCS", help="such as 8,32,64,128")
    decode.add_argument("--interference", action="store_true")
    decode.add_argument("--step-tokens", type=int, help="of one step; see step_token_budget")
    parser.add_argument("--new-tokens", type=int, default=64, help="tokens an answer. Default 64")


def run(options: argparse.Namespace) -> int:
    """Measure and report; return the exit status."""
    if options.shape:
        from townsfolk.bench import shapes

        return shapes.run(options)
    return asyncio.run(_npcs(options))


def _numbers(text: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers such as 1,8,16")
    return numbers


async def _npcs(options: argparse.Namespace) -> int:
    from townsfolk.bench.npcs import measure
    from townsfolk.bench.report import print_report
    from townsfolk.client import AsyncRuntime, TownsfolkError

    threads = () if options.threads is None else ("--threads", str(options.threads))
    runtime = (
        AsyncRuntime.connect(options.connect, options.token)
        if options.connect
        else AsyncRuntime.launch("--model", options.model, *threads)
    )
    try:
        async with runtime:
            info = await runtime.info()
            await measure(runtime, npcs=1, turns=1, new_tokens=options.new_tokens)  # warm up
            rows = [
                await measure(runtime, npcs, options.turns, options.new_tokens)
                for npcs in options.npcs
            ]
    except TownsfolkError as error:
        print(f"townsfolk: {error}", file=sys.stderr)
        return 1
    print_report("npcs", rows, model=info.model, device=info.device, dtype=info.dtype)
    return 0
