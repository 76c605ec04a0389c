"""`tokenizer.json` as data: what is checked and changed before the library reads it."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import tokenizers

from townsfolk.text.files import TokenizerError

logger = logging.getLogger(__name__)

SPACE_SYMBOL = "\u2581"  # SentencePiece writes a space so
_PRINTABLE = range(0x20, 0x7F)
# Bytes that no UTF-8 text has (Unicode standard, table 3-7).
_NEVER_IN_UTF8 = frozenset({0xC0, 0xC1, *range(0xF5, 0x100)})


def _byte_alphabet() -> dict[str, int]:
    """Return the printable character for each byte in a byte-level vocabulary (GPT-2's)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    alphabet = {chr(byte): byte for byte in printable}
    alphabet |= {chr(0x100 + n): byte for n, byte in enumerate(others)}
    return alphabet


BYTE_ALPHABET = _byte_alphabet()
# For `str.translate`: Latin-1 writes the characters below 256 as the bytes of the same number.
LATIN_1_OF_ALPHABET = {ord(character): byte for character, byte in BYTE_ALPHABET.items()}


def added_tokens(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the added tokens. Raises TokenizerError where one is broken."""
    added = spec.get("added_tokens") or []
    for token in added:
        if not (
            isinstance(token, dict)
            and isinstance(token.get("content"), str)
            and isinstance(token.get("id"), int)
            and isinstance(token.get("special"), bool)
        ):
            raise TokenizerError(f"tokenizer.json has a broken entry in added_tokens: {token!r}")
    return list(added)


def supported_model(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the BPE model. Raises TokenizerError where it is none or another kind."""
    model = spec.get("model")
    if not isinstance(model, dict) or not isinstance(model.get("vocab"), dict | list):
        raise TokenizerError("tokenizer.json has no model with a vocabulary")
    kind = model.get("type", "BPE")  # old files do not say
    if kind != "BPE" or not isinstance(model["vocab"], dict):
        raise TokenizerError(f"tokenizer.json holds a {kind} model; only BPE is supported")
    for field in ("continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(field):
            raise TokenizerError(f"tokenizer.json uses BPE with {field}, which is not supported")
    return model


def is_byte_level(spec: Mapping[str, Any]) -> bool:
    """Return whether pieces are written in the byte alphabet, rather than as SentencePiece does."""
    return not spec["model"].get("byte_fallback")


def check_kind(spec: Mapping[str, Any]) -> None:
    """Refuse a vocabulary whose tokens don't stand for certain bytes (TokenizerError)."""
    if is_byte_level(spec) and not any(step.get("type") == "ByteLevel" for step in steps(spec)):
        raise TokenizerError(
            "tokenizer.json holds a BPE vocabulary that is neither byte-level nor with byte "
            "fallback; only these two are supported"
        )


def check_covers_bytes(spec: Mapping[str, Any]) -> None:
    """Refuse a vocabulary that can't write plain English; warn of what else it can't write.

    Many vocabularies lack bytes that their corpus did not have: some control characters, and those
    that begin characters of empty planes. As in the reference, text with them loses them.

    Raises:
        TokenizerError: A printable ASCII character is missing.
    """
    vocab = spec["model"]["vocab"]
    byte_level = is_byte_level(spec)
    tokens = list(BYTE_ALPHABET) if byte_level else [f"<0x{byte:02X}>" for byte in range(256)]
    values = list(BYTE_ALPHABET.values()) if byte_level else list(range(256))
    missing = {
        value: token
        for value, token in zip(values, tokens, strict=True)
        if token not in vocab and (byte_level or value > 0x7F or _piece_of(value) not in vocab)
    }
    kind = (
        "byte-level (train it with initial_alphabet=ByteLevel.alphabet())"
        if byte_level
        else "byte-fallback"
    )
    if any(value in _PRINTABLE for value in missing):
        raise TokenizerError(
            f"tokenizer.json lacks {len(missing)} of the 256 bytes that a {kind} BPE vocabulary "
            f"needs to write any text, the first is {next(iter(missing.values()))!r}"
        )
    lost = sorted(missing.keys() - _NEVER_IN_UTF8)
    if lost:
        logger.warning(
            "the tokenizer has no token for %d of the bytes that text can hold (%s); characters "
            "with them are left out of prompts",
            len(lost),
            " ".join(f"{value:02x}" for value in lost),
        )


def _piece_of(value: int) -> str:
    """Return how a SentencePiece vocabulary writes an ASCII character that is a piece itself."""
    return SPACE_SYMBOL if value == 0x20 else chr(value)


def tokens_before_text(spec: Mapping[str, Any]) -> list[str] | None:
    """Return the tokens that the post-processor puts before a text; None where there is none.

    The library is asked, on a vocabulary of one letter: kinds and nestings are many.

    Raises:
        TokenizerError: The library can't read the post-processor.
    """
    processor = spec.get("post_processor")
    if not isinstance(processor, dict):
        return None
    letter = {"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}
    asked = backend({**letter, "post_processor": processor, "added_tokens": []})
    encoding = asked.encode("a", add_special_tokens=True)
    added = zip(encoding.tokens, encoding.special_tokens_mask, strict=True)
    return [token for token, _ in itertools.takewhile(lambda each: each[1], added)]


def adds_prefix_space(spec: Mapping[str, Any]) -> bool:
    """Return whether a text begins with a space that is no part of it."""
    return any(
        step.get("type") == "Prepend"
        or (step.get("type") == "Metaspace" and _prepend_scheme(step) != "never")
        for step in steps(spec)
    )


def _prepend_scheme(metaspace: Mapping[str, Any]) -> str:
    """`always`, `first` or `never`; files from before 2024 say `add_prefix_space` instead."""
    scheme = metaspace.get("prepend_scheme")
    if isinstance(scheme, str):
        return scheme
    return "always" if metaspace.get("add_prefix_space", True) else "never"


def steps(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return every normalizer and pre-tokenizer, sequences unfolded."""
    steps: list[dict[str, Any]] = []
    waiting = [spec.get("normalizer"), spec.get("pre_tokenizer")]
    while waiting:
        step = waiting.pop(0)
        if isinstance(step, dict):
            steps.append(step)
            waiting += step.get("normalizers") or step.get("pretokenizers") or []
    return steps


def keep_control_tokens_out_of_text(
    spec: dict[str, Any], control: Sequence[Mapping[str, Any]]
) -> None:
    """Change `spec` so that encoding plain text can never give a control token.

    Three ways lead from text to such a token: the scan for added tokens (which
    `encode_special_tokens` ends for those marked special), a merge whose result spells it, and
    `ignore_merges`, which looks whole words up in the vocabulary.
    """
    names = {token["content"] for token in control}
    for token in spec.get("added_tokens") or []:
        token["special"] = token["content"] in names  # white space, even if marked special, is not
    model = spec["model"]
    model["merges"] = [
        merge
        for merge in model.get("merges") or []
        if (merge.replace(" ", "", 1) if isinstance(merge, str) else "".join(merge)) not in names
    ]
    vocab = model["vocab"]
    inside = [name for name in names if name in vocab]
    if inside and model.get("ignore_merges"):
        first = len(vocab) - len(inside)
        if min(vocab[name] for name in inside) == first:
            # The library gives added tokens that aren't in it the ids that follow.
            model["vocab"] = {text: number for text, number in vocab.items() if number < first}
        else:
            model["ignore_merges"] = False


def backend(spec: Mapping[str, Any]) -> tokenizers.Tokenizer:
    """Return the library's tokenizer; added tokens that are special are plain text to it.

    Raises:
        TokenizerError: The library can't read it.
    """
    try:
        loaded = tokenizers.Tokenizer.from_str(json.dumps(spec, ensure_ascii=False))
    except Exception as error:  # the library raises bare Exception
        raise TokenizerError(f"tokenizer.json cannot be read: {error}") from error
    loaded.encode_special_tokens = True
    return loaded


def inner_backend(spec: Mapping[str, Any]) -> tokenizers.Tokenizer | None:
    """Return a second backend for text after a control token, where the vocabulary wants one.

    With `prepend_scheme: first` only the very beginning of a text gets the extra space.
    """
    first = [
        step
        for step in steps(spec)
        if step.get("type") == "Metaspace" and _prepend_scheme(step) == "first"
    ]
    if not first:
        return None
    for step in first:
        step["prepend_scheme"] = "never"
    return backend(spec)
