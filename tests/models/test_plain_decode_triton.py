"""Plain decode steps over the Triton kernels that a GPU runs, by the interpreter on the CPU."""

import pytest
import torch
import triton_interpreter  # noqa: F401  before a kernel runs
from family_models import FAMILIES, VOCABULARY, make_model
from townsfolk.kv import KvCache
from townsfolk.models import Decoder
from townsfolk.models.decode_step import DecodeInputs, PlainDecode
from townsfolk_kernels.decode.attention import decode_attention
from townsfolk_kernels.decode.operands import FlatSequences, LayerCache
from townsfolk_kernels.ops.attention import PAGED_ATTENTION
from townsfolk_kernels.ops.rms_norm import ADD_RMS_NORM, RMS_NORM
from townsfolk_kernels.ops.rope import ROPE_AND_STORE
from townsfolk_kernels.prefill.norm import add_rms_norm, rms_norm
from townsfolk_kernels.prefill.rope import rope_and_store

CPU = torch.device("cpu")
BLOCK_SIZE, BLOCKS, ROWS = 4, 6, 5


def decoding(q, k_pages, v_pages, layout, scale, window, plans):
    """What `townsfolk_kernels.register` does of a batch in which everybody decodes."""
    out = torch.empty_like(q)
    cache = LayerCache(k_pages, v_pages, scale, window)
    sequences = FlatSequences(layout.query_starts, layout.kv_lengths, layout.block_tables)
    decode_attention(q, cache, sequences, out)
    return out


@pytest.mark.parametrize("name", ["qwen3", "gemma3", "smollm3", "granite", "phi3", "gpt2"])
def test_places_that_are_not_used_write_nothing(tmp_path, monkeypatch, name):
    changes = {"head_dim": 16} if name not in ("gpt2", "phi3", "granite") else {"hidden_size": 64}
    make_model(name, **changes, **(FAMILIES[name].windowed or {})).save_pretrained(tmp_path)
    decoder = Decoder.load(tmp_path, torch.float32)
    tables = torch.randperm(BLOCKS * ROWS).view(ROWS, BLOCKS).int()
    drawn = torch.randint(VOCABULARY, (ROWS,)).int()
    positions = torch.tensor([7, 21, 3]).int()  # none begins a block, which the CPU clears
    used = DecodeInputs(torch.tensor([3, 0, 2]).int(), positions, tables, drawn)
    padded = DecodeInputs(
        torch.tensor([3, 0, 2, -1]).int(), torch.cat((positions, -positions[:1])), tables, drawn
    )
    first = KvCache.allocate(decoder.spec, BLOCKS * ROWS, BLOCK_SIZE, torch.float32, CPU)
    second = KvCache.allocate(decoder.spec, BLOCKS * ROWS, BLOCK_SIZE, torch.float32, CPU)
    for ours, theirs in zip((*first.k, *first.v), (*second.k, *second.v), strict=True):
        theirs.copy_(ours.normal_())
    expected = PlainDecode(decoder, first, ROWS).logits(used)
    monkeypatch.setitem(PAGED_ATTENTION._by_device, "cpu", decoding)
    monkeypatch.setitem(ROPE_AND_STORE._by_device, "cpu", rope_and_store)
    monkeypatch.setitem(RMS_NORM._by_device, "cpu", rms_norm)
    monkeypatch.setitem(ADD_RMS_NORM._by_device, "cpu", add_rms_norm)
    found = PlainDecode(decoder, second, ROWS).logits(padded)[:3]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    for ours, theirs in zip((*first.k, *first.v), (*second.k, *second.v), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
