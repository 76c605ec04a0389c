"""Compiled decode steps on the CPU, against the decoder's forward."""

import pytest
import torch
from family_models import FAMILIES, make_model
from townsfolk.kv import KvCache
from townsfolk.models import Chunk, Decoder, ModelBatch, decode_step, named_spec
from townsfolk.models.compiled_decode import MOST_SEQUENCES
from townsfolk.models.decode_step import compile_steps
from townsfolk.models.mixes import MIXES
from townsfolk_kernels.cpu import linear as linear_cpu
from townsfolk_kernels.quantized import interleaved
from townsfolk_kernels.quantized.matrix import RawMatrix

CPU = torch.device("cpu")
COVERED = [name for name in FAMILIES if name != "gpt2"]
SMALL = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "vocab_size": 203,  # no multiple of 16
}


class Scene:
    """Sequences in shuffled pages, none of which holds a number yet."""

    def __init__(self, decoder, lengths, block_size=16):
        blocks = max(lengths) // block_size + 2
        self.decoder, self.lengths, self.block_size = decoder, lengths, block_size
        count = blocks * len(lengths)
        self.kv = KvCache.allocate(decoder.spec, count, block_size, decoder.dtype, CPU)
        for pages in self.kv.k + self.kv.v:
            pages.fill_(torch.nan)
        self.tables = torch.randperm(count).view(len(lengths), blocks).tolist()
        vocabulary = decoder.spec.vocab_size
        self.tokens = [torch.randint(vocabulary, (length + 1,)).tolist() for length in lengths]
        prompts = zip(self.tokens, self.tables, strict=True)
        self.run([Chunk(tokens[:-1], 0, table) for tokens, table in prompts])

    def run(self, chunks):
        batch = ModelBatch.build(chunks, self.block_size)
        hidden = self.decoder.forward(batch, self.kv)
        return self.decoder.logits(hidden[batch.layout.query_starts[1:].long() - 1])

    def next_tokens(self, rows):
        chunks = [Chunk(self.tokens[row][-1:], self.lengths[row], self.tables[row]) for row in rows]
        return ModelBatch.build(chunks, self.block_size)


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
    torch.manual_seed(torch.seed())
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
    for module in (decode_step, interleaved):
        monkeypatch.setattr(module, "has_numba", lambda: False)
    sizes = {"hidden_size": 256, "intermediate_size": 512}
    decoder = Decoder.random(
        named_spec("llama-tiny", **SMALL | sizes), torch.bfloat16, mix=MIXES["q8_0"]
    )
    scene = Scene(decoder, (5,))
    assert compile_steps(decoder, scene.kv) is None
    assert isinstance(decoder.weights.head.parts[0], RawMatrix)
    assert scene.run([Chunk(scene.tokens[0], 0, scene.tables[0])]).isfinite().all()
