"""From scripts to token ids, each with the say of what is learned from it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2.sandbox import ImmutableSandboxedEnvironment
from numpy.typing import NDArray
from tokenizers import Tokenizer

from townsfolk.dialogue.actions import OURS
from townsfolk.dialogue.prompt import CUT_MARK, Message
from townsfolk.training.cuts import Cuts
from townsfolk.training.script import Script, has_acted

PADDING, PROMPT, REPLY = 0, 1, 2
"""What a token is: nothing, context (learned with the prompt weight), or part of a reply."""


@dataclass(frozen=True, slots=True)
class Example:
    """A tokenised document: ``tokens`` and, for each, ``kinds``. Both [length]."""

    tokens: NDArray[np.uint32]
    kinds: NDArray[np.uint8]


class Encoder:
    """Tokenises scripts through the model's own chat template, and plain text."""

    def __init__(self, tokenizer: Tokenizer, tokenizer_config: dict[str, Any]) -> None:
        self._tokenizer = tokenizer
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        self._template = environment.from_string(tokenizer_config["chat_template"])
        self._bos = _token_text(tokenizer_config["bos_token"])
        self._eos = _token_text(tokenizer_config["eos_token"])

    @classmethod
    def from_directory(cls, folder: Path) -> "Encoder":
        """Return the encoder of a Hugging Face directory; raise ValueError where it has none."""
        config = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
        missing = [
            key for key in ("chat_template", "bos_token", "eos_token") if not config.get(key)
        ]
        if missing:
            raise ValueError(
                f"{folder / 'tokenizer_config.json'} has no {' and no '.join(missing)}"
            )
        try:
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # the library raises bare Exception
            raise ValueError(f"{folder / 'tokenizer.json'} can't be read: {error}") from error
        return cls(tokenizer, config)

    def __call__(self, script: Script | str, cuts: Cuts | None = None) -> Example:
        """Return tokens and kinds of one document.

        Args:
            script: A conversation, or plain text.
            cuts: Where words of prompts are cut; without, they are in the tokenizer's pieces.
        """
        if isinstance(script, str):
            return self._join([(self._bos, PROMPT), (script + self._eos, REPLY)])
        segments = self._segments(script.messages())
        if cuts is not None:
            segments = [
                (piece, kind)
                for text, kind in segments
                for piece in (cuts(text) if kind == PROMPT else (text,))
            ]
        return self._join(segments)

    def decode(self, tokens: Sequence[int], skip_control: bool = True) -> str:
        """Return the text of tokens, with or without control tokens."""
        return self._tokenizer.decode(list(map(int, tokens)), skip_special_tokens=skip_control)

    def _render(self, messages: Sequence[Message], ask: bool) -> str:
        return self._template.render(
            messages=messages, bos_token=self._bos, eos_token=self._eos, add_generation_prompt=ask
        )

    def _segments(self, messages: Sequence[Message]) -> list[tuple[str, int]]:
        """Return texts in turn, cut exactly where generation begins and ends at run time."""
        segments: list[tuple[str, int]] = []
        done = ""
        for at, message in enumerate(messages):
            if message["role"] != "assistant":
                continue
            asked = self._render(messages[:at], True)
            answered = self._render(messages[: at + 1], False)
            if not asked.startswith(done) or not answered.startswith(asked):
                raise ValueError(
                    "the chat template rewrites earlier messages: it can't be trained on"
                )
            cut = message["content"].endswith(CUT_MARK)
            kind = PADDING if cut or has_acted(messages, at) else REPLY
            said, opens, rest = answered[len(asked) :].partition(OURS.opens)
            action, closes, end = rest.partition(OURS.closes)
            # An action is a request of its own at run time: no token spans its beginning or end.
            parts = (asked[len(done) :], PROMPT), (said + opens, kind), (action, kind)
            segments += [*parts, (closes + end, kind)]
            done = answered
        return segments

    def _join(self, segments: list[tuple[str, int]]) -> Example:
        encoded = self._tokenizer.encode_batch_fast(
            [text for text, _ in segments], add_special_tokens=False
        )
        lengths = [len(part.ids) for part in encoded]
        tokens = np.concatenate([np.array(part.ids, dtype=np.uint32) for part in encoded])
        kinds = np.repeat(np.array([kind for _, kind in segments], dtype=np.uint8), lengths)
        return Example(tokens, kinds)


def _token_text(token: str | dict[str, Any]) -> str:
    """tokenizer_config.json gives a token as text or as an object."""
    return token if isinstance(token, str) else str(token["content"])
