"""Loading: files, dtypes, what does not fit."""

import pytest
import torch
from paged import PagedRun
from safetensors.torch import load_file, save_file
from townsfolk.checkpoint import CheckpointError
from townsfolk.models import Decoder, loading, named_spec, read_config
from transformers import LlamaConfig, LlamaForCausalLM

TOKENS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5]


@pytest.fixture
def model():
    torch.manual_seed(2)
    config = LlamaConfig(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.2,
    )
    return LlamaForCausalLM(config).eval()


@pytest.fixture
def directory(model, tmp_path):
    model.save_pretrained(tmp_path)
    return tmp_path


def logits(decoder):
    return PagedRun(decoder, [len(TOKENS)]).step({0: TOKENS})[0]


@torch.no_grad()
def expected(model):
    return model(torch.tensor([TOKENS])).logits[0]


def rewrite(directory, change):
    """Change the tensors of a checkpoint."""
    path = directory / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def test_sharded_files(model, tmp_path):
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    assert (logits(Decoder.load(tmp_path)) - expected(model)).abs().max() < 1e-4


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("stored", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("wanted", [torch.bfloat16, torch.float16, torch.float32, None])
def test_dtypes(tmp_path, stored, wanted, tied):
    torch.manual_seed(2)
    config = LlamaConfig(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        tie_word_embeddings=tied,
        initializer_range=0.1,
    )
    model = LlamaForCausalLM(config).to(stored).eval()
    model.save_pretrained(tmp_path)
    decoder = Decoder.load(tmp_path, wanted)
    assert decoder.precision.weights == (wanted or stored)
    found = logits(decoder)
    assert found.dtype == torch.float32
    close = 5e-2 if torch.bfloat16 in (decoder.dtype, decoder.precision.weights) else 5e-3
    reference = expected(model.float())
    assert (found - reference).abs().max() < close * reference.abs().max()


def test_progress_counts_every_byte_once(directory, model):
    calls = []
    decoder = Decoder.load(directory, progress=lambda done, total: calls.append((done, total)))
    total = sum(parameter.nbytes for parameter in model.parameters())
    assert calls[-1] == (total, total)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert decoder.num_parameters == sum(p.numel() for p in model.parameters())


def test_a_long_load_is_logged(directory, monkeypatch, caplog):
    monkeypatch.setattr(loading, "_LOG_EVERY_S", 0)
    with caplog.at_level("INFO", logger=loading.__name__):
        Decoder.load(directory, progress=loading.log_progress())
    assert caplog.messages[-1] == "loading the model: 100% of 0.0 GB"
    assert len(caplog.messages) > 10


def test_the_embedding_stays_in_the_mapped_file(directory):
    decoder = Decoder.load(directory, torch.bfloat16)
    assert decoder.weights.embedding.dtype == torch.float32


def test_missing_unexpected_and_misshapen_tensors_are_named(directory):
    def change(tensors):
        del tensors["model.norm.weight"]
        tensors["model.layers.9.mlp.up_proj.weight"] = torch.zeros(2, 2)
        tensors["lm_head.weight"] = torch.zeros(49, 32)
        tensors["model.layers.0.mlp.up_proj.weight"] = torch.zeros(64, 32, dtype=torch.float64)

    rewrite(directory, change)
    with pytest.raises(CheckpointError) as caught:
        Decoder.load(directory)
    message = str(caught.value)
    assert "missing: model.norm.weight" in message
    assert "unexpected: model.layers.9.mlp.up_proj.weight" in message
    assert "lm_head.weight is [49, 32], the configuration says [50, 32]" in message
    assert "model.layers.0.mlp.up_proj.weight is F64" in message


def test_inverse_frequencies_of_old_checkpoints_are_ignored(directory, model):
    name = "model.layers.0.self_attn.rotary_emb.inv_freq"
    rewrite(directory, lambda tensors: tensors.update({name: torch.zeros(4)}))
    assert (logits(Decoder.load(directory)) - expected(model)).abs().max() < 1e-4


def test_random_weights_depend_on_the_seed_alone(directory):
    spec = Decoder.load(directory).spec
    first, again = Decoder.random(spec, seed=1), Decoder.random(spec, seed=1)
    assert torch.equal(logits(first), logits(again))
    assert not torch.equal(logits(first), logits(Decoder.random(spec, seed=2)))


def test_ids_outside_the_vocabulary_are_refused(directory):
    with pytest.raises(IndexError):
        PagedRun(Decoder.load(directory), [2]).step({0: [50, 1]})


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("llama-160m", 162e6),
        ("smollm2-135m", 134.5e6),
        ("llama-3.2-1b", 1.236e9),
        ("llama-3.1-8b", 8.03e9),
        ("qwen3-0.6b", 596e6),
        ("qwen3-4b", 4.02e9),
        ("gemma-3-1b", 1.0e9),
    ],
)
def test_named_shapes_have_the_sizes_of_their_models(name, parameters):
    assert named_spec(name).num_parameters == pytest.approx(parameters, rel=0.01)


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("tied", [False, True])
def test_parameters_are_counted_as_in_transformers(tied, biases):
    fields = {
        "vocab_size": 50,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "tie_word_embeddings": tied,
        "attention_bias": biases,
        "mlp_bias": biases,
    }
    theirs = LlamaForCausalLM(LlamaConfig(**fields))
    ours = read_config({"architectures": ["LlamaForCausalLM"], **fields}).spec
    assert ours.num_parameters == theirs.num_parameters()
