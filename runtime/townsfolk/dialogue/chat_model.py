"""A model that holds conversations, with all that it takes to speak to it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from townsfolk.dialogue.actions import Action, ActionBook, ActionFormat
from townsfolk.dialogue.chat_template import ChatTemplate
from townsfolk.dialogue.errors import InvalidFieldError
from townsfolk.engine.interface import TextEngine
from townsfolk.grammar import InvalidGrammarError
from townsfolk.sampling.params import InvalidSamplingError, SamplingParams
from townsfolk.text.thoughts import CLOSE
from townsfolk.text.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class ChatModel:
    """What all conversations of a runtime are held with.

    Attributes:
        engine: Answers prompts.
        tokenizer: Its vocabulary.
        template: Makes prompts of messages.
        namespace: The trust domain within which KV is shared.
    """

    engine: TextEngine
    tokenizer: Tokenizer
    template: ChatTemplate
    namespace: str

    @classmethod
    def of(cls, engine: TextEngine, namespace: str, *, thinking: bool) -> ChatModel:
        """Return the model of an engine.

        Args:
            engine: What makes the answers.
            namespace: The trust domain.
            thinking: Let a model think before it speaks that is made for it.

        Raises:
            UnsupportedTemplateError: The model's chat template can't be used.
            ValueError: The engine has no tokenizer.
        """
        tokenizer = engine.tokenizer
        if tokenizer is None:
            raise ValueError("sessions need an engine with a tokenizer")
        return cls(engine, tokenizer, ChatTemplate(tokenizer, thinking=thinking), namespace)

    @property
    def context_tokens(self) -> int:
        """The most tokens of prompt and reply."""
        return self.engine.info.context_length

    @property
    def action_format(self) -> ActionFormat:
        """How this model writes that a character acts."""
        return ActionFormat.of(self.tokenizer.chat_template)

    def actions(self, actions: Sequence[Action]) -> ActionBook:
        """Return a character's actions as this model is told of them and writes them."""
        return ActionBook(actions, self.tokenizer.chat_template, self.template.tools)

    def prewarm(self, actions: ActionBook) -> asyncio.Task[None] | None:
        """Begin to compile the grammar of a character's actions, before one is taken.

        Returns:
            what compiles it, for the caller to hold; None where there are no actions.
        """
        if not actions:
            return None

        async def compile_() -> None:
            with suppress(InvalidGrammarError):  # who speaks to the character is told
                await self.engine.compile(actions.grammar(actions.names(None)))

        return asyncio.get_running_loop().create_task(compile_())

    @property
    def default_params(self) -> SamplingParams:
        """How to sample where nobody says."""
        params = self.engine.default_params
        return replace(params, max_new_tokens=min(params.max_new_tokens, self.context_tokens))

    def encode_more(self, text: str) -> list[int]:
        """Return the tokens of text that goes on behind a prompt."""
        before = "" if self.tokenizer.renderer else " "  # a script has it behind the name
        return self.tokenizer.encode(before + text, continues=True)

    def without_thought(self, prompt_ids: list[int]) -> list[int]:
        """Return a prompt behind which the model speaks at once, and no thought is open."""
        if not self.template.begins_in_thought:
            return prompt_ids
        return prompt_ids + self.tokenizer.encode(f"\n\n{CLOSE}\n\n", continues=True)

    def check(self, params: SamplingParams) -> SamplingParams:
        """Return the parameters, if this model can do them.

        Raises:
            InvalidFieldError: It can't.
        """
        if params.max_new_tokens > self.context_tokens:
            raise InvalidFieldError(
                f"sampling.max_new_tokens must be from 1 to {self.context_tokens}, the model's "
                f"context, but is {params.max_new_tokens}"
            )
        try:
            params.check_vocabulary(self.tokenizer.vocab_size)
        except InvalidSamplingError as error:
            raise InvalidFieldError(f"sampling.{error}") from None
        return params
