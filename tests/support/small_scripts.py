"""Fixtures of tests that train: a few conversations, their tokenizer, one thread."""

from pathlib import Path

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
