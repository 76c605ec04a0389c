"""How much of a model, and of conversation with it, fits into so much memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from townsfolk.config import EngineSettings
from townsfolk.engine.errors import NotEnoughMemoryError
from townsfolk.engine.memory import MIB, MemoryPlan
from townsfolk.host_memory import available_bytes
from townsfolk.library import CatalogueModel
from townsfolk.models import DecoderSpec, named_spec, open_source
from townsfolk.models.outline import WeightOutline

# Blocks may be laid out anew for a GPU, which takes so much more.
_MOST_GROWTH = 1.12
# Of what is free, so much is left to the game and to others where nobody set a limit.
_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Demand:
    """What a model takes of memory.

    Attributes:
        spec: what it computes.
        dtype: of its values.
        outline: its weights.
    """

    spec: DecoderSpec
    dtype: torch.dtype
    outline: WeightOutline

    @classmethod
    def of_files(cls, path: Path, device: torch.device, settings: EngineSettings) -> Demand:
        """Read it off the headers of a model's files.

        Raises:
            UnsupportedModelError: the engine can't run the model.
            CheckpointError: its files are broken.
        """
        source = open_source(path)
        architecture = source.architecture()
        spec = architecture.spec
        dtype = spec.dtype if settings.dtype == "auto" else getattr(torch, settings.dtype)
        checkpoint = source.checkpoint()
        outline = WeightOutline.of_checkpoint(architecture, checkpoint, dtype, device)
        return cls(spec, dtype, outline)

    @classmethod
    def of_known(cls, model: CatalogueModel, device: torch.device) -> Demand:
        """Bound it by what the catalogue says, for a model whose file need not be here."""
        spec = named_spec(model.shape)
        growth = _MOST_GROWTH if device.type == "cuda" else 1.0
        outline = WeightOutline(int(model.bytes * growth), is_quantized=True)
        return cls(spec, spec.dtype, outline)

    def plan(self, device: torch.device, settings: EngineSettings) -> MemoryPlan:
        """Plan memory for it; see `MemoryPlan.make`."""
        return MemoryPlan.make(self.spec, self.dtype, device, settings, self.outline)

    def bytes_at(self, context: int, device: torch.device, settings: EngineSettings) -> int:
        """Return the memory for the model and one conversation of so many tokens."""
        unlimited = settings.model_copy(update={"gpu_memory_mib": None, "kv_memory_mib": None})
        plan = self.plan(device, unlimited)
        blocks = -(-min(context, self.spec.context_length) // plan.block_size)
        return plan.weights + plan.work + plan.cuda + blocks * (plan.kv // plan.num_blocks)

    def fits(self, budget: int, device: torch.device, settings: EngineSettings) -> MemoryPlan:
        """Plan within a budget of bytes.

        Raises:
            NotEnoughMemoryError: it does not fit.
        """
        if device.type == "cuda":
            return self.plan(device, settings.model_copy(update={"gpu_memory_mib": budget // MIB}))
        plan = self.plan(device, settings)
        if plan.weights + plan.kv > budget:
            raise NotEnoughMemoryError(
                f"weights and conversations take {(plan.weights + plan.kv) // MIB:,} MiB"
            )
        return plan


def budget(device: torch.device, settings: EngineSettings) -> int:
    """Return the bytes that a model may take: what is set, or half of what is free."""
    if device.type == "cuda":
        if settings.gpu_memory_mib is not None:
            return settings.gpu_memory_mib * MIB
        free, _ = torch.cuda.mem_get_info(device)
        return int(free * _SHARE)
    return int((available_bytes() or 0) * _SHARE)


def characters(plan: MemoryPlan) -> str:
    """Say how many characters with how much context fit into a plan."""
    tokens = plan.num_blocks * plan.block_size
    shares = [
        f"{tokens // each:,} of {each:,} tokens"
        for each in (1024, 2048, 4096, 8192, 16_384)
        if tokens >= each <= plan.context_length
    ]
    several = f": {', or '.join(shares)}" if shares else ""
    return f"{tokens:,} tokens of conversation in all{several}; what they share counts once"
