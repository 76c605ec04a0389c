"""Decoding with every row under a grammar: what masks cost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from townsfolk.bench.answer import Answer
from townsfolk.bench.decode import Rates, rates_of
from townsfolk.bench.engine_stage import EngineStage
from townsfolk.grammar import Grammar

# Rows of things of a game, more than any answer has room for.
SCHEMA = {
    "type": "array",
    "minItems": 10_000,
    "items": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 16},
            "mood": {"enum": ["calm", "angry", "afraid", "merry"]},
            "gold": {"type": "integer", "minimum": 0, "maximum": 500},
            "line": {"type": "string", "maxLength": 80},
        },
        "required": ["name", "mood", "gold", "line"],
    },
}


class GrammarContestant:
    """The engine, in this process, with every reply under a grammar."""

    name = "grammar"

    def __init__(self, stage: EngineStage) -> None:
        """Use an engine that has no other work."""
        self._stage = stage
        self._grammar = asyncio.run(stage.compile(Grammar.json_schema(SCHEMA)))

    def run(self, prompts: Sequence[Sequence[int]], new_tokens: int) -> Rates:
        """See `Contestant`."""
        answers: list[Answer] = self._stage.complete(prompts, new_tokens, self._grammar)
        return rates_of(answers, prompts, new_tokens)

    def close(self) -> None:
        """See `Contestant`; the engine is another's."""
