"""A byte-level BPE tokenizer with Llama 3's control tokens, trained from text.

Words that begin with a capital never take the space before them into their first token. So a name
is cut into the same tokens at the start of a line, after a space and after a quotation mark, and a
small model can copy a name that it has never seen. Digits stand alone for the same reason.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

BEGIN, END = "<|begin_of_text|>", "<|end_of_text|>"
START_HEADER, END_HEADER, END_TURN = "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"
CONTROL_TOKENS = (BEGIN, END, START_HEADER, END_HEADER, END_TURN)

LEAST_SIZE = 256 + len(CONTROL_TOKENS)
"""Each byte and each control token has a token."""

CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'"
    " + message['content'] | trim + '<|eot_id|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)

_WORDS = Regex(
    r"'(?:s|t|re|ve|m|ll|d)(?!\p{L})"  # contractions
    r"| ?\p{Ll}[\p{L}\p{M}]*"  # a word in lower case takes its space along
    r"|[\p{L}\p{M}]+"  # any other word does not
    r"|\p{N}"
    r"| ?[^\s\p{L}\p{M}\p{N}]+"
    r"|\s*[\r\n]+"
    r"|\s+(?!\S)|\s"
)


def train(texts: Iterable[str] | Iterator[str], vocab_size: int) -> Tokenizer:
    """Return a tokenizer of this size (if the text is rich enough), control tokens first."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(_WORDS, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[
            AddedToken(token, special=True, normalized=False) for token in CONTROL_TOKENS
        ],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def save(tokenizer: Tokenizer, folder: Path, context: int) -> None:
    """Write tokenizer.json, tokenizer_config.json with the template, generation_config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    ids = {token: tokenizer.token_to_id(token) for token in CONTROL_TOKENS}
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BEGIN,
        "eos_token": END_TURN,
        "add_bos_token": True,
        "clean_up_tokenization_spaces": False,
        "model_max_length": context,
        "chat_template": CHAT_TEMPLATE,
    }
    generation = {
        "bos_token_id": ids[BEGIN],
        "eos_token_id": [ids[END_TURN], ids[END]],
        "do_sample": True,
        "temperature": 0.7,
        "top_p": 0.9,
    }
    for name, values in (("tokenizer_config", config), ("generation_config", generation)):
        (folder / f"{name}.json").write_text(json.dumps(values, indent=2) + "\n")
