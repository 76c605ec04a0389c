"""Strings that tokenizers get wrong: 200 of them, the same in every run."""

from __future__ import annotations

import json
import random
from pathlib import Path

_TRAPS = Path(__file__).with_suffix(".jsonl")


def nasty_strings() -> list[str]:
    """Return known traps, then mixtures of scripts, spaces, signs and traps."""
    traps: list[str] = [json.loads(line) for line in _TRAPS.read_text("utf-8").splitlines()]
    rng = random.Random(11)
    planes = [
        (0x20, 0x7F), (0x20, 0x7F), (0xA0, 0x17F), (0x370, 0x58F), (0x5D0, 0x700), (0x900, 0xDFF),
        (0x1100, 0x1200), (0x2000, 0x2C00), (0x3000, 0x9FFF), (0xAC00, 0xD7A4), (0x1F300, 0x1FAFF),
    ]  # fmt: skip

    def piece() -> str:
        if rng.random() < 0.35:
            return rng.choice(traps)
        first, last = rng.choice(planes)
        return "".join(chr(rng.randrange(first, last)) for _ in range(rng.randint(1, 8)))

    strings = list(traps)
    while len(strings) < 200:
        strings.append("".join(piece() for _ in range(rng.randint(2, 6))))
    return strings
