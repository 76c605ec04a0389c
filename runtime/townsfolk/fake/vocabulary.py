"""The tokens of a model that is not there: one a byte, and a few around messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from townsfolk.dialogue.actions import OURS
from townsfolk.dialogue.prompt import SPEAKS_AGAIN, SPEAKS_FIRST
from townsfolk.dialogue.turn import TurnCue
from townsfolk.text.files import TokenizerFiles
from townsfolk.text.tokenizer import Tokenizer
from townsfolk.text.vocabulary import BYTE_ALPHABET

_BEGIN, _MIDDLE, _END = "<|begin|>", "<|says|>", "<|end|>"
_TEMPLATE = (
    f"{{% for m in messages %}}{_BEGIN}{{{{ m.role }}}}{_MIDDLE}{{{{ m.content }}}}{_END}"
    f"{{% endfor %}}{{% if add_generation_prompt %}}{_BEGIN}assistant{_MIDDLE}{{% endif %}}"
)
_BEGIN_ID, _MIDDLE_ID, _END_ID = 256, 257, 258


@dataclass(frozen=True, slots=True)
class Heard:
    """What a turn answers: who said what. An event has no speaker, and nothing has no text.

    Attributes:
        speaker: who said it.
        text: what was said, or happened.
        cue: which of these.
        actions: how many have been taken since.
    """

    speaker: str
    text: str
    cue: TurnCue = TurnCue.SAID
    actions: int = 0


def make_tokenizer() -> Tokenizer:
    """Return a tokenizer with a token for each byte."""
    added = [
        {
            "id": _BEGIN_ID + index,
            "content": content,
            "special": True,
            "normalized": False,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
        }
        for index, content in enumerate((_BEGIN, _MIDDLE, _END))
    ]
    bytes_alone = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
    return Tokenizer(
        TokenizerFiles(
            spec={
                "version": "1.0",
                "added_tokens": added,
                "normalizer": None,
                "pre_tokenizer": bytes_alone | {"trim_offsets": True},
                "post_processor": None,
                "decoder": bytes_alone | {"trim_offsets": True},
                "model": {"type": "BPE", "vocab": dict(BYTE_ALPHABET), "merges": []},
            },
            settings={"eos_token": _END},
            config={},
            generation={},
            chat_template=_TEMPLATE,
        )
    )


def last_heard(token_ids: Sequence[int], tokenizer: Tokenizer) -> Heard:
    """Return what a prompt's last line is: of a conversation, or the whole of a plain text."""
    ids = list(token_ids)
    if _END_ID not in ids:
        return Heard("", tokenizer.decode(ids))
    message: list[int] = []
    behind = 0
    for begin in (place for place, token_id in enumerate(ids) if token_id == _BEGIN_ID):
        middle = ids.index(_MIDDLE_ID, begin)
        if tokenizer.decode(ids[begin + 1 : middle]) == "user":
            behind = ids.index(_END_ID, middle)
            message = ids[middle + 1 : behind]
    actions = tokenizer.decode(ids[behind:]).count(OURS.closes)
    line = tokenizer.decode(message).rpartition("\n")[2]
    speaker, colon, text = line.partition(": ")
    if line in (f"[{SPEAKS_FIRST}]", f"[{SPEAKS_AGAIN}]"):
        return Heard("", "", TurnCue.NONE, actions)
    if line.startswith("["):
        return Heard("", line, TurnCue.EVENT, actions)
    if not colon:
        speaker, text = "", line
    return Heard(speaker, text, TurnCue.SAID, actions)
