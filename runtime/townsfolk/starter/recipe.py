"""How the starter model is made: its shape, and the batches it learns from."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random

from townsfolk.starter.corpus.conversation import Conversation, conversation
from townsfolk.starter.corpus.grammar import pick
from townsfolk.starter.corpus.split import Split
from townsfolk.training.cuts import Cuts
from townsfolk.training.encoding import Encoder, Example
from townsfolk.training.packing import Batch, pack
from townsfolk.training.script import Script

SHAPE = {
    "vocab_size": 4096,
    "hidden_size": 512,
    "intermediate_size": 896,
    "num_hidden_layers": 8,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "max_position_embeddings": 2048,
}
"""18.4 million parameters: 19.5 MB in 8.5 bits. Few wide layers, for speed on a CPU."""

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
_CUT_SHARES = (0.0, 0.0, 0.1, 0.3)
"""How many words of a conversation are cut: in half of them none, as at run time."""


def script(told: Conversation) -> Script:
    """Return the conversation as training data."""
    return Script(told.persona, tuple(told.world.lore), told.transcript, told.actions)


def tokenizer_texts(edition: int = 1) -> Iterator[str]:
    """Text to train the tokenizer of an edition on."""
    for index in range(_TOKENIZER_CONVERSATIONS):
        told = conversation(f"tokenizer:{index}", edition=edition)
        for message in script(told).messages():
            yield message["role"]
            yield message["content"]


@cache
def _encoder(folder: Path) -> Encoder:
    return Encoder.from_directory(folder)


def batch(folder: Path, seed: int, rows: int, length: int, step: int, *, edition: int = 1) -> Batch:
    """Return the batch of a step: conversations made for it alone, packed.

    Args:
        folder: Where the tokenizer's files are.
        seed: Seed of the run.
        rows: Rows in a batch.
        length: Tokens in a row.
        step: Number of the step.
        edition: Of the corpus; the second one's words arrive in other pieces, too.
    """
    encoder = _encoder(folder)

    def example(number: int) -> Example:
        told = conversation(f"{seed}:{step}:{number}", Split.TRAIN, edition)
        return encoder(script(told), _cuts(f"{seed}:{step}:{number}") if edition == 2 else None)

    return _filled(example, rows, length)


def validation_batch(folder: Path, rows: int, length: int, *, edition: int = 1) -> Batch:
    """Conversations of held-out people, in the tokenizer's own pieces."""
    encoder = _encoder(folder)

    def example(number: int) -> Example:
        return encoder(script(conversation(f"validation:{number}", Split.HELD_OUT, edition)))

    return _filled(example, rows, length)


def _cuts(seed: str) -> Cuts:
    rng = Random(f"{seed}:cuts")
    return Cuts(rng, pick(rng, _CUT_SHARES))


def _filled(example: Callable[[int], Example], rows: int, length: int) -> Batch:
    examples: list[Example] = []
    missing = rows * (length + 1)
    while missing > 0:
        examples.append(example(len(examples)))
        missing -= len(examples[-1].tokens)
    return pack(examples, length, rows)
