"""How the starter model is made: its shape, and the batches it learns from."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from townsfolk.starter.corpus.conversation import Conversation, conversation
from townsfolk.starter.corpus.split import Split
from townsfolk.training.encoding import Encoder, Example
from townsfolk.training.packing import Batch, pack
from townsfolk.training.script import Script

SHAPE = {
    "vocab_size": 4096,
    "hidden_size": 384,
    "intermediate_size": 704,
    "num_hidden_layers": 6,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "max_position_embeddings": 2048,
}
"""8.8 million parameters: 18 MB in bf16. Few wide layers, for speed on a CPU."""

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_act": "silu",
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "attention_bias": False,
    "attention_dropout": 0.0,
    "mlp_bias": False,
}
"""What else `config.json` says."""

_TOKENIZER_CONVERSATIONS = 20_000


def script(told: Conversation) -> Script:
    """The conversation as training data."""
    return Script(told.persona, tuple(told.world.lore), told.transcript)


def tokenizer_texts() -> Iterator[str]:
    """Text to train the tokenizer on."""
    for index in range(_TOKENIZER_CONVERSATIONS):
        for message in script(conversation(f"tokenizer:{index}")).messages():
            yield message["role"]
            yield message["content"]


@cache
def _encoder(folder: Path) -> Encoder:
    return Encoder.from_directory(folder)


def batch(folder: Path, seed: int, rows: int, length: int, step: int) -> Batch:
    """The batch of a step: conversations made for it alone, packed.

    Args:
        folder: Where the tokenizer's files are.
        seed: Seed of the run.
        rows: Rows in a batch.
        length: Tokens in a row.
        step: Number of the step.
    """
    return _fill(_encoder(folder), f"{seed}:{step}", Split.TRAIN, rows, length)


def validation_batch(folder: Path, rows: int, length: int) -> Batch:
    """Conversations of held-out people."""
    return _fill(_encoder(folder), "validation", Split.HELD_OUT, rows, length)


def _fill(encoder: Encoder, seed: str, split: Split, rows: int, length: int) -> Batch:
    examples: list[Example] = []
    missing = rows * (length + 1)
    while missing > 0:
        examples.append(encoder(script(conversation(f"{seed}:{len(examples)}", split))))
        missing -= len(examples[-1].tokens)
    return pack(examples, length, rows)
