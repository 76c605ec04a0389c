"""Text to token ids and back, over the `tokenizers` library.

Two kinds of BPE vocabulary are read: byte-level (Llama 3) and SentencePiece-style with byte
fallback (Llama 2, TinyLlama, Mistral). Both cover every byte, so any text can be written and a
token always stands for certain bytes; decoding here is nothing but joining these bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import tokenizers

from townsfolk.text.files import TokenizerError, TokenizerFiles, token_ids, token_text

__all__ = ["Tokenizer", "TokenizerError"]

SPACE_SYMBOL = "\u2581"  # SentencePiece writes a space so
BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")
# Tokens with which the chat formats of the Llama family and its relatives end a turn. Some
# releases forgot to list theirs among the end-of-sequence ids.
TURN_ENDS = ("<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<|end_of_turn|>")


def _byte_alphabet() -> dict[str, int]:
    """The printable character that stands for each byte in a byte-level vocabulary (GPT-2's)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    alphabet = {chr(byte): byte for byte in printable}
    alphabet |= {chr(0x100 + n): byte for n, byte in enumerate(others)}
    return alphabet


BYTE_ALPHABET = _byte_alphabet()
# For `str.translate`: Latin-1 writes the characters below 256 as the bytes of the same number.
LATIN_1_OF_ALPHABET = {ord(character): byte for character, byte in BYTE_ALPHABET.items()}


class Tokenizer:
    """One model's vocabulary. Immutable after loading; every method may be called by any thread.

    A *control token* is one that means something besides its letters: every special token, and
    every added token that the chat template writes. Text from outside can never form one.
    """

    vocab_size: int
    """Largest token id plus one. The model's embedding may have more rows, for padding."""
    bos_id: int | None
    """The token that begins a text, or None when the model uses none."""
    eos_ids: frozenset[int]
    """Every token that ends a reply."""
    chat_template: str | None
    """The jinja2 chat template, or None for a base model."""
    special_tokens: Mapping[str, int]
    """Text and id of each control token."""
    named_tokens: Mapping[str, str]
    """Text of the tokens that `tokenizer_config.json` names, by field (`bos_token`, ...): variables
    of the chat template."""

    def __init__(self, files: TokenizerFiles) -> None:
        """Use `from_directory`.

        Raises:
            TokenizerError: the vocabulary is broken or of a kind that is not supported.
        """
        spec = files.spec
        self.chat_template = files.chat_template
        self.named_tokens = MappingProxyType(_named_tokens(files.settings))
        added = _added_tokens(spec)
        control = [t for t in added if t["special"] or t["content"] in (files.chat_template or "")]
        control.sort(key=lambda token: -len(token["content"]))
        self.special_tokens = MappingProxyType({t["content"]: t["id"] for t in control})
        self._control_ids = frozenset(self.special_tokens.values())
        self._control_pattern = _control_pattern(control)
        self._control_order = [t["id"] for t in control]

        model = _supported_model(spec)
        self._byte_level = not model.get("byte_fallback")
        self._adds_prefix_space = not self._byte_level and _adds_prefix_space(spec)
        _check_covers_bytes(model["vocab"], byte_level=self._byte_level)
        _keep_control_tokens_out_of_text(spec, control)
        spec["post_processor"] = None
        spec["truncation"] = spec["padding"] = None
        self._backend = _backend(spec)
        self._inner_backend = _inner_backend(spec) or self._backend
        self._added_text: dict[int, str] = {t["id"]: t["content"] for t in added}
        self._bytes: dict[int, bytes] = {}
        self._whole_texts: dict[int, str | None] = {}

        highest_id = max(model["vocab"].values(), default=-1)
        self.vocab_size = 1 + max([highest_id, *self._added_text])
        self.bos_id = self._find_bos(files)
        self.eos_ids = self._find_eos(files)

    @classmethod
    def from_directory(cls, path: Path) -> Tokenizer:
        """Loads the tokenizer of a Hugging Face model directory.

        `tokenizer.json` must be there; `tokenizer_config.json`, `generation_config.json`,
        `config.json` and `chat_template.jinja` are read where they are.

        Raises:
            TokenizerError: a file is missing, broken or not supported; the message says which.
        """
        return cls(TokenizerFiles.read(Path(path)))

    def encode(self, text: str, *, specials: bool = False, continues: bool = False) -> list[int]:
        """Turns text into token ids. Adds no beginning-of-sequence token.

        Args:
            text: any text that can be written as UTF-8.
            specials: whether control tokens written in `text` become those tokens. When false,
                which is right for everything that comes from outside, they are plain text.
            continues: whether the text follows other tokens, say a control token. Some
                vocabularies begin a text with a space and what follows without.

        Raises:
            ValueError: `text` holds half of a surrogate pair.
        """
        ids: list[int] = []
        end = 0
        if specials:
            for match in self._control_pattern.finditer(text):
                ids += self._encode_plain(text[end : match.start()], inner=continues or bool(ids))
                assert match.lastindex is not None
                ids.append(self._control_order[match.lastindex - 1])
                end = match.end()
        return ids + self._encode_plain(text[end:], inner=continues or bool(ids))

    def decode(self, ids: Sequence[int]) -> str:
        """Turns token ids into text; control tokens are left out.

        Bytes that are not UTF-8 become U+FFFD, one for each maximal invalid sequence (Unicode
        standard, section 3.9). A vocabulary that begins every text with a space loses it here;
        with a Metaspace pre-tokenizer it loses a text's own first space, which `encode` writes
        in the same way.
        """
        data = b"".join(self.token_bytes(i) for i in ids if i not in self._control_ids)
        text = data.decode("utf-8", errors="replace")
        return text[1:] if self._adds_prefix_space and text.startswith(" ") else text

    def is_control(self, token_id: int) -> bool:
        """Whether this is a control token, which `decode` leaves out."""
        return token_id in self._control_ids

    @property
    def adds_prefix_space(self) -> bool:
        """Whether the vocabulary begins every text with a space that is no part of it."""
        return self._adds_prefix_space

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes a token stands for, not always whole characters.

        A control token gives its name. An id beyond the vocabulary, which a model with a padded
        embedding can draw, gives none.
        """
        data = self._bytes.get(token_id)
        if data is None:
            data = self._bytes[token_id] = self._find_bytes(token_id)
        return data

    def whole_text(self, token_id: int) -> str | None:
        """The text of a token that is whole characters; None for a control token and for others."""
        try:
            return self._whole_texts[token_id]
        except KeyError:
            text = self._whole_texts[token_id] = self._find_whole_text(token_id)
            return text

    def _find_whole_text(self, token_id: int) -> str | None:
        if token_id in self._control_ids:
            return None
        try:
            return self.token_bytes(token_id).decode()
        except UnicodeDecodeError:
            return None

    def _find_bytes(self, token_id: int) -> bytes:
        if token_id in self._added_text:
            return self._added_text[token_id].encode()
        in_range = 0 <= token_id < self.vocab_size
        token: str | None = self._backend.id_to_token(token_id) if in_range else None
        if token is None:
            return b""
        if self._byte_level:
            return token.translate(LATIN_1_OF_ALPHABET).encode("latin-1")
        byte = BYTE_TOKEN.fullmatch(token)
        if byte is not None:
            return bytes.fromhex(byte[1])
        return token.replace(SPACE_SYMBOL, " ").encode()

    def _encode_plain(self, text: str, *, inner: bool) -> list[int]:
        backend = self._inner_backend if inner else self._backend
        try:
            # `encode` would hold the interpreter's lock: 11 ms for a persona of 4,000 tokens, in
            # which no character is heard.
            (encoding,) = backend.encode_batch_fast([text], add_special_tokens=False)
        except (UnicodeEncodeError, TypeError) as error:
            raise ValueError("the text cannot be written as UTF-8 (a lone surrogate)") from error
        ids: list[int] = encoding.ids
        return ids

    def _find_bos(self, files: TokenizerFiles) -> int | None:
        if "bos_token" in files.settings:
            text = token_text(files.settings["bos_token"])
            return None if text is None else self._id_of(text, "bos_token")
        ids = token_ids(files.config.get("bos_token_id"), "bos_token_id in config.json")
        return ids[0] if ids else None

    def _find_eos(self, files: TokenizerFiles) -> frozenset[int]:
        """Ids of the generation settings, of the tokenizer, and of turns the template ends.

        As in transformers, `generation_config.json` overrides `config.json`. The template's own
        turn ends are added because releases exist (the first Llama 3) that do not list them.
        """
        ids = token_ids(
            files.generation.get("eos_token_id"), "eos_token_id in generation_config.json"
        ) or token_ids(files.config.get("eos_token_id"), "eos_token_id in config.json")
        eos = set(ids)
        text = token_text(files.settings.get("eos_token"))
        if text is not None:
            eos.add(self._id_of(text, "eos_token"))
        template = self.chat_template or ""
        eos |= {
            self.special_tokens[name]
            for name in TURN_ENDS
            if name in template and name in self.special_tokens
        }
        return frozenset(eos)

    def _id_of(self, token: str, field: str) -> int:
        token_id: int | None = self._backend.token_to_id(token)
        if token_id is None:
            raise TokenizerError(
                f"{field} in tokenizer_config.json is {token!r}, which tokenizer.json does not have"
            )
        return token_id


def _named_tokens(settings: Mapping[str, Any]) -> dict[str, str]:
    texts = {field: token_text(settings[field]) for field in settings if field.endswith("_token")}
    return {field: text for field, text in texts.items() if text is not None}


def _added_tokens(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
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


def _control_pattern(control: Sequence[Mapping[str, Any]]) -> re.Pattern[str]:
    """Finds control tokens, which come longest first: one group for each, in their order."""
    alternatives = (
        (r"\s*" if token.get("lstrip") else "")
        + f"({re.escape(token['content'])})"
        + (r"\s*" if token.get("rstrip") else "")
        for token in control
    )
    return re.compile("|".join(alternatives) or "(?!)")


def _supported_model(spec: Mapping[str, Any]) -> dict[str, Any]:
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


def _check_covers_bytes(vocab: Mapping[str, int], *, byte_level: bool) -> None:
    """A vocabulary that lacks a byte would lose text without a word; such a one is refused."""
    needed = BYTE_ALPHABET if byte_level else [f"<0x{byte:02X}>" for byte in range(256)]
    missing = [token for token in needed if token not in vocab]
    if missing:
        kind = (
            "byte-level (train it with initial_alphabet=ByteLevel.alphabet())"
            if byte_level
            else "byte-fallback"
        )
        raise TokenizerError(
            f"tokenizer.json lacks {len(missing)} of the 256 bytes that a {kind} BPE vocabulary "
            f"needs to write any text, the first is {missing[0]!r}"
        )


def _adds_prefix_space(spec: Mapping[str, Any]) -> bool:
    return any(
        step.get("type") == "Prepend"
        or (step.get("type") == "Metaspace" and _prepend_scheme(step) != "never")
        for step in _steps(spec)
    )


def _prepend_scheme(metaspace: Mapping[str, Any]) -> str:
    """`always`, `first` or `never`; files from before 2024 say `add_prefix_space` instead."""
    scheme = metaspace.get("prepend_scheme")
    if isinstance(scheme, str):
        return scheme
    return "always" if metaspace.get("add_prefix_space", True) else "never"


def _steps(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every normalizer and pre-tokenizer, sequences unfolded."""
    steps: list[dict[str, Any]] = []
    waiting = [spec.get("normalizer"), spec.get("pre_tokenizer")]
    while waiting:
        step = waiting.pop(0)
        if isinstance(step, dict):
            steps.append(step)
            waiting += step.get("normalizers") or step.get("pretokenizers") or []
    return steps


def _keep_control_tokens_out_of_text(
    spec: dict[str, Any], control: Sequence[Mapping[str, Any]]
) -> None:
    """Changes `spec` so that encoding plain text can never give a control token.

    Three ways lead from text to such a token: the scan for added tokens (which
    `encode_special_tokens` ends for those marked special), a merge whose result spells it, and
    `ignore_merges`, which looks whole words up in the vocabulary.
    """
    names = {token["content"] for token in control}
    for token in spec.get("added_tokens") or []:
        if token["content"] in names:
            token["special"] = True
    model = spec["model"]
    model["merges"] = [
        merge
        for merge in model.get("merges") or []
        if (merge.replace(" ", "", 1) if isinstance(merge, str) else "".join(merge)) not in names
    ]
    if any(name in model["vocab"] for name in names):
        model["ignore_merges"] = False


def _backend(spec: Mapping[str, Any]) -> tokenizers.Tokenizer:
    try:
        backend = tokenizers.Tokenizer.from_str(json.dumps(spec, ensure_ascii=False))
    except Exception as error:  # the library raises bare Exception
        raise TokenizerError(f"tokenizer.json cannot be read: {error}") from error
    backend.encode_special_tokens = True
    return backend


def _inner_backend(spec: Mapping[str, Any]) -> tokenizers.Tokenizer | None:
    """A second backend for text after a control token, where the vocabulary wants one.

    With `prepend_scheme: first` only the very beginning of a text gets the extra space.
    """
    first = [
        step
        for step in _steps(spec)
        if step.get("type") == "Metaspace" and _prepend_scheme(step) == "first"
    ]
    if not first:
        return None
    for step in first:
        step["prepend_scheme"] = "never"
    return _backend(spec)
