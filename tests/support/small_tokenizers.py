"""Small real tokenizers, trained on the spot, in the forms that model releases come in."""

import json
import random
from pathlib import Path

from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from tokenizers.models import BPE

LLAMA3_SPECIALS = [
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
]
LLAMA3_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
    "{{ m.content }}<|eot_id|>{% endfor %}"
)
LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def corpus(lines: int = 400) -> list[str]:
    """Sentences with a rich alphabet, the same in every run."""
    rng = random.Random(7)
    words = [
        "the",
        "innkeeper",
        "Marta",
        "pours",
        "a",
        "mug",
        "of",
        "ale",
        "for",
        "you",
        "traveller",
        "and",
        "tells",
        "of",
        "wolves",
        "in",
        "the",
        "northern",
        "woods",
        "<s>",
        "</s>",
        "<",
        "s",
        ">",
        "<|",
        "eot",
        "|>",
        "eot_id",
        "begin_of_text",
        "12",
        "gold",
        "coins",
        "don't",
        "won't",
        "café",
        "naïve",
        "酒場",
        "こんにちは",
        "привет",
    ]
    return [" ".join(rng.choices(words, k=12)) + rng.choice(".!?") for _ in range(lines)]


def save(tokenizer: Tokenizer, directory: Path, settings: dict, **files: dict) -> Path:
    """Writes a model directory without weights; `files` are further JSON files by stem."""
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(directory / "tokenizer.json"))
    for stem, content in {"tokenizer_config": settings, **files}.items():
        (directory / f"{stem}.json").write_text(json.dumps(content), encoding="utf-8")
    return directory


def byte_level(directory: Path, vocab_size: int = 600) -> Path:
    """As Llama 3.1: specials beyond the BPE vocabulary, `ignore_merges`, no normalizer."""
    tokenizer = Tokenizer(BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(pattern=_regex(LLAMA3_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.add_special_tokens(LLAMA3_SPECIALS)
    ids = [tokenizer.token_to_id(name) for name in LLAMA3_SPECIALS]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{LLAMA3_SPECIALS[0]} $A", special_tokens=[(LLAMA3_SPECIALS[0], ids[0])]
    )
    return save(
        tokenizer,
        directory,
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": LLAMA3_SPECIALS[0],
            "eos_token": LLAMA3_SPECIALS[1],
            "chat_template": LLAMA3_TEMPLATE,
        },
        config={"eos_token_id": ids[1], "bos_token_id": ids[0], "model_type": "llama"},
        generation_config={"eos_token_id": [ids[1], ids[4]]},
    )


def byte_fallback(directory: Path, *, form: str, vocab_size: int = 700) -> Path:
    """As Llama 2 and Mistral: SentencePiece-style pieces, `<unk> <s> </s>` and 256 byte tokens.

    Args:
        directory: where to write it.
        form: `normalizer` (Llama 2, Mistral 0.1: spaces by a normalizer), `first` (Mistral 0.3:
            Metaspace before the first word of a text) or `always` (Metaspace, every part).
        vocab_size: pieces in all.
    """
    specials = ["<unk>", "<s>", "</s>"]
    bytes_ = [f"<0x{n:02X}>" for n in range(256)]
    trainer_model = Tokenizer(BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    trainer_model.normalizer = normalizers.Sequence(
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=[*specials, *bytes_], show_progress=False
    )
    # Real corpora keep control symbols out; here some are in, so that merges may spell them.
    trainer_model.train_from_iterator(corpus(), trainer)
    model = json.loads(trainer_model.to_str())["model"]
    merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in model["merges"]]
    for left, right in (("<", "s"), ("<s", ">"), ("<", "/"), ("</", "s"), ("</s", ">")):
        for piece in (left, right):
            model["vocab"].setdefault(piece, len(model["vocab"]))
        if (left, right) not in merges:
            merges.append((left, right))
    tokenizer = Tokenizer(
        BPE(model["vocab"], merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    )
    if form == "normalizer":
        tokenizer.normalizer = trainer_model.normalizer
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=form, split=False)
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("\u2581", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    tokenizer.add_special_tokens([AddedToken(s, normalized=False) for s in specials])
    return save(
        tokenizer,
        directory,
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": {"content": "<s>"},
            "eos_token": {"content": "</s>"},
            "unk_token": "<unk>",
        },
        config={"eos_token_id": 2, "bos_token_id": 1, "model_type": "llama"},
    )


def _regex(pattern: str) -> object:
    from tokenizers import Regex

    return Regex(pattern)
