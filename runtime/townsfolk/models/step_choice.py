"""Which steps compute a decoder fastest on its device. What they need is imported where used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from townsfolk_kernels.registry import has_numba

from townsfolk.models.batch import KvPages
from townsfolk.models.decode_step import DecodeStep, PlainDecode, has_fused_steps
from townsfolk.models.decoder import Decoder

if TYPE_CHECKING:
    from townsfolk_kernels.prefill.attention import AttentionWorkspace

    from townsfolk.models.adapter_stack import AdapterStack
    from townsfolk.models.compiled_adapters import CompiledProjections
    from townsfolk.models.compiled_decode import CompiledDecode
    from townsfolk.models.compiled_prompts import CompiledPrompts


def compile_steps(decoder: Decoder, kv: KvPages) -> CompiledDecode | None:
    """Return compiled steps for a CPU; None where they don't compute what the spec says."""
    if decoder.device.type != "cpu" or not has_numba() or kv.k[0].dtype != decoder.dtype:
        return None
    from townsfolk.models.compiled_decode import CompiledDecode
    from townsfolk.models.compiled_phases import can_compile

    return CompiledDecode(decoder, kv) if can_compile(decoder) else None


def compile_prompts(decoder: Decoder, kv: KvPages) -> CompiledPrompts | None:
    """Return compiled steps with prompts for a CPU; None where weights are not all in blocks."""
    if compile_steps(decoder, kv) is None:
        return None
    from townsfolk.models.compiled_phases import are_in_blocks
    from townsfolk.models.compiled_prompts import CompiledPrompts

    return CompiledPrompts(decoder, kv) if are_in_blocks(decoder) else None


def compiled_projections(decoder: Decoder) -> CompiledProjections:
    """Return what adapters change in a decoder for which `compile_steps` has steps."""
    from townsfolk.models.compiled_adapters import CompiledProjections

    return CompiledProjections(decoder)


def choose_step(
    decoder: Decoder,
    kv: KvPages,
    max_batch: int,
    context_length: int,
    workspace: AttentionWorkspace,
    stack: AdapterStack | None = None,
) -> DecodeStep:
    """Return the fastest steps that compute what the decoder's spec says."""
    if has_fused_steps(decoder.spec):
        from townsfolk.models.fused_decode import FusedDecode
        from townsfolk.models.fused_products import is_fusable

        if not is_fusable(decoder.weights.head):
            return PlainDecode(decoder, kv, max_batch, workspace)
        return FusedDecode(decoder, kv, max_batch, context_length, workspace, stack=stack)
    return PlainDecode(decoder, kv, max_batch, workspace)
