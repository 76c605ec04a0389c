"""Decoding with random adapters, in turns with none: what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from townsfolk.bench.decode import Rates, rates_of
from townsfolk.bench.engine_stage import EngineStage
from townsfolk.checkpoint import Adapter, AdapterConfig, LowRank, write_adapter
from townsfolk.models import Architecture
from townsfolk.models.weights import expected_tensors


class AdapterContestant:
    """The engine, in this process, with an adapter for each row: one after the other, in turn."""

    name = "adapters"

    def __init__(self, stage: EngineStage, names: Sequence[str]) -> None:
        """Use an engine that has no other work, and load adapters of these names."""
        self._stage = stage
        self._names = names
        stage.load_adapters(names)

    def run(self, prompts: Sequence[Sequence[int]], new_tokens: int) -> Rates:
        """See `Contestant`."""
        names = [self._names[number % len(self._names)] for number in range(len(prompts))]
        answers = self._stage.complete(prompts, new_tokens, adapters=names)
        return rates_of(answers, prompts, new_tokens)

    def close(self) -> None:
        """See `Contestant`; the engine is another's."""


def write_random_adapters(
    folder: Path, architecture: Architecture, count: int, rank: int
) -> list[str]:
    """Write adapters of all projections of the layers; return their names."""
    names = architecture.modules
    known = expected_tensors(Architecture(architecture.spec, names))
    within = f"{names.root}{names.layer.split('{')[0]}"
    adapted = [
        spec
        for spec in known.values()
        if spec.name.startswith(within) and spec.name.endswith(".weight") and len(spec.shape) == 2
    ]
    config = AdapterConfig(r=rank, lora_alpha=rank, fan_in_fan_out=names.transposed)
    generator = torch.Generator().manual_seed(0)
    found = []
    for number in range(count):
        weights = {}
        for spec in adapted:
            columns = spec.shape[0] if spec.transposed else spec.shape[1]
            a = torch.randn(rank, columns, generator=generator) * columns**-0.5
            b = torch.randn(spec.rows, rank, generator=generator) * 0.01
            weights[spec.name.removesuffix(".weight")] = LowRank(a.bfloat16(), b.bfloat16(), 1.0)
        found.append(f"random-{number}")
        write_adapter(Adapter(config, weights), folder / found[-1])
    return found
