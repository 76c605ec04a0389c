"""How much of a model, and of conversation with it, fits into a machine's memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from townsfolk.config import EngineSettings
from townsfolk.engine.errors import NotEnoughMemoryError
from townsfolk.engine.memory import MemoryPlan
from townsfolk.host_memory import available_bytes
from townsfolk.kv.cache import MIB
from townsfolk.library import CatalogueModel
from townsfolk.models import DecoderSpec, named_spec, open_source
from townsfolk.models.mixes import MIXES
from townsfolk.models.outline import WeightOutline

GIB = 1024**3
# What a model must hold beside its weights: two characters with 2,048 tokens each.
LEAST_TOKENS = 4096
# A CPU reads all weights for each token, at about 20 GB/s: ten tokens a second.
MOST_CPU_WEIGHTS = 2 * GIB
# Blocks may be laid out anew for a GPU and take so much more; without one it can't be known.
_MOST_GROWTH = 1.12
# Of what is free so much is a model's where nobody set a limit; the rest is the game's.
_SHARE = 0.5
_SMALL_STEP = 256


@dataclass(frozen=True, slots=True)
class ModelFootprint:
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
    def of_files(cls, path: Path, device: torch.device, dtype: str = "auto") -> ModelFootprint:
        """Read it off the headers of a model's files.

        Args:
            path: a file or a directory.
            device: where it would run.
            dtype: "auto", or the dtype that is set.

        Raises:
            UnsupportedModelError: the engine can't run the model.
            CheckpointError: its files are broken.
        """
        source = open_source(path)
        architecture = source.architecture()
        spec = architecture.spec
        chosen = spec.dtype if dtype == "auto" else getattr(torch, dtype)
        outline = WeightOutline.of_checkpoint(architecture, source.checkpoint(), chosen, device)
        return cls(spec, chosen, outline)

    @classmethod
    def of_known(cls, model: CatalogueModel, device: torch.device) -> ModelFootprint:
        """Tell it by what the catalogue says, for a model whose file need not be here."""
        spec, mix = named_spec(model.shape), MIXES[model.quantisation.lower()]
        outline = WeightOutline.of_mix(spec, mix, spec.dtype, device)
        is_elsewhere = device.type == "cuda" and not torch.cuda.is_available()
        if outline.is_quantized and is_elsewhere:
            outline = replace(outline, nbytes=int(outline.nbytes * _MOST_GROWTH))
        return cls(spec, spec.dtype, outline)

    def plan(self, device: torch.device, settings: EngineSettings) -> MemoryPlan:
        """Plan memory for it; see `MemoryPlan.make`."""
        return MemoryPlan.make(self.spec, self.dtype, device, settings, self.outline)


@dataclass(frozen=True, slots=True)
class Machine:
    """What a model may take of this machine.

    Attributes:
        device: where it would run.
        budget: in bytes.
        settings: what else is set.
    """

    device: torch.device
    budget: int
    settings: EngineSettings

    @classmethod
    def here(
        cls, gpu_memory_mib: int | None = None, settings: EngineSettings | None = None
    ) -> Machine:
        """Look at this machine; a limit of GPU memory can be for a GPU that is not in it."""
        settings = settings or EngineSettings()
        on_gpu = torch.cuda.is_available() or gpu_memory_mib is not None
        device = torch.device("cuda:0" if on_gpu and settings.device != "cpu" else "cpu")
        limited = settings.model_copy(update={"gpu_memory_mib": gpu_memory_mib})
        return cls.of(device, limited)

    @classmethod
    def of(cls, device: torch.device, settings: EngineSettings) -> Machine:
        """Return what the settings allow on a device, or half of what is free there."""
        if device.type == "cpu":
            return cls(device, int((available_bytes() or 0) * _SHARE), settings)
        if settings.gpu_memory_mib is not None:
            return cls(device, settings.gpu_memory_mib * MIB, settings)
        free, _ = torch.cuda.mem_get_info(device)
        return cls(device, int(free * _SHARE), settings)

    def __str__(self) -> str:
        if self.device.type == "cpu":
            return f"{self.budget // MIB:,} MiB of memory, half of what is free"
        is_set = self.settings.gpu_memory_mib is not None
        why = "as gpu_memory_mib says" if is_set else "half of what is free"
        return f"{self.budget // MIB:,} MiB of GPU memory, {why}"

    def bytes_at(self, context: int, footprint: ModelFootprint) -> int:
        """Return the memory for a model and one conversation of so many tokens.

        On a GPU it is that of the smallest steps, which a tight limit leads to.
        """
        steps = max(_SMALL_STEP, self.settings.max_batch)
        free = {"gpu_memory_mib": None, "kv_memory_mib": None, "step_token_budget": steps}
        plan = footprint.plan(self.device, self.settings.model_copy(update=free))
        blocks = -(-min(context, footprint.spec.context_length) // plan.block_size)
        return plan.weights + plan.work + plan.cuda + blocks * (plan.kv // plan.num_blocks)

    def misfit(self, footprint: ModelFootprint) -> str:
        """Return why a model is not for this machine; empty where it is."""
        on_gpu = self.device.type == "cuda"
        weights = f"{footprint.outline.nbytes / GIB:.1f} GiB of weights"
        if not on_gpu and footprint.outline.nbytes > MOST_CPU_WEIGHTS:
            return f"is too slow on a CPU, which reads {weights} for each token"
        limited = self.settings.model_copy(update={"gpu_memory_mib": self.budget // MIB or 1})
        try:
            plan = footprint.plan(self.device, limited if on_gpu else self.settings)
        except NotEnoughMemoryError:
            return f"does not fit: it has {weights}"
        if not on_gpu and plan.weights + plan.kv > self.budget:
            return f"does not fit: it has {weights}, and {plan.kv // MIB:,} MiB of conversation"
        tokens = plan.num_blocks * plan.block_size
        if tokens < min(LEAST_TOKENS, footprint.spec.context_length):
            return f"has room for {tokens:,} tokens of conversation only"
        return ""


def characters(plan: MemoryPlan) -> str:
    """Say how many characters with how much context fit into a plan."""
    tokens = plan.num_blocks * plan.block_size
    shares = [
        f"{tokens // each:,} with {each:,} tokens"
        for each in (1024, 2048, 4096, 8192, 16_384)
        if tokens >= each <= plan.context_length
    ]
    several = f": {', or '.join(shares)}" if shares else ""
    return f"{tokens:,} tokens of conversation{several}; what they share counts once"
