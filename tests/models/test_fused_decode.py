"""Decode steps in Triton kernels, by the interpreter on the CPU, against the plain decoder."""

from dataclasses import replace

import pytest
import torch
import triton_interpreter  # noqa: F401  before a kernel runs
from family_models import FAMILIES, VOCABULARY, make_model
from product_checks import error
from townsfolk.kv import KvCache
from townsfolk.models import Decoder, ModelBatch, named_spec
from townsfolk.models.decode_step import DecodeInputs, has_fused_steps
from townsfolk.models.fused_decode import FusedDecode
from townsfolk.models.mixes import MIXES
from townsfolk.models.quantized import BlockSource
from townsfolk_kernels import Activation, PagedLayout, use_reference
from townsfolk_kernels.prefill.packed_matrix import PackedMatrix

CPU = torch.device("cpu")
BLOCK_SIZE, BLOCKS, ROWS, VOCAB = 4, 5, 6, 100
SMALL = {
    "num_hidden_layers": 2, "vocab_size": VOCAB, "hidden_size": 64, "intermediate_size": 96,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
}  # fmt: skip


def check(decoder, batch, is_long, bound, has_plain=False):
    """A step's logits, and the pages that it leaves.

    Plain attention on the CPU clears a block that begins, so where there is some none begins.
    """
    vocabulary = decoder.spec.vocab_size
    kv = KvCache.allocate(decoder.spec, BLOCKS * ROWS, BLOCK_SIZE, torch.float32, CPU)
    pages = (*kv.k, *kv.v)
    for each in pages:
        each.normal_()
    before = [each.clone() for each in pages]
    tables = torch.randperm(BLOCKS * ROWS).view(ROWS, BLOCKS).int()
    rows = torch.randperm(ROWS)[:batch].int()
    positions = torch.randint(0, BLOCKS * BLOCK_SIZE, (batch,)).int()
    positions += has_plain * (positions % BLOCK_SIZE == 0)
    drawn = torch.randint(0, vocabulary, (ROWS,)).int()

    step = FusedDecode(decoder, kv, ROWS, BLOCKS * BLOCK_SIZE)
    step.poison()
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
    assert error(found, expected) < bound
    for each, wanted in zip(written, pages, strict=True):
        assert error(each, wanted) < bound


@pytest.mark.parametrize(("batch", "is_long"), [(1, False), (1, True), (2, False), (5, False)])
@pytest.mark.parametrize("window", [None, 7], ids=["", "window"])
def test_logits_and_pages(window, batch, is_long):
    changes = {"architectures": ["MistralForCausalLM"], "sliding_window": window, **SMALL}
    spec = named_spec("llama-160m", **changes)
    check(Decoder.random(spec, torch.float32, CPU), batch, is_long, 1e-6)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "gpt2"])
def test_families(tmp_path, name, batch):
    # Weights are large in these, and differences with them.
    make_model(name, **(FAMILIES[name].windowed or {})).save_pretrained(tmp_path)
    decoder = Decoder.load(tmp_path, torch.float32)
    assert decoder.spec.vocab_size == VOCABULARY
    assert has_fused_steps(decoder.spec)
    check(decoder, batch, False, 1e-5)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("shape", ["gemma-3-1b", "qwen3-0.6b"])
def test_blocks_without_fused_kernels_run_between_those_that_have_some(shape, batch):
    spec = named_spec(shape, **SMALL, sliding_window=7, final_logit_softcapping=2.0)
    first, second = spec.layers
    odd = replace(
        second,
        mlp=replace(second.mlp, gated=False, activation=Activation.RELU_SQUARED, width=72),
        attention=replace(second.attention, num_heads=8, num_kv_heads=4, output_bias=True),
    )
    spec = replace(spec, layers=(first, odd, first))
    check(Decoder.random(spec, torch.float32, CPU), batch, False, 1e-5, has_plain=True)


@pytest.fixture
def packed_on_the_cpu(monkeypatch):
    """Packed matrices, as CUDA devices have them, on the CPU."""

    def allocate(self, kind, rows, columns):
        return PackedMatrix(kind, rows, columns, self.device)

    monkeypatch.setattr(BlockSource, "allocate", allocate)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", ["q4_k_m", "q8_0"])
def test_packed_weights(packed_on_the_cpu, name, batch):
    # Super-blocks of 256 columns; in q4_k_m values are in another format than queries and keys.
    changes = {**SMALL, "hidden_size": 256, "intermediate_size": 256}
    spec = named_spec("llama-160m", **changes)
    decoder = Decoder.random(spec, torch.float32, CPU, mix=MIXES[name])
    assert isinstance(decoder.weights.embedding, PackedMatrix)
    check(decoder, batch, False, 1e-5)
