"""The trainable decoder against Hugging Face transformers: logits and gradients, in fp32."""

import pytest
import torch
from family_models import FAMILIES, VOCABULARY, write_model
from gguf_files import random_model
from quantized_checkpoints import write_quantized
from townsfolk.models import Decoder, UnsupportedModelError
from townsfolk.training.checkpoint import load_model, save_model
from townsfolk.training.model import TrainableDecoder
from townsfolk.training.ops import document_masks, document_positions
from transformers import AutoModelForCausalLM

GENERATION = {"bos_token_id": 0, "eos_token_id": [4, 1]}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
ROPES = {
    "linear": {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0}},
    "dynamic": {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 4.0}},
    "llama3": {"rope_parameters": LLAMA3},
}
GRID = [
    pytest.param(name, changes, id=f"{name}, {case}")
    for name, family in FAMILIES.items()
    for case, changes in {
        "usual": {},
        **family.grid,
        **({"windowed": family.windowed} if family.windowed else {}),
        **(ROPES if name == "llama" else {}),
    }.items()
]


def logits(model, tokens, documents):
    masks = document_masks(documents, model.spec, blockwise=False)
    return model(tokens, document_positions(documents), masks)


@pytest.mark.parametrize(("name", "changes"), GRID)
def test_logits_and_gradients_are_those_of_transformers(tmp_path, name, changes):
    theirs = write_model(name, tmp_path, **changes)
    ours = load_model(tmp_path)
    tokens = torch.randint(VOCABULARY, (2, 37))
    if changes.get("original_max_position_embeddings") == 32:
        tokens = torch.randint(VOCABULARY, (2, 50))  # their long factors are for long rows
    found, expected = logits(ours, tokens, torch.ones_like(tokens)), theirs(tokens).logits
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    wanted = torch.randn_like(expected)
    (found * wanted).sum().backward()
    (expected * wanted).sum().backward()
    of_theirs = {each: parameter.grad for each, parameter in theirs.named_parameters()}
    for each, parameter in ours.named_parameters():
        error = (parameter.grad - of_theirs[each]).norm()
        # Keys' biases without rotary embedding change nothing: their gradients are noise.
        assert error < 1e-3 * of_theirs[each].norm() + 1e-3, each


@pytest.mark.parametrize("tied", [True, False])
def test_a_saved_model_is_read_by_the_engine_and_by_transformers(tmp_path, config, tied):
    torch.manual_seed(0)
    model = TrainableDecoder(config | {"tie_word_embeddings": tied})
    save_model(model, tmp_path, "float32", GENERATION)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    tokens = torch.randint(400, (2, 37))
    ours = logits(model, tokens, torch.ones_like(tokens))
    torch.testing.assert_close(ours, theirs(tokens).logits, atol=1e-4, rtol=0)
    assert Decoder.load(tmp_path).spec.eos_ids == {1, 4}


def test_a_document_in_a_row_is_as_if_alone(config):
    torch.manual_seed(1)
    model = TrainableDecoder(config)
    tokens = torch.randint(400, (1, 50))
    documents = torch.tensor([[1] * 13 + [2] * 30 + [0] * 7])
    packed = logits(model, tokens, documents)[:, 13:43]
    alone = logits(model, tokens[:, 13:43], torch.ones(1, 30, dtype=torch.long))
    torch.testing.assert_close(packed, alone, atol=1e-5, rtol=0)


def test_loading_gives_the_same_weights(tmp_path, config):
    model = TrainableDecoder(config)
    save_model(model, tmp_path, "float32", GENERATION)
    for name, weight in load_model(tmp_path).weights().items():
        assert torch.equal(weight, model.weights()[name]), name


def test_a_model_in_several_files_is_trained_too(tmp_path):
    theirs = write_model("llama", tmp_path)
    theirs.save_pretrained(tmp_path / "parts", max_shard_size="20KB")
    for name, weight in load_model(tmp_path / "parts").weights().items():
        assert torch.equal(weight, theirs.state_dict()[name]), name


def test_what_is_quantised_is_not_trained(tmp_path):
    config = {"quant_method": "gptq", "bits": 4}
    write_quantized(
        *(tmp_path, random_model("llama"), "gptq", config), bits=4, group=32, symmetric=True
    )
    with pytest.raises(UnsupportedModelError, match="is quantised, and what is rounded"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [("architectures", ["MambaForCausalLM"]), ("hidden_act", "mish"), ("num_key_value_heads", 3)],
)
def test_what_cannot_be_trained_is_refused_by_name(config, field, value):
    with pytest.raises(
        UnsupportedModelError, match=str(value[0] if isinstance(value, list) else field)
    ):
        TrainableDecoder(config | {field: value})
