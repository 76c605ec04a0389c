"""The tokenizer of a GGUF file, from its metadata, in the form of Hugging Face's files."""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from townsfolk.text.files import TokenizerError, TokenizerFiles
from townsfolk.text.vocabulary import SPACE_SYMBOL

logger = logging.getLogger(__name__)

_TOKENIZER = "tokenizer.ggml."
# Kinds of tokens, as SentencePiece has them.
NORMAL, _UNKNOWN, CONTROL, _USER_DEFINED = 1, 2, 3, 4
_NAMED = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}
_ENDS = ("eos_token_id", "eot_token_id", "eom_token_id")


def tokenizer_files(metadata: Mapping[str, Any]) -> TokenizerFiles:
    """Return what a Hugging Face directory would say of this tokenizer.

    Args:
        metadata: Values by key.

    Raises:
        TokenizerError: The tokenizer is missing, broken or of a kind that is not supported.
    """
    source = _Metadata(metadata)
    kind = source.text(f"{_TOKENIZER}model")
    if kind == "llama":
        model = _sentencepiece(source)
        begins = True
    elif kind == "gpt2":
        style = _style(source)
        model = _byte_level(source, style)
        begins = bool(style.get("begins"))
    else:
        raise TokenizerError(f"the tokenizer is of the kind {kind!r}; llama and gpt2 are supported")
    tokens = source.tokens
    ids = {name: source.token_id(f"{field}_token_id") for name, field in _NAMED.items()}
    settings: dict[str, Any] = {
        f"{name}_token": tokens[token_id] for name, token_id in ids.items() if token_id is not None
    }
    settings["add_bos_token"] = source.flag("add_bos_token", begins)
    ends = [source.token_id(field) for field in _ENDS]
    return TokenizerFiles(
        spec={**model, "added_tokens": _added_tokens(source)},
        settings=settings,
        config={},
        generation={"eos_token_id": [end for end in dict.fromkeys(ends) if end is not None]},
        chat_template=_chat_template(metadata),
    )


class _Metadata:
    """Checked access to what the metadata say of the tokenizer."""

    def __init__(self, metadata: Mapping[str, Any]) -> None:
        self._metadata = metadata
        self.tokens = self.texts("tokens")
        kinds = metadata.get(f"{_TOKENIZER}token_type")
        self.kinds = [NORMAL] * len(self.tokens) if kinds is None else self.numbers("token_type")

    def text(self, key: str) -> str:
        value = self._metadata.get(key)
        if not isinstance(value, str):
            raise TokenizerError(f"{key} must be a text, not {value!r}")
        return value

    def texts(self, field: str) -> list[str]:
        value = self._metadata.get(f"{_TOKENIZER}{field}")
        if not isinstance(value, list) or not value:
            raise TokenizerError(f"{_TOKENIZER}{field} must be a list of texts")
        return value

    def numbers(self, field: str) -> list[Any]:
        """Return a number for each token."""
        value: Any = self._metadata.get(f"{_TOKENIZER}{field}")
        is_array = hasattr(value, "tolist")  # numbers come as numpy arrays
        count = len(value) if is_array else 0
        if not is_array or count != len(self.tokens):
            raise TokenizerError(
                f"{_TOKENIZER}{field} has {count} numbers for {len(self.tokens)} tokens"
            )
        numbers: list[Any] = value.tolist()
        return numbers

    def flag(self, field: str, otherwise: bool) -> bool:
        value = self._metadata.get(f"{_TOKENIZER}{field}", otherwise)
        if not isinstance(value, bool):
            raise TokenizerError(f"{_TOKENIZER}{field} must be true or false, not {value!r}")
        return value

    def token_id(self, field: str) -> int | None:
        value = self._metadata.get(f"{_TOKENIZER}{field}")
        if value is None:
            return None
        if not isinstance(value, int) or not 0 <= value < len(self.tokens):
            raise TokenizerError(
                f"{_TOKENIZER}{field} is {value!r}, but there are {len(self.tokens)} tokens"
            )
        return value

    def vocab(self) -> dict[str, int]:
        """Return ids by token; where several tokens have one text, that of the first."""
        vocab: dict[str, int] = {}
        for token_id, token in enumerate(self.tokens):
            vocab.setdefault(token, token_id)
        return vocab


def _sentencepiece(source: _Metadata) -> dict[str, Any]:
    """Return pieces with scores, where the pair whose piece has the best score is merged first."""
    vocab, scores = source.vocab(), source.numbers("scores")
    unknown = source.token_id("unknown_token_id")
    prefix = source.flag("add_space_prefix", True)
    spaces = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE_SYMBOL}
    back = {"type": "Replace", "pattern": {"String": SPACE_SYMBOL}, "content": " "}
    strip = [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] if prefix else []
    prepend = [{"type": "Prepend", "prepend": SPACE_SYMBOL}] if prefix else []
    return {
        "version": "1.0",
        "normalizer": {"type": "Sequence", "normalizers": [*prepend, spaces]},
        "pre_tokenizer": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [back, {"type": "ByteFallback"}, {"type": "Fuse"}, *strip],
        },
        "model": {
            "type": "BPE",
            "vocab": vocab,
            "merges": _merges(source, vocab, scores),
            "unk_token": None if unknown is None else source.tokens[unknown],
            "fuse_unk": True,
            "byte_fallback": True,
        },
    }


def _merges(
    source: _Metadata, vocab: Mapping[str, int], scores: Sequence[float]
) -> list[tuple[str, str]]:
    """Return all pairs of pieces that make a piece, that of the best score first."""
    pieces = [
        token_id
        for token_id, (token, kind) in enumerate(zip(source.tokens, source.kinds, strict=True))
        if kind == NORMAL and vocab[token] == token_id
    ]
    pieces.sort(key=lambda token_id: -scores[token_id])  # stable: then by id
    return [pair for token_id in pieces for pair in _pairs(source.tokens[token_id], vocab)]


def _pairs(piece: str, vocab: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    pairs = (
        (left, right)
        for cut in range(1, len(piece))
        if (left := piece[:cut]) in vocab and (right := piece[cut:]) in vocab
    )
    return iter(sorted(pairs, key=lambda pair: (vocab[pair[0]], vocab[pair[1]])))


def _byte_level(source: _Metadata, style: Mapping[str, Any]) -> dict[str, Any]:
    """Return tokens in the byte alphabet, with merges."""
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    splits = [
        {"type": "Split", "pattern": {"Regex": split}, "behavior": "Isolated", "invert": False}
        for split in style["split"]
    ]
    vocab = source.vocab()
    merges = []
    for merge in source.texts("merges"):
        left, _, right = merge.partition(" ")
        if left in vocab and right in vocab and left + right in vocab:
            merges.append((left, right))
    normalizer = style.get("normalizer")
    return {
        "version": "1.0",
        "normalizer": {"type": normalizer} if normalizer else None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [*splits, {**byte_level, "use_regex": False}],
        },
        "decoder": {**byte_level, "use_regex": True},
        "model": {
            "type": "BPE",
            "vocab": vocab,
            "merges": merges,
            "ignore_merges": bool(style.get("whole_words")),
            "byte_fallback": False,
        },
    }


def _style(source: _Metadata) -> Mapping[str, Any]:
    """Return how the text is cut into words, by the name in the file."""
    name = source.text(f"{_TOKENIZER}pre")
    styles = _styles()
    if name not in styles:
        raise TokenizerError(
            f"{_TOKENIZER}pre is {name!r}, a way to cut words that is not known; known are "
            + ", ".join(styles)
        )
    return styles[name]


@cache
def _styles() -> dict[str, Mapping[str, Any]]:
    text = (files("townsfolk.text") / "pre_tokenizers.toml").read_text(encoding="utf-8")
    return {
        name: style for style in tomllib.loads(text)["pre_tokenizer"] for name in style["names"]
    }


def _added_tokens(source: _Metadata) -> list[dict[str, Any]]:
    """Return tokens that are looked for in the text itself: control tokens, and those of users."""
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    vocab = source.vocab()
    return [
        {"id": token_id, "content": token, **flags, "special": kind != _USER_DEFINED}
        for token_id, (token, kind) in enumerate(zip(source.tokens, source.kinds, strict=True))
        if kind in (_UNKNOWN, CONTROL, _USER_DEFINED) and token and vocab[token] == token_id
    ]


def _chat_template(metadata: Mapping[str, Any]) -> str | None:
    template = metadata.get("tokenizer.chat_template")
    named = metadata.get("tokenizer.chat_templates")
    if template is None and isinstance(named, list) and named:
        logger.warning(
            "the file has chat templates (%s) but no default one: the model is prompted as a base "
            "model, with a script",
            ", ".join(map(str, named)),
        )
    if template is not None and not isinstance(template, str):
        raise TokenizerError(f"tokenizer.chat_template must be a text, not {template!r}")
    return template
