"""Text to token ids and back, over the `tokenizers` library.

Two kinds of BPE vocabulary are read: byte-level (Llama 3) and SentencePiece-style with byte
fallback (Llama 2, TinyLlama, Mistral, Gemma). In both a token always stands for certain bytes;
decoding here is nothing but joining these bytes.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from townsfolk.text import thoughts, vocabulary
from townsfolk.text.files import TokenizerError, TokenizerFiles, token_ids, token_text
from townsfolk.text.renderer import TemplateRenderer
from townsfolk.text.vocabulary import BYTE_ALPHABET, LATIN_1_OF_ALPHABET, SPACE_SYMBOL

__all__ = ["Tokenizer", "TokenizerError"]

BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")
_WHITE = string.whitespace + SPACE_SYMBOL
# Tokens with which the chat formats of the Llama family and its relatives end a turn. Some
# releases forgot to list theirs among the end-of-sequence ids.
TURN_ENDS = (
    "<|eot_id|>",
    "<|eom_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|end_of_turn|>",
    "<end_of_turn>",
)


class Tokenizer:
    """One model's vocabulary. Immutable after loading; every method may be called by any thread.

    A *control token* is one that means something besides its letters: every special token, and
    every added token that the chat template writes around messages; white space never is. Text from
    outside can never form one, but for the token of the unknown in the few vocabularies that have
    no token for each byte.
    """

    vocab_size: int
    """Largest token id plus one. The model's embedding may have more rows, for padding."""
    bos_id: int | None
    """The token that begins a text, or None when the model has none; see `prefix_ids`."""
    prefix_ids: tuple[int, ...]
    """What the tokenizer puts before a raw text: mostly nothing, or the token that begins one."""
    eos_ids: frozenset[int]
    """Every token that ends a reply."""
    chat_template: str | None
    """The jinja2 chat template, or None for a base model."""
    renderer: TemplateRenderer | None
    """What renders the template; None for a base model."""
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
        model = vocabulary.supported_model(spec)
        added = vocabulary.added_tokens(spec)
        self.renderer = None
        if self.chat_template:
            self.renderer = TemplateRenderer(self.chat_template, self.named_tokens)
        control = _control_tokens(added, self.renderer)
        self.special_tokens = MappingProxyType({t["content"]: t["id"] for t in control})
        self._control_ids = frozenset(self.special_tokens.values())
        self._control_pattern = _control_pattern(control)
        self._stripping_ids: list[int] = [t["id"] for t in control if _strips(t)]

        vocabulary.check_covers_bytes(spec)
        self._byte_level = vocabulary.is_byte_level(spec)
        self._adds_prefix_space = not self._byte_level and vocabulary.adds_prefix_space(spec)
        before_text = vocabulary.tokens_before_text(spec)
        vocabulary.keep_control_tokens_out_of_text(spec, control)
        spec["post_processor"] = None
        spec["truncation"] = spec["padding"] = None
        self._backend = vocabulary.backend(spec)
        vocabulary.check_kind(spec)
        self._inner_backend = vocabulary.inner_backend(spec) or self._backend
        self._added_text: dict[int, str] = {t["id"]: t["content"] for t in added}
        self._bytes: dict[int, bytes] = {}
        self._whole_texts: dict[int, str | None] = {}

        highest_id = max(model["vocab"].values(), default=-1)
        self.vocab_size = 1 + max([highest_id, *self._added_text])
        self.bos_id = self._find_bos(files)
        self.prefix_ids = self._find_prefix(before_text, _flag(files.settings, "add_bos_token"))
        self.eos_ids = self._find_eos(files)

    @classmethod
    def from_directory(cls, path: Path) -> Tokenizer:
        """Load the tokenizer of a Hugging Face model directory.

        `tokenizer.json` must be there; `tokenizer_config.json`, `generation_config.json`,
        `config.json` and `chat_template.jinja` are read where they are.

        Raises:
            TokenizerError: a file is missing, broken or not supported; the message says which.
        """
        return cls(TokenizerFiles.read(Path(path)))

    def encode(self, text: str, *, specials: bool = False, continues: bool = False) -> list[int]:
        """Turn text into token ids, without a beginning-of-sequence token.

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
                ids.append(self._control_id(match))
                end = match.end()
        return ids + self._encode_plain(text[end:], inner=continues or bool(ids))

    def _control_id(self, match: re.Match[str]) -> int:
        if match.lastindex is None:
            return self.special_tokens[match[0]]
        return self._stripping_ids[match.lastindex - 1]

    def decode(self, ids: Sequence[int]) -> str:
        """Turn token ids into text; control tokens are left out.

        Bytes that are not UTF-8 become U+FFFD, one for each maximal invalid sequence (Unicode
        standard, section 3.9). A vocabulary that begins every text with a space loses it here;
        with a Metaspace pre-tokenizer it loses a text's own first space, which `encode` writes
        in the same way.
        """
        data = b"".join(self.token_bytes(i) for i in ids if i not in self._control_ids)
        text = data.decode("utf-8", errors="replace")
        return text[1:] if self._adds_prefix_space and text.startswith(" ") else text

    def is_control(self, token_id: int) -> bool:
        """Return whether this is a control token, which `decode` leaves out."""
        return token_id in self._control_ids

    @property
    def adds_prefix_space(self) -> bool:
        """Whether the vocabulary begins every text with a space that is no part of it."""
        return self._adds_prefix_space

    def token_bytes(self, token_id: int) -> bytes:
        """Return the bytes a token stands for, not always whole characters.

        A control token gives its name. An id beyond the vocabulary, which a model with a padded
        embedding can draw, gives none.
        """
        data = self._bytes.get(token_id)
        if data is None:
            data = self._bytes[token_id] = self._find_bytes(token_id)
        return data

    def whole_text(self, token_id: int) -> str | None:
        """Return the text of a token of whole characters; None for control tokens and others."""
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
        if token_id in self._control_ids:
            return self._added_text[token_id].encode()
        in_range = 0 <= token_id < self.vocab_size
        token: str | None = self._backend.id_to_token(token_id) if in_range else None
        if token is None:
            return b""
        if self._byte_level:
            # An added token need not be written in the alphabet: it stands for itself then.
            in_alphabet = all(character in BYTE_ALPHABET for character in token)
            return (
                token.translate(LATIN_1_OF_ALPHABET).encode("latin-1")
                if in_alphabet
                else token.encode()
            )
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
            return None if text is None else self._id_of(text, "bos_token in tokenizer_config.json")
        ids = token_ids(files.config.get("bos_token_id"), "bos_token_id in config.json")
        return ids[0] if ids else None

    def _find_prefix(
        self, before_text: Sequence[str] | None, adds_bos: bool | None
    ) -> tuple[int, ...]:
        """Return the ids before a raw text.

        `add_bos_token` in tokenizer_config.json has the last word on the token that begins a text.
        Where neither it nor a post-processor says anything, SentencePiece's custom holds.
        """
        ids = [self._id_of(token, "post_processor") for token in before_text or ()]
        if adds_bos is None and before_text is None:
            adds_bos = not self._byte_level
        if self.bos_id is None or adds_bos is None or adds_bos == (self.bos_id in ids):
            return tuple(ids)
        return (self.bos_id, *ids) if adds_bos else tuple(one for one in ids if one != self.bos_id)

    def _find_eos(self, files: TokenizerFiles) -> frozenset[int]:
        """Return ids of the generation settings, of the tokenizer, and of turns the template ends.

        As in transformers, `generation_config.json` overrides `config.json`. The template's own
        turn ends are added because releases exist (the first Llama 3) that do not list them.
        """
        ids = token_ids(
            files.generation.get("eos_token_id"), "eos_token_id in generation_config.json"
        ) or token_ids(files.config.get("eos_token_id"), "eos_token_id in config.json")
        eos = set(ids)
        text = token_text(files.settings.get("eos_token"))
        if text is not None:
            eos.add(self._id_of(text, "eos_token in tokenizer_config.json"))
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
                f"{field} names the token {token!r}, which tokenizer.json does not have"
            )
        return token_id


def _named_tokens(settings: Mapping[str, Any]) -> dict[str, str]:
    texts = {field: token_text(settings[field]) for field in settings if field.endswith("_token")}
    return {field: text for field, text in texts.items() if text is not None}


def _flag(settings: Mapping[str, Any], field: str) -> bool | None:
    """Return a setting that is true, false, or silent: absent or null."""
    value = settings.get(field)
    if value is not None and not isinstance(value, bool):
        raise TokenizerError(f"{field} in tokenizer_config.json must be true or false: {value!r}")
    return value


def _control_tokens(
    added: Sequence[Mapping[str, Any]], renderer: TemplateRenderer | None
) -> list[Mapping[str, Any]]:
    """Return the added tokens that are control tokens, longest first.

    The marks around thoughts are text: whoever reads a reply has to see them.
    """
    added = [token for token in added if token["content"] not in thoughts.MARKS]
    others = [t["content"] for t in added if not t["special"] and t["content"].strip(_WHITE)]
    shown = renderer.written(others) if renderer and others else frozenset()
    control = [
        t for t in added if t["content"].strip(_WHITE) and (t["special"] or t["content"] in shown)
    ]
    return sorted(control, key=lambda token: -len(token["content"]))


def _strips(token: Mapping[str, Any]) -> bool:
    """Return whether a control token takes the white space beside it along."""
    return bool(token.get("lstrip") or token.get("rstrip"))


def _control_pattern(control: Sequence[Mapping[str, Any]]) -> re.Pattern[str]:
    """Return a pattern of control tokens, the longest first.

    Those that strip white space have a group each, in their order. The others have none: a search
    can then skip to where one could begin, which with thousands of them takes a thousandth.
    """
    alternatives = (
        (r"\s*" if token.get("lstrip") else "")
        + (f"({literal})" if _strips(token) else literal)
        + (r"\s*" if token.get("rstrip") else "")
        for token in control
        for literal in (re.escape(token["content"]),)
    )
    return re.compile("|".join(alternatives) or "(?!)")
