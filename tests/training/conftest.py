from pathlib import Path
from typing import Any

import pytest
import torch
from townsfolk.dialogue.persona import Persona
from townsfolk.dialogue.transcript import EntryKind, TranscriptEntry
from townsfolk.training import tokenizer as tokenizers
from townsfolk.training.encoding import Encoder
from townsfolk.training.script import Script


@pytest.fixture(scope="session")
def scripts() -> list[Script]:
    """A few short conversations."""
    people = ("Mira", "Bram", "Orla", "Wren", "Drax", "Pip")
    return [
        Script(
            Persona(name=name, description=f"A baker from {name}ford."),
            ("The sea is near.",) if number % 2 else (),
            (
                TranscriptEntry(kind=EntryKind.HEARD, speaker="Player", text="Hello! Who are you?"),
                TranscriptEntry(kind=EntryKind.SPOKE, text=f"I'm {name}, the baker."),
                TranscriptEntry(kind=EntryKind.EVENT, text="It begins to rain."),
                TranscriptEntry(kind=EntryKind.HEARD, speaker="Player", text="Where do you live?"),
                TranscriptEntry(kind=EntryKind.SPOKE, text=f"I live in {name}ford."),
            ),
        )
        for number, name in enumerate(people)
    ]


@pytest.fixture(scope="session")
def folder(tmp_path_factory, scripts) -> Path:
    """A directory with a small tokenizer's files."""
    path = tmp_path_factory.mktemp("tokenizer")
    texts = [
        part
        for script in scripts
        for message in script.messages()
        for part in (message["role"], message["content"])
    ]
    tokenizers.save(tokenizers.train(texts, 400), path, 512)
    return path


@pytest.fixture(scope="session")
def encoder(folder) -> Encoder:
    return Encoder.from_directory(folder)


@pytest.fixture
def one_thread():
    """Small shapes: threads cost more than they bring, and the machine is shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def config() -> dict[str, Any]:
    """A tiny model with grouped queries and heads that don't divide the hidden size."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": 400,
        "hidden_size": 48,
        "intermediate_size": 80,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 512,
        "tie_word_embeddings": True,
    }
