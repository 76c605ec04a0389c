"""Compiled decode steps on the CPU, against the decoder's forward."""

import pytest
import torch
from family_models import FAMILIES, make_model
from paged_scene import SMALL, Scene
from random_adapters import random_adapter, row_adapters
from townsfolk.kv import KvCache
from townsfolk.models import Chunk, Decoder, ModelBatch, named_spec, step_choice
from townsfolk.models.compiled_decode import MOST_SEQUENCES
from townsfolk.models.mixes import MIXES
from townsfolk.models.step_choice import compile_steps, compiled_projections
from townsfolk_kernels.cpu import linear as linear_cpu
from townsfolk_kernels.quantized import interleaved
from townsfolk_kernels.quantized.matrix import RawMatrix

CPU = torch.device("cpu")
COVERED = [name for name in FAMILIES if name != "gpt2"]


def assert_same_steps(scene, rows, atol):
    steps = compile_steps(scene.decoder, scene.kv)
    found = steps.logits(scene.next_tokens(rows)).clone()
    whole = [Chunk(scene.tokens[row], 0, scene.tables[row]) for row in rows]
    torch.testing.assert_close(found, scene.run(whole), atol=atol, rtol=0)


@pytest.mark.parametrize("name", COVERED)
def test_steps_are_those_of_the_decoder(tmp_path, monkeypatch, name):
    """With activations, keys and values in fp32, as where a processor multiplies no bf16."""
    monkeypatch.setattr(linear_cpu, "packed_dtypes", lambda: {torch.bfloat16: torch.float32})
    sizes = {"hidden_size": 64, "intermediate_size": 96, "head_dim": 16}
    if name == "granite 4":
        sizes["shared_intermediate_size"] = 96
    make_model(name, **sizes).save_pretrained(tmp_path)
    decoder = Decoder.load(tmp_path, torch.bfloat16)
    scene = Scene(decoder, (1, 7, 32, 20, 15), block_size=4)
    assert_same_steps(scene, [3, 0, 2, 4], atol=2e-3)


@pytest.mark.parametrize("window", [None, 40])
def test_long_sequences_in_bf16_pages(window):
    changes = SMALL | ({"sliding_window": window, "model_type": "mistral"} if window else {})
    changes["architectures"] = ["MistralForCausalLM" if window else "LlamaForCausalLM"]
    decoder = Decoder.random(named_spec("llama-tiny", **changes), torch.bfloat16)
    scene = Scene(decoder, (511, 512, 1100, 15, 16))
    assert_same_steps(scene, range(5), atol=0.02)


@pytest.mark.parametrize("mix", ["q8_0", "q4_k_m", "q4_0"])
@pytest.mark.parametrize("architecture", ["LlamaForCausalLM", "Qwen2ForCausalLM"])
def test_weights_in_blocks(mix, architecture):
    """As exact as rows of 8 bits are, against fp32 activations on what the blocks stand for."""
    sizes = {"hidden_size": 256, "intermediate_size": 512, "architectures": [architecture]}
    spec = named_spec("llama-tiny", **SMALL | sizes)
    decoder = Decoder.random(spec, torch.bfloat16, mix=MIXES[mix])
    scene = Scene(decoder, (30, 7, 100))
    steps = compile_steps(decoder, scene.kv)
    found = steps.logits(scene.next_tokens(range(3))).clone()
    exact = Decoder.random(spec, torch.float32, mix=MIXES[mix])
    exact_scene = Scene(exact, scene.lengths)
    exact_scene.tokens = scene.tokens
    whole = [
        Chunk(tokens, 0, table)
        for tokens, table in zip(scene.tokens, exact_scene.tables, strict=True)
    ]
    expected = exact_scene.run(whole)
    assert (found - expected).norm() < 0.03 * expected.norm()
    for count in (1, 2):
        assert torch.equal(steps.logits(scene.next_tokens(range(count))), found[:count])


def test_a_sequence_has_the_same_bits_alone_and_in_any_batch():
    decoder = Decoder.random(named_spec("llama-tiny", **SMALL), torch.bfloat16)
    scene = Scene(decoder, tuple(range(600, 600 + MOST_SEQUENCES)))
    steps = compile_steps(decoder, scene.kv)
    together = steps.logits(scene.next_tokens(range(MOST_SEQUENCES))).clone()
    for count in range(1, MOST_SEQUENCES):
        found = steps.logits(scene.next_tokens(range(count)))
        assert torch.equal(found, together[:count])


def test_other_steps_can_go_on_from_a_page_that_a_compiled_one_began():
    """They read whole pages: what stands behind a sequence's last position must be finite."""
    decoder = Decoder.random(named_spec("llama-tiny", **SMALL), torch.bfloat16)
    scene = Scene(decoder, (16,))
    steps = compile_steps(decoder, scene.kv)
    steps.logits(scene.next_tokens([0]))
    batch = ModelBatch.build([Chunk([5], 17, scene.tables[0])], 16)
    assert decoder.logits(decoder.forward(batch, scene.kv)).isfinite().all()


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_number_of_threads_changes_nothing(threads):
    decoder = Decoder.random(named_spec("llama-tiny", **SMALL), torch.bfloat16)
    scene = Scene(decoder, (30, 40))
    batch = scene.next_tokens([0, 1])
    usual = torch.get_num_threads()
    expected = compile_steps(decoder, scene.kv).logits(batch).clone()
    try:
        torch.set_num_threads(threads)
        steps = compile_steps(decoder, scene.kv)
        for _ in range(20):
            assert torch.equal(steps.logits(batch), expected)
    finally:
        torch.set_num_threads(usual)


def test_what_is_not_covered_is_left_to_the_operations(tmp_path):
    make_model("gpt2").save_pretrained(tmp_path)
    decoders = [
        Decoder.load(tmp_path, torch.bfloat16),
        Decoder.random(named_spec("llama-tiny", **SMALL), torch.float32),
        Decoder.random(named_spec("llama-tiny", **SMALL | {"hidden_size": 72}), torch.bfloat16),
    ]
    for decoder in decoders:
        kv = KvCache.allocate(decoder.spec, 4, 16, decoder.dtype, CPU)
        assert compile_steps(decoder, kv) is None


def test_without_numba_operations_run_instead(monkeypatch):
    for module in (step_choice, interleaved):
        monkeypatch.setattr(module, "has_numba", lambda: False)
    sizes = {"hidden_size": 256, "intermediate_size": 512}
    decoder = Decoder.random(
        named_spec("llama-tiny", **SMALL | sizes), torch.bfloat16, mix=MIXES["q8_0"]
    )
    scene = Scene(decoder, (5,))
    assert compile_steps(decoder, scene.kv) is None
    assert isinstance(decoder.weights.head.parts[0], RawMatrix)
    assert scene.run([Chunk(scene.tokens[0], 0, scene.tables[0])]).isfinite().all()


def adapted_rows(decoder, chosen, ranks=(4, 20)):
    """Random adapters, and those of rows as compiled code and as plain operations read them."""
    adapters = [random_adapter(decoder, rank) for rank in ranks]
    adapters.append(random_adapter(decoder, 16, only=2))
    projections = compiled_projections(decoder)
    laid_out = [projections.laid_out(each) for each in adapters]
    rows = projections.rows([None if own < 0 else laid_out[own] for own in chosen])
    return rows, row_adapters(decoder, adapters, chosen)


def test_rows_have_adapters_of_their_own():
    decoder = Decoder.random(named_spec("llama-tiny", **SMALL), torch.bfloat16)
    scene = Scene(decoder, (30, 7, 100, 1))
    chosen = [1, -1, 0, 2]
    compiled, plain = adapted_rows(decoder, chosen)
    steps = compile_steps(decoder, scene.kv)
    batch = scene.next_tokens(range(4))
    without = steps.logits(batch).clone()
    batch.adapters = compiled
    assert steps.takes(batch)
    found = steps.logits(batch).clone()
    batch.adapters = plain
    last = batch.layout.query_starts[1:].long() - 1
    expected = decoder.logits(decoder.forward(batch, scene.kv)[last])
    torch.testing.assert_close(found, expected, atol=0.02, rtol=0)
    change = [(found[row] - without[row]).norm() / without[row].norm() for row in range(4)]
    assert [each > 0.02 for each in change] == [True, False, True, True]
    assert torch.equal(found[1], without[1])


def test_operations_add_what_compiled_steps_add():
    decoder = Decoder.random(named_spec("llama-tiny", **SMALL), torch.bfloat16)
    chosen = [1, -1, 0, 2, 1] * 7
    compiled, plain = adapted_rows(decoder, chosen)
    for weight in decoder.weights.projections[:4]:
        rows, columns = weight.dense()[0].shape
        x, before = torch.randn(len(chosen), columns), torch.randn(len(chosen), rows)
        found, expected = before.clone(), before.clone()
        compiled.add(x, weight, found)
        plain.add(x, weight, expected)
        torch.testing.assert_close(found, expected, atol=0.02, rtol=0.02)
        assert not torch.equal(found, before)
        assert torch.equal(found[1::5], before[1::5])


def test_adapters_of_rows_change_no_bits_of_others():
    decoder = Decoder.random(named_spec("llama-tiny", **SMALL), torch.bfloat16)
    scene = Scene(decoder, tuple(range(20, 26)))
    chosen = [0, 1, -1, 2, 1, 0]
    steps = compile_steps(decoder, scene.kv)
    projections = compiled_projections(decoder)
    laid_out = [projections.laid_out(random_adapter(decoder, rank)) for rank in (4, 40, 16)]
    own = [None if each < 0 else laid_out[each] for each in chosen]
    batch = scene.next_tokens(range(6))
    batch.adapters = projections.rows(own)
    together = steps.logits(batch).clone()
    for row in range(6):
        alone = scene.next_tokens([row])
        alone.adapters = projections.rows([own[row]])
        assert torch.equal(steps.logits(alone)[0], together[row])
