"""What the engine takes of a device's memory: planned before the model is loaded, then held to."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import torch
from townsfolk_kernels import Activation

from townsfolk.config import EngineSettings
from townsfolk.engine.errors import NotEnoughMemoryError, UnfitSettingError
from townsfolk.engine.nvml import process_bytes
from townsfolk.engine.step_inputs import LARGE_TOKENS, TOKENS
from townsfolk.host_memory import available_bytes, total_bytes
from townsfolk.kv.cache import MIB, block_bytes
from townsfolk.models import DecoderSpec
from townsfolk.models.outline import WeightOutline
from townsfolk.models.spec import LayerSpec, NormKind
from townsfolk.models.weights import Precision

# KV where nothing else is set.
_USUAL_KV = 512 * MIB
# The shortest context that is worth starting for, in tokens.
_LEAST_CONTEXT = 32
# Tokens of a step; the smaller ones where a limit leaves less than the usual KV beside the first.
_STEP_TOKENS = {"cpu": [256], "cuda": [2048, 1024, 512, 256]}
# CUDA's context and cuBLAS where the driver doesn't tell; an H200 takes 676 MiB.
_USUAL_CUDA = 704 * MIB
# What kernels and graphs take beside that once all are there; 140 MiB on an H200.
_KERNELS = 192 * MIB
# What it takes more once a model was released and loaded again, by another thread; there 80 MiB.
_RELOADED = 96 * MIB
SCORED_ROWS = 64
"""Rows whose scores over the vocabulary are computed at once, of a step or of a prompt: bounds the
fp32 logits, which for a vocabulary of 128,000 are 0.5 MB each."""
# So many fp32 copies of them: in decode steps and sampling, and where prompts are scored.
_DRAWN_COPIES = 6
_SCORED_COPIES = 4
# Workspaces of cuBLAS (on an H200 32 MiB for each of four threads and streams), those of attention
# and split products, inputs of graphs, and what PyTorch's segments round up.
_FIXED_WORK = 256 * MIB
# Numbers that a product of a step with prompts makes of quantised weights at once: so many in
# graphs, which keep that memory, and as many outside of them, in both twice with longer steps.
_TILE_VALUES = 1 << 24


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """What the engine takes, in bytes where nothing else is said.

    Attributes:
        weights: the model's weights.
        work: activations of a step, sampling, graphs; 0 on the CPU, where it is not counted.
        cuda: what CUDA takes for itself: its context and the code of kernels; 0 on the CPU.
        kv: keys and values.
        num_blocks: blocks of KV.
        block_size: tokens in a block.
        context_length: longest prompt and reply together, in tokens.
        step_tokens: tokens that one step computes at most.
        graph_tokens: tokens of a CUDA graph at most.
        limit: of all of it together, on a GPU; None where none is set.
        kv_dtype: of keys and values; int8 with scales.
        adapters: what adapters may take that requests name; on the CPU only that is limited.
    """

    weights: int
    work: int
    cuda: int
    kv: int
    num_blocks: int
    block_size: int
    context_length: int
    step_tokens: int
    graph_tokens: int
    limit: int | None
    kv_dtype: torch.dtype
    adapters: int = 0

    @classmethod
    def make(
        cls,
        spec: DecoderSpec,
        dtype: torch.dtype,
        device: torch.device,
        settings: EngineSettings,
        outline: WeightOutline | None = None,
    ) -> MemoryPlan:
        """Divide the memory that the settings allow.

        Args:
            spec: what the model computes.
            dtype: of its weights.
            device: where it runs.
            settings: the limits.
            outline: its weights; None for numbers of `dtype`.

        Raises:
            NotEnoughMemoryError: what is left for KV doesn't hold a sequence of 32 tokens.
            UnfitSettingError: `max_context` is more than the model can.
        """
        if settings.max_context is not None and settings.max_context > spec.context_length:
            raise UnfitSettingError(
                f"max_context is {settings.max_context}, but the model can take "
                f"{spec.context_length} tokens at most: lower it, or leave it out"
            )
        on_gpu = device.type == "cuda"
        outline = outline or WeightOutline.of_numbers(spec, dtype)
        weights, cuda = outline.nbytes, own_bytes(device) if on_gpu else 0
        if on_gpu and settings.idle_release_s:
            cuda += _RELOADED
        adapters = settings.adapter_memory_mib * MIB if settings.adapters else 0
        limit = settings.gpu_memory_mib * MIB if on_gpu and settings.gpu_memory_mib else None
        set_kv = settings.kv_memory_mib * MIB if settings.kv_memory_mib else None
        wanted = set_kv or _USUAL_KV
        for steps, in_graphs in _step_sizes(settings, device):
            tokens = (steps, min(steps, in_graphs))
            work = _work_bytes(spec, dtype, outline, tokens, settings.max_batch) if on_gpu else 0
            work += _adapter_work_bytes(spec, dtype, steps) if on_gpu and adapters else 0
            taken = weights + work + cuda + adapters
            room = (_free(device) if limit is None else limit - cuda) - (taken - cuda)
            if room >= wanted:
                break
        room = wanted if limit is None else max(room, 0)
        if set_kv is not None:
            room = min(room, set_kv)
        kept = kv_dtype(spec, dtype, device, settings)
        each = block_bytes(spec, settings.block_size, kept)
        plan = cls(
            weights=weights,
            work=work,
            cuda=cuda,
            kv=room // each * each,
            num_blocks=room // each,
            block_size=settings.block_size,
            context_length=min(
                spec.context_length,
                settings.max_context or spec.context_length,
                room // each * settings.block_size,
            ),
            step_tokens=steps,
            graph_tokens=in_graphs,
            limit=limit,
            kv_dtype=kept,
            adapters=adapters,
        )
        least = min(_LEAST_CONTEXT, spec.context_length, settings.max_context or _LEAST_CONTEXT)
        if plan.context_length < least:
            raise NotEnoughMemoryError(plan._shortage(each, least))
        return plan

    def hold(self, device: torch.device) -> None:
        """Have PyTorch refuse to take more than the limit, which concerns the whole process.

        Raises:
            NotEnoughMemoryError: another engine of this process holds such a limit.
        """
        if device.type != "cuda":
            return
        share = 1.0
        if self.limit is not None:
            total = torch.cuda.get_device_properties(device).total_memory
            share = min((self.limit - self.cuda) / total, 1.0)
        at = _index(device)
        if torch.cuda.get_per_process_memory_fraction(at) not in (1.0, share):
            raise NotEnoughMemoryError(
                "another engine of this process limits all that the process takes on the GPU "
                "(gpu_memory_mib): close it first, or run this one in a process of its own"
            )
        torch.cuda.set_per_process_memory_fraction(share, at)

    def let_go(self, device: torch.device) -> None:
        """End the limit of `hold`."""
        if device.type == "cuda" and self.limit is not None:
            torch.cuda.set_per_process_memory_fraction(1.0, _index(device))

    def check_free(self, device: torch.device) -> None:
        """Check that the device has what is planned.

        On the CPU pages take no memory until they are used: only what the machine can never have
        is refused.

        Raises:
            NotEnoughMemoryError: other programs have it, or there is not so much.
        """
        if device.type != "cuda":
            total = total_bytes()
            if total is not None and self.kv > total:
                raise self.too_much_kv()
            return
        free, total = torch.cuda.mem_get_info(device)
        needed = self.weights + self.work + self.adapters + self.kv
        if needed <= free:
            return
        parts = f"{self._parts()} + conversations {_mib(self.kv)} MiB"
        message = (
            f"the GPU has {_mib(free)} of {_mib(total)} MiB free, but {_mib(needed)} are needed: "
            f"{parts}. End other programs that use it, or take a smaller model"
        )
        most_kv = free - self.weights - self.work - self.adapters
        if most_kv > self.kv // 8:
            lower = "kv_memory_mib" if self.limit is None else "gpu_memory_mib"
            most = most_kv if self.limit is None else free + self.cuda
            message += f", or set {lower} to {_mib(most)} or less"
        raise NotEnoughMemoryError(message)

    def too_much_kv(self) -> NotEnoughMemoryError:
        """Return what to tell when this machine can't give a CPU's conversations their memory."""
        free = available_bytes()
        message = f"kv_memory_mib asks for {_mib(self.kv)} MiB, which this machine does not have"
        if free is not None:
            fits = max(free - self.weights, free // 2)
            message += f": {_mib(free)} MiB are free; set it to {_mib(fits)} or less"
        return NotEnoughMemoryError(message)

    def _shortage(self, block_bytes: int, least_context: int) -> str:
        """Say what fits."""
        each = block_bytes / self.block_size
        taken = self.weights + self.work + self.cuda + self.adapters
        if self.limit is None or self.limit - taken > self.kv:
            return (
                f"kv_memory_mib holds {self.num_blocks * self.block_size} tokens of conversation, "
                f"and {least_context} are the least: a token takes {each / 1024:.1f} KiB"
            )
        least = taken + -(-least_context // self.block_size) * block_bytes
        return (
            f"{self._parts()} + CUDA itself {_mib(self.cuda)} MiB leave nothing of "
            f"gpu_memory_mib, {_mib(self.limit)} MiB, for conversations: set it to at least "
            f"{_mib(least)} ({_mib(taken + _USUAL_KV)} leaves the usual "
            f"{_mib(_USUAL_KV)} for them), take a smaller model, or lower max_batch, on which the "
            f"work space depends"
        )

    def __str__(self) -> str:
        parts = [("weights", self.weights), ("work space", self.work), ("CUDA itself", self.cuda)]
        parts += [("adapters", self.adapters), ("conversations", self.kv)]
        shown = " + ".join(f"{name} {_mib(count)} MiB" for name, count in parts if count)
        limit = "" if self.limit is None else f", limit {_mib(self.limit)} MiB"
        total = self.weights + self.work + self.cuda + self.adapters + self.kv
        return f"{shown} = {_mib(total)} MiB{limit}; {self.context_length:,} tokens a conversation"

    def _parts(self) -> str:
        parts = f"weights {_mib(self.weights)} MiB + work space {_mib(self.work)} MiB"
        return parts + (f" + adapters {_mib(self.adapters)} MiB" if self.adapters else "")


def out_of_memory(error: torch.OutOfMemoryError) -> NotEnoughMemoryError:
    """Return what to tell when the device has less than was planned."""
    free, total = torch.cuda.mem_get_info()
    return NotEnoughMemoryError(
        f"the GPU ran out of memory ({_mib(free)} of {_mib(total)} MiB are free): end other "
        f"programs that use it, or lower kv_memory_mib ({error})"
    )


def kv_dtype(
    spec: DecoderSpec, dtype: torch.dtype, device: torch.device, settings: EngineSettings
) -> torch.dtype:
    """Return the dtype of keys and values.

    Raises:
        UnfitSettingError: the model's heads can't be kept as is set.
    """
    if settings.kv_dtype == "auto":
        return Precision.choose(dtype, device).activations
    if odd := {layer.attention.head_dim for layer in spec.layers if layer.attention.head_dim % 4}:
        raise UnfitSettingError(
            f"kv_dtype int8 takes heads of a multiple of 4 values, but this model's have "
            f"{', '.join(map(str, sorted(odd)))}: leave it out"
        )
    return torch.int8


def own_bytes(device: torch.device) -> int:
    """Return what CUDA takes on the device for itself, as far as it can be known.

    On an H200 that is 518 MiB for the context, 158 for cuBLAS once it has multiplied, and what
    `_KERNELS` is for.

    Raises:
        NotEnoughMemoryError: not even that is free.
    """
    if not torch.cuda.is_available():
        return _USUAL_CUDA + _KERNELS  # a plan for another machine's
    try:
        square = torch.ones(64, 64, device=device)
        torch.mm(square, square)
        torch.cuda.synchronize(device)
    except RuntimeError as error:
        raise NotEnoughMemoryError(
            f"the GPU can't be used: end other programs that use it, if there are any ({error})"
        ) from None
    taken = process_bytes(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
    now = _USUAL_CUDA if taken is None else taken - torch.cuda.memory_reserved(device)
    return now + _KERNELS


def _step_sizes(settings: EngineSettings, device: torch.device) -> list[tuple[int, int]]:
    """Return sizes of steps in tokens, and of graphs, the preferred first.

    Smaller ones need less work space: graphs keep the activations of their largest step, beside
    those of steps that are none.
    """
    small = TOKENS[-1]
    if device.type == "cpu":
        usual = [(steps, small) for steps in _STEP_TOKENS["cpu"]]
    elif settings.gpu_memory_mib is None:
        usual = [(_STEP_TOKENS["cuda"][0], most) for most in (LARGE_TOKENS[-1], small)]
    else:
        usual = [(steps, small) for steps in _STEP_TOKENS["cuda"]]
    if settings.step_token_budget is not None:
        usual = [(settings.step_token_budget, most) for _, most in usual]
        return list(dict.fromkeys(usual))
    return [(max(steps, settings.max_batch), most) for steps, most in usual]


def _free(device: torch.device) -> int:
    """Return what is free on the device; any amount where that can't be known."""
    if device.type != "cuda" or not torch.cuda.is_available():
        return sys.maxsize
    return torch.cuda.mem_get_info(device)[0]


def _work_bytes(
    spec: DecoderSpec,
    dtype: torch.dtype,
    outline: WeightOutline,
    tokens: tuple[int, int],
    rows: int,
) -> int:
    """Return a bound of the work space of steps: of so many tokens, also in graphs, and rows."""
    heads = max(layer.attention.query_width for layer in spec.layers)
    kv_heads = max(layer.attention.kv_width for layer in spec.layers)
    inner = max(layer.mlp.width for layer in spec.layers)
    # The largest activations of a layer that are alive at once: residual stream and norms, the
    # projections of attention, gate, up and their product.
    token = 6 * spec.hidden_size + 3 * heads + 4 * kv_heads + 3 * inner
    if outline.is_quantized or not all(_is_lean(layer) for layer in spec.layers):
        # Plain operations in between: norms of heads and multipliers in fp32, activations apart.
        token += 6 * (heads + kv_heads) + 4 * spec.hidden_size + 2 * inner
    activations = sum(tokens) * token * dtype.itemsize
    copies = _DRAWN_COPIES * min(rows, SCORED_ROWS) + _SCORED_COPIES * SCORED_ROWS
    scores = copies * spec.vocab_size * 4
    said = rows * spec.vocab_size * 2  # how often each row has said each token
    tiles = sum(2 if each > TOKENS[-1] else 1 for each in tokens)
    values = tiles * _TILE_VALUES * dtype.itemsize if outline.is_quantized else 0
    masks = 2 * rows * spec.vocab_size // 8  # of grammars
    return activations + scores + said + values + masks + _FIXED_WORK


def _adapter_work_bytes(spec: DecoderSpec, dtype: torch.dtype, steps: int) -> int:
    """Return a bound of what adapters add to that: copies of rows and of products."""
    inner = max(layer.mlp.width for layer in spec.layers)
    heads = max(layer.attention.query_width + layer.attention.kv_width for layer in spec.layers)
    return 2 * steps * (3 * inner + 2 * heads + spec.hidden_size) * dtype.itemsize


def _is_lean(layer: LayerSpec) -> bool:
    """Return whether steps with prompts run the layer by kernels that make no copies."""
    is_added_at_once = not layer.norm_after and layer.residual_multiplier == 1.0
    is_swiglu = layer.mlp.gated and layer.mlp.activation is Activation.SILU
    is_normed_at_once = layer.norm.kind is NormKind.RMS and layer.attention.qk_norm is None
    return is_added_at_once and is_swiglu and is_normed_at_once


def _index(device: torch.device) -> int:
    """Return the number of a CUDA device; "cuda" alone is the current one."""
    return torch.cuda.current_device() if device.index is None else device.index


def _mib(count: int) -> str:
    return f"{-(-count // MIB):,}"
