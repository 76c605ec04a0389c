"""What an engine is, for others to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the fake engine has no tensors
    from townsfolk.config import EngineSettings
    from townsfolk.engine.memory import MemoryPlan
    from townsfolk.models import Decoder

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What runs here.

    Attributes:
        model: the model's name.
        parameters: its number of parameters.
        device: "cpu" or "cuda:0 (NVIDIA ...)".
        dtype: type of weights and KV: "bfloat16", "float16" or "float32".
        context_length: longest prompt and reply together, in tokens.
        kv_memory_mib: memory for KV, in MiB.
        kv_capacity_tokens: tokens that fit in it.
        max_batch: requests that run in one batch at most.
        memory_limit_mib: limit of all that is taken on the GPU, in MiB; 0 where none is set.
    """

    model: str
    parameters: int
    device: str
    dtype: str
    context_length: int
    kv_memory_mib: int
    kv_capacity_tokens: int
    max_batch: int
    memory_limit_mib: int

    @classmethod
    def of(
        cls, name: str, device: str, decoder: Decoder, plan: MemoryPlan, settings: EngineSettings
    ) -> EngineInfo:
        """Return what the engine of a decoder is, given the memory it takes."""
        return cls(
            model=name,
            parameters=decoder.num_parameters,
            device=device,
            dtype=str(decoder.dtype).removeprefix("torch."),
            context_length=plan.context_length,
            kv_memory_mib=-(-plan.kv // MIB),
            kv_capacity_tokens=plan.num_blocks * plan.block_size,
            max_batch=settings.max_batch,
            memory_limit_mib=(plan.limit or 0) // MIB,
        )
