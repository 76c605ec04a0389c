"""Every family against Hugging Face transformers on random small models, in fp32."""

import pytest
import torch
from family_models import FAMILIES, VOCABULARY, oracle, write_model
from paged import PagedRun
from townsfolk.models import Decoder

TOLERANCE = 1e-4
LENGTHS = (1, 2, 5, 16, 33, 61)
GRID = [
    pytest.param(name, changes, id=f"{name}, {case}")
    for name, family in FAMILIES.items()
    for case, changes in {"usual": {}, **family.grid}.items()
]
WINDOWED = [name for name, family in FAMILIES.items() if family.windowed is not None]


def prompts(rng, lengths=LENGTHS):
    return [[rng.randrange(VOCABULARY) for _ in range(length)] for length in lengths]


def assert_close(found, expected):
    assert found.shape == expected.shape
    assert (found - expected).abs().max().item() < TOLERANCE


def close_in_chunks(model, decoder, rng, sequences):
    """Prefill chunks and decoding, mixed at random."""
    run = PagedRun(decoder, [len(tokens) for tokens in sequences])
    found = {index: [] for index in range(len(sequences))}
    left = dict(enumerate(sequences))
    while left:
        parts = {}
        for index in rng.sample(sorted(left), rng.randint(1, len(left))):
            size = rng.choice([1, 1, 3, 9])
            parts[index], left[index] = left[index][:size], left[index][size:]
        for index, logits in run.step(parts).items():
            found[index].append(logits)
        left = {index: tokens for index, tokens in left.items() if tokens}
    for index, tokens in enumerate(sequences):
        assert_close(torch.cat(found[index]), oracle(model, tokens))


@pytest.mark.parametrize(("name", "changes"), GRID)
def test_logits_equal_transformers(tmp_path, rng, name, changes):
    model = write_model(name, tmp_path, **changes)
    decoder = Decoder.load(tmp_path, torch.float32)
    assert decoder.num_parameters == model.num_parameters()
    # LongRoPE's long factors are those of sequences that reach past the original context.
    original = changes.get("original_max_position_embeddings", 0)
    lengths = (original + 8, original + 40) if 0 < original < 128 else LENGTHS
    close_in_chunks(model, decoder, rng, prompts(rng, lengths))


@pytest.mark.parametrize("name", WINDOWED)
def test_windows(tmp_path, rng, name):
    model = write_model(name, tmp_path, **FAMILIES[name].windowed)
    decoder = Decoder.load(tmp_path, torch.float32)
    assert {layer.attention.window for layer in decoder.spec.layers} & {8}
    close_in_chunks(model, decoder, rng, prompts(rng))


@pytest.mark.parametrize("name", FAMILIES)
def test_bf16_is_as_close_to_fp32_as_transformers_bf16(tmp_path, rng, name):
    exact = write_model(name, tmp_path, hidden_size=128, initializer_range=0.06)
    theirs = type(exact).from_pretrained(tmp_path, dtype=torch.bfloat16).eval()
    decoder = Decoder.load(tmp_path, torch.bfloat16)
    tokens = prompts(rng, [60])[0]
    reference = oracle(exact, tokens)

    def error(logits):
        return (logits.float() - reference).square().mean().sqrt().item()

    run = PagedRun(decoder, [len(tokens)], block_size=16)
    found = [run.step({0: tokens[:40]})[0]]
    found += [run.step({0: [token]})[0] for token in tokens[40:]]
    assert error(torch.cat(found)) < 1.2 * error(oracle(theirs, tokens))
