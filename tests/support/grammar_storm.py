"""Many replies under random JSON Schemas: all must parse and validate.

    python tests/support/grammar_storm.py --model starter --count 10000 --most-seconds 3600

Temperatures go from 0 to 1.5. No other reply is begun after the given time. Exits 1 if any reply is
not as its schema says, has more white space between its values than one blank, or was filling its
limit with blanks.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import jsonschema
from random_schemas import random_document
from townsfolk.config import EngineSettings
from townsfolk.engine import Engine
from townsfolk.engine.outputs import Completion, FinishReason
from townsfolk.grammar import Grammar
from townsfolk.sampling import SamplingParams

PROMPT = "The innkeeper writes down what she sees, as JSON: "
REPLIES_OF_A_SCHEMA = 4
TOLD_EVERY = 500  # replies
STRING = re.compile(r'"(\\.|[^"\\])*"')
BLANKS = re.compile(r"(?:\s|\\[nrt]|\\u00(?:09|0a|0d|20|a0)){4,}", re.IGNORECASE)


@dataclass(slots=True)
class Storm:
    """What came of it."""

    reasons: Counter[FinishReason] = field(default_factory=Counter)
    faults: int = 0
    tokens: int = 0


async def reply(engine: Engine, number: int, max_new_tokens: int, storm: Storm) -> None:
    """Have one reply made, and check it."""
    choose = random.Random(number // REPLIES_OF_A_SCHEMA)
    schema = random_document(choose)
    temperature = random.Random(number).choice((0.0, 0.5, 0.8, 1.0, 1.2, 1.5))
    grammar = await engine.compile(Grammar.json_schema(schema))
    assert grammar.shortest is not None
    params = SamplingParams(
        temperature=temperature,
        seed=number,
        max_new_tokens=max(max_new_tokens, 2 * grammar.shortest),  # it must fit at all
        top_k=0,
        top_p=1.0,
    )
    completion = await engine.submit(PROMPT, params, grammar=grammar).result()
    storm.reasons[completion.finish_reason] += 1
    storm.tokens += len(completion.token_ids)
    fault = fault_of(schema, completion)
    if fault is not None:
        storm.faults += 1
        print(json.dumps(schema), repr(completion.text), fault, sep="\n  ", flush=True)


def fault_of(schema: dict[str, Any], completion: Completion) -> str | None:
    """Return what is wrong with a reply; None where nothing is."""
    text = completion.text
    try:
        jsonschema.validate(json.loads(text), schema)
    except (ValueError, jsonschema.ValidationError) as error:
        return str(error).splitlines()[0]
    if re.search(r"\s\s|[^\S ]", STRING.sub('""', text)):
        return "white space between values"
    blanks = sum(len(found[0]) for found in BLANKS.finditer(text))
    if completion.finish_reason is FinishReason.LENGTH and blanks > len(text) / 2:
        return "ran to its limit in white space"
    return None


async def rage(
    engine: Engine,
    first: int,
    count: int,
    max_new_tokens: int = 200,
    at_once: int = 32,
    most_seconds: float = float("inf"),
) -> Storm:
    """Have so many replies made, or as many as there is time for, and check them."""
    storm = Storm()
    numbers = iter(range(first, first + count))
    end = time.monotonic() + most_seconds

    async def work() -> None:
        for number in numbers:
            if time.monotonic() > end:
                return
            await reply(engine, number, max_new_tokens, storm)
            if storm.reasons.total() % TOLD_EVERY == 0:
                print(f"{storm.reasons.total()}, {storm.faults} faults", flush=True)

    await asyncio.gather(*(work() for _ in range(at_once)))
    return storm


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--max-new-tokens", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=32)
    parser.add_argument("--most-seconds", type=float, default=float("inf"))
    options = parser.parse_args()
    engine = Engine.from_pretrained(
        options.model, EngineSettings(device=options.device, max_batch=options.at_once)
    )
    begin = time.perf_counter()
    storm = await rage(
        engine,
        options.first,
        options.count,
        options.max_new_tokens,
        options.at_once,
        most_seconds=options.most_seconds,
    )
    seconds = time.perf_counter() - begin
    await engine.aclose()
    print(
        f"{storm.reasons.total()} replies of {options.model}, "
        f"{storm.faults} not as they should be; "
        f"{', '.join(f'{count} {reason.value}' for reason, count in storm.reasons.items())}; "
        f"{storm.tokens} tokens in {seconds:.0f} s"
    )
    return bool(storm.faults)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
