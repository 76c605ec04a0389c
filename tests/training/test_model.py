import json
from dataclasses import replace

import pytest
import torch
from townsfolk.training.checkpoint import load_model, save_model
from townsfolk.training.model import (
    Llama,
    LlamaConfig,
    UnsupportedConfigError,
    document_mask,
    document_positions,
)
from transformers import LlamaForCausalLM

GENERATION = {"bos_token_id": 0, "eos_token_id": [4, 1]}


def logits(model, tokens, documents):
    return model(tokens, document_positions(documents), document_mask(documents, blockwise=False))


@pytest.mark.parametrize("tied", [True, False])
def test_saved_model_gives_transformers_logits(tmp_path, config, tied):
    torch.manual_seed(0)
    model = Llama(replace(config, tie_word_embeddings=tied))
    save_model(model, tmp_path, "float32", GENERATION)
    theirs = LlamaForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    tokens = torch.randint(400, (2, 37))
    ours = logits(model, tokens, torch.ones_like(tokens))
    torch.testing.assert_close(ours, theirs(tokens).logits, atol=1e-4, rtol=0)


def test_a_document_in_a_row_is_as_if_alone(config):
    torch.manual_seed(1)
    model = Llama(config)
    tokens = torch.randint(400, (1, 50))
    documents = torch.tensor([[1] * 13 + [2] * 30 + [0] * 7])
    packed = logits(model, tokens, documents)[:, 13:43]
    alone = logits(model, tokens[:, 13:43], torch.ones(1, 30, dtype=torch.long))
    torch.testing.assert_close(packed, alone, atol=1e-5, rtol=0)


def test_loading_gives_the_same_weights(tmp_path, config):
    model = Llama(config)
    save_model(model, tmp_path, "float32", GENERATION)
    for name, weight in load_model(tmp_path).weights().items():
        assert torch.equal(weight, model.weights()[name]), name


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model_type", "mistral"),
        ("rope_scaling", {"rope_type": "llama3", "factor": 8.0}),
        ("attention_bias", True),
        ("hidden_act", "gelu"),
    ],
)
def test_what_cannot_be_trained_is_refused_by_name(config, field, value):
    values = json.loads(json.dumps(config.to_json("float32", 0, [1])))
    values[field] = value
    with pytest.raises(UnsupportedConfigError, match=field):
        LlamaConfig.from_json(values)


def test_heads_must_divide(config):
    with pytest.raises(UnsupportedConfigError, match="num_key_value_heads"):
        replace(config, num_key_value_heads=3)
