"""Decode steps in Triton kernels, by the interpreter on the CPU, against the plain decoder."""

import pytest
import torch
import triton_interpreter  # noqa: F401  before a kernel runs
from product_checks import NAN, error
from townsfolk.kv import KvCache
from townsfolk.models import Decoder, ModelBatch, named_spec
from townsfolk.models.fused_decode import DecodeInputs, FusedDecode
from townsfolk_kernels import PagedLayout, use_reference

CPU = torch.device("cpu")
BLOCK_SIZE, BLOCKS, ROWS, VOCAB = 4, 5, 6, 100


@pytest.fixture(scope="module", params=[None, 7], ids=["", "window"])
def decoder(request):
    spec = named_spec(
        "llama-160m", num_hidden_layers=2, vocab_size=VOCAB, hidden_size=64, intermediate_size=96,
        num_attention_heads=4, num_key_value_heads=2, head_dim=16,
        architectures=["MistralForCausalLM"], sliding_window=request.param,
    )  # fmt: skip
    return Decoder.random(spec, torch.float32, CPU)


@pytest.mark.parametrize(("batch", "is_long"), [(1, False), (1, True), (2, False), (5, False)])
def test_logits_and_pages(decoder, batch, is_long):
    kv = KvCache.allocate(decoder.spec, BLOCKS * ROWS, BLOCK_SIZE, torch.float32, CPU)
    pages = (*kv.k, *kv.v)
    for each in pages:
        each.normal_()
    before = [each.clone() for each in pages]
    tables = torch.randperm(BLOCKS * ROWS).view(ROWS, BLOCKS).int()
    rows = torch.randperm(ROWS)[:batch].int()
    positions = torch.randint(0, BLOCKS * BLOCK_SIZE, (batch,)).int()
    drawn = torch.randint(0, VOCAB, (ROWS,)).int()

    step = FusedDecode(decoder, kv, ROWS, BLOCKS * BLOCK_SIZE)
    step._logits.fill_(NAN)
    found = step.logits(DecodeInputs(rows, positions, tables, drawn, is_long)).clone()
    written = [each.clone() for each in pages]
    for each, content in zip(pages, before, strict=True):
        each.copy_(content)
    own = tables[rows.long()]
    place = positions.long()
    block = own.gather(1, place[:, None] // BLOCK_SIZE)[:, 0].long()
    starts = torch.arange(batch + 1, dtype=torch.int32)
    layout = PagedLayout(starts, positions + 1, own, BLOCK_SIZE, longest=1)
    slots = block * BLOCK_SIZE + place % BLOCK_SIZE
    tokens = drawn[rows.long()].long()
    with use_reference():
        expected = decoder.logits(decoder.forward(ModelBatch(tokens, place, slots, layout), kv))
    assert error(found, expected) < 1e-6
    for each, wanted in zip(written, pages, strict=True):
        assert error(each, wanted) < 1e-6
