"""Measurements of random weights of a named shape, in this process."""

from __future__ import annotations

import argparse
import asyncio
import sys

import torch

from townsfolk.bench.decode import Contestant, Rates, TownsfolkContestant, random_prompts
from townsfolk.bench.floor import decode_bytes, read_bandwidth
from townsfolk.bench.report import Row, median, print_report
from townsfolk.bench.tavern import (
    INTRUDER_TOKENS,
    LORE_TOKENS,
    PERSONA_TOKENS,
    REPLY_TOKENS,
    SAID_TOKENS,
    TURNS,
    interference,
    tavern,
)
from townsfolk.config import EngineSettings
from townsfolk.engine import Engine
from townsfolk.engine.apart import run_apart
from townsfolk.kv.cache import MIB, block_bytes
from townsfolk.models import NAMED_SHAPES, Decoder, DecoderConfig


def run(options: argparse.Namespace) -> int:
    """Measure what the options ask for and report; return the exit status."""
    if options.shape not in NAMED_SHAPES:
        print(f"townsfolk: --shape is one of {', '.join(NAMED_SHAPES)}", file=sys.stderr)
        return 1
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    config = NAMED_SHAPES[options.shape]
    if options.tavern:
        own = PERSONA_TOKENS + TURNS * (SAID_TOKENS + REPLY_TOKENS)
        most = max(options.tavern)
        engine = _engine(options, config, most, LORE_TOKENS + most * own)
        rows = asyncio.run(_taverns(engine, config.vocab_size, options.tavern))
        kind = "tavern"
    elif options.interference:
        engine = _engine(options, config, 16, 16 * INTRUDER_TOKENS)
        rows = [asyncio.run(interference(engine, config.vocab_size))]
        kind = "interference"
    else:
        return _decode(options, config)
    engine.close()
    print_report(kind, rows, shape=options.shape, dtype=options.dtype, device=engine.info.device)
    return 0


async def _taverns(engine: Engine, vocab_size: int, sizes: list[int]) -> list[Row]:
    await tavern(engine, vocab_size, min(sizes), turns=1)  # warms up
    return [await tavern(engine, vocab_size, npcs) for npcs in sizes]


def _device(options: argparse.Namespace) -> torch.device:
    if options.device == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    return torch.device("cuda:0" if options.device == "cuda" else "cpu")


def _engine(
    options: argparse.Namespace, config: DecoderConfig, requests: int, tokens: int
) -> Engine:
    """An engine with random weights and room for so many requests and tokens."""
    decoder = run_apart(Decoder.random, config, getattr(torch, options.dtype), _device(options))
    each = block_bytes(config, 16, decoder.dtype)
    blocks = tokens // 16 + 8 * requests
    settings = EngineSettings(
        device=options.device,
        kv_memory_mib=max(256, blocks * each * 5 // 4 // MIB),
        max_batch=requests,
        step_token_budget=options.step_tokens,
        threads=options.threads or torch.get_num_threads(),
    )
    return Engine(decoder, None, settings, name=options.shape)


def _decode(options: argparse.Namespace, config: DecoderConfig) -> int:
    device, dtype = _device(options), getattr(torch, options.dtype)
    most = max(options.batch)
    length = options.prompt_tokens + options.new_tokens
    engine = _engine(options, config, most, most * length)
    contestants: list[Contestant] = [TownsfolkContestant(engine)]
    if options.peer:
        from townsfolk.bench.peer import TransformersContestant

        threads = options.threads or torch.get_num_threads()
        contestants.append(TransformersContestant(config, torch.bfloat16, device, threads))
    bandwidth = run_apart(read_bandwidth, device)
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
    for contestant in contestants:
        contestant.close()
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
