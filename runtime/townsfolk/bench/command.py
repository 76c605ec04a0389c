"""`townsfolk bench`: two measurements, each ending in one JSON line.

- Without --shape: characters of a model that talk at once, over the real service.
- With --shape: decode speed of random weights of that shape, in this process.
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
    decode = parser.add_argument_group("decode speed")
    decode.add_argument("--shape", help="llama-160m, llama-3.2-1b, llama-3.1-8b")
    decode.add_argument("--batch", type=_numbers, default=[1, 8, 16], help="default 1,8,16")
    decode.add_argument("--prompt-tokens", type=int, default=128, help="default 128")
    decode.add_argument("--dtype", choices=DTYPES, default="bfloat16", help="of our weights")
    decode.add_argument(
        "--peer", action="store_true", help="also run transformers, bf16, in turns with ours"
    )
    parser.add_argument("--new-tokens", type=int, default=64, help="tokens an answer. Default 64")


def run(options: argparse.Namespace) -> int:
    """Measure and report; return the exit status."""
    if options.shape:
        return _decode(options)
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


def _decode(options: argparse.Namespace) -> int:
    import torch

    from townsfolk.bench.decode import Contestant, Rates, TownsfolkContestant, random_prompts
    from townsfolk.bench.floor import decode_bytes, read_bandwidth
    from townsfolk.bench.report import median, print_report
    from townsfolk.config import EngineSettings
    from townsfolk.engine import Engine
    from townsfolk.models import NAMED_SHAPES, Decoder

    if options.shape not in NAMED_SHAPES:
        print(f"townsfolk: --shape is one of {', '.join(NAMED_SHAPES)}", file=sys.stderr)
        return 1
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    device = torch.device("cpu")
    config, dtype = NAMED_SHAPES[options.shape], getattr(torch, options.dtype)
    settings = EngineSettings(device="cpu", kv_memory_mib=2048, threads=options.threads)
    engine = Engine(Decoder.random(config, dtype, device), None, settings, name=options.shape)
    contestants: list[Contestant] = [TownsfolkContestant(engine)]
    if options.peer:
        from townsfolk.bench.peer import TransformersContestant

        contestants.append(TransformersContestant(config, torch.bfloat16, device))
    bandwidth = read_bandwidth(device)
    middle = options.prompt_tokens + options.new_tokens // 2
    rows = []
    for batch in options.batch:
        rates: dict[str, list[Rates]] = {contestant.name: [] for contestant in contestants}
        for number in range(options.rounds + 1):
            prompts = random_prompts(config.vocab_size, batch, options.prompt_tokens, number)
            for contestant in contestants:
                seen = contestant.run(prompts, options.new_tokens)
                if number > 0:  # the first round warms up
                    rates[contestant.name].append(seen)
        floor = batch * bandwidth / decode_bytes(config, dtype.itemsize, batch, middle)
        ours = median([rate.decode for rate in rates["townsfolk"]])
        row: dict[str, object] = {
            "batch": batch,
            "decode tok/s": ours,
            "floor tok/s": floor,
            "share of floor": ours / floor,
            "prefill tok/s": median([rate.prefill for rate in rates["townsfolk"]]),
        }
        if options.peer:
            peer = median([rate.decode for rate in rates["transformers"]])
            row["transformers tok/s"] = peer
            row["ratio"] = ours / peer
            row["transformers prefill"] = median([r.prefill for r in rates["transformers"]])
        rows.append(row)
    engine.close()
    print_report(
        "decode",
        rows,
        shape=options.shape,
        dtype=options.dtype,
        prompt_tokens=options.prompt_tokens,
        new_tokens=options.new_tokens,
        read_bandwidth_gb_s=bandwidth / 1e9,
    )
    return 0
