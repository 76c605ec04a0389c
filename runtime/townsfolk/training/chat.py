"""From scripts to token ids as the runtime shows them to a model of any family.

Prompts are rendered and encoded by the code that plays characters, so that a character is trained
on exactly the tokens that it will meet. A reply ends with the token that its template ends it with.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from townsfolk.dialogue.actions import OURS, ActionFormat
from townsfolk.dialogue.chat_template import ChatTemplate, Unit
from townsfolk.dialogue.encoding import EncodedPrompt, PromptEncoder
from townsfolk.dialogue.errors import UnsupportedTemplateError
from townsfolk.dialogue.prompt import CUT_MARK, Message
from townsfolk.text.tokenizer import Tokenizer
from townsfolk.training.encoding import PADDING, PROMPT, REPLY, Example
from townsfolk.training.packing import pieces
from townsfolk.training.script import Script, has_acted


class ChatEncoder:
    """Tokenises scripts through a model's own chat template, and plain text."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Take a model's tokenizer.

        Raises:
            UnsupportedTemplateError: Its chat template can't be used.
        """
        self._tokenizer = tokenizer
        self._template = ChatTemplate(tokenizer)

    def __call__(self, document: Script | str) -> list[Example]:
        """Return the tokens of a document, and which of them are the character's own words.

        A conversation is one example as long as each prompt goes on from the one before. Where a
        template writes earlier replies otherwise than the newest, as those of models that think
        do, another example begins, and what it repeats is learned once.

        Raises:
            UnsupportedTemplateError: The template refuses this conversation.
        """
        if isinstance(document, str):
            return [self._text(document)]
        if document.actions and ActionFormat.of(self._tokenizer.chat_template) is not OURS:
            raise UnsupportedTemplateError(
                "the dialogues have actions, and this model's chat template writes them in a form "
                "of its own: leave them out"
            )
        return self._conversation(document.messages(), document.persona.name)

    def fitting(self, document: Script | str, length: int) -> list[Example]:
        """Return the examples of a document that have something to learn within a row of a length.

        A text comes in pieces; of a conversation what goes beyond the row is left out.
        """
        examples = self(document)
        if isinstance(document, str):
            return pieces(examples[0], length)
        return [each for each in examples if REPLY in each.kinds[: length + 1]]

    def _text(self, text: str) -> Example:
        tokenizer = self._tokenizer
        first = tokenizer.prefix_ids or ([] if tokenizer.bos_id is None else [tokenizer.bos_id])
        end = tokenizer.special_tokens.get(tokenizer.named_tokens.get("eos_token", ""))
        ids = tokenizer.encode(text) + ([] if end is None else [end])
        return _example([*first, *ids], [PROMPT] * len(first) + [REPLY] * len(ids))

    def _conversation(self, messages: Sequence[Message], name: str) -> list[Example]:
        encoder = PromptEncoder(self._tokenizer)
        examples: list[Example] = []
        tokens: list[int] = []
        kinds: list[int] = []
        for at, message in enumerate(messages):
            if message["role"] != "assistant" or messages[at - 1]["role"] != "user":
                continue
            asked = encoder.encode(self._template.render(messages[:at], name))
            prompt = asked.token_ids
            if prompt[: len(tokens)] != tokens:
                examples.append(_example(tokens, kinds))
                tokens, kinds = [], []
            kinds += [PROMPT] * (len(prompt) - len(tokens))
            reply = self._reply(messages[: at + 1], name, asked, encoder)
            tokens = prompt + reply
            context = message["content"].endswith(CUT_MARK) or has_acted(messages, at)
            kinds += [PADDING if context else REPLY] * len(reply)
            encoder.remember(asked, reply)
        if tokens:
            examples.append(_example(tokens, kinds))
        return [example for example in examples if REPLY in example.kinds]

    def _reply(
        self, messages: Sequence[Message], name: str, asked: EncodedPrompt, encoder: PromptEncoder
    ) -> list[int]:
        """Return what the model should answer to a prompt: the last message, and its end."""
        units = self._template.render(messages, name, add_generation_prompt=False)
        last, place = asked.units[-1], len(asked.units) - 1
        end = units[place + 1].control if place + 1 < len(units) else None
        text = messages[-1]["content"].strip()
        if units[place].control == last.control and units[place].text.startswith(last.text):
            text = units[place].text[len(last.text) :]
        if OURS.opens in text:
            return self._acting(text) + self._end(end)
        whole = Unit(last.control, last.text + text)
        ids, known = encoder.encode([*asked.units[:-1], whole]).unit_ids[-1], asked.unit_ids[-1]
        if ids[: len(known)] == known:
            reply = list(ids[len(known) :])
        else:  # the two would merge where they meet, but the model begins behind the prompt
            reply = self._tokenizer.encode(text, continues=True)
        return reply + self._end(end)

    def _acting(self, text: str) -> list[int]:
        """Return a reply that acts: no token spans an edge of the action, a request of its own."""
        said, opens, rest = text.partition(OURS.opens)
        action, closes, _ = rest.partition(OURS.closes)
        parts = (said + opens, action, closes)
        return [token for part in parts for token in self._tokenizer.encode(part, continues=True)]

    def _end(self, control: str | None) -> list[int]:
        """Return the token that ends a reply; none where a text does."""
        if control is not None:
            return [self._tokenizer.special_tokens[control]]
        return [] if self._template.stops else sorted(self._tokenizer.eos_ids)[:1]


def _example(tokens: Sequence[int], kinds: Sequence[int]) -> Example:
    return Example(np.array(tokens, dtype=np.uint32), np.array(kinds, dtype=np.uint8))
