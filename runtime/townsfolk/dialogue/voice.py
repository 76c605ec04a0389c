"""Has the model say what a character answers."""

import asyncio
from collections.abc import Awaitable, Callable, Set
from dataclasses import replace

from townsfolk.dialogue.chat_template import ChatTemplate
from townsfolk.dialogue.choice import Choice, Question, decide
from townsfolk.dialogue.encoding import EncodedPrompt
from townsfolk.dialogue.events import TurnStarted
from townsfolk.dialogue.labels import SpeakerLabels
from townsfolk.dialogue.prompt import DEFAULT_SPEAKER
from townsfolk.dialogue.reply import ReplyText
from townsfolk.dialogue.turn import Turn
from townsfolk.engine.errors import DeadlineExceededError
from townsfolk.engine.interface import TextEngine
from townsfolk.engine.outputs import Completion, FinishReason, Usage
from townsfolk.engine.rules import ReplyRules
from townsfolk.engine.scoring import score
from townsfolk.grammar import CompiledGrammar, Grammar
from townsfolk.text.thoughts import CLOSE
from townsfolk.text.tokenizer import Tokenizer

# How many tokens before its limit a reply ends with its sentence: sentences of speech are shorter.
LAST_TOKENS = 40


class Voice:
    """What one character says, and nobody else's words."""

    def __init__(
        self,
        name: str,
        engine: TextEngine,
        tokenizer: Tokenizer,
        template: ChatTemplate,
        namespace: str,
    ) -> None:
        """Speak as the character of this name; see `Sessions` for the namespace."""
        self._name = name
        self._engine = engine
        self._tokenizer = tokenizer
        self._template = template
        self._namespace = namespace

    async def answer(
        self, turn: Turn, prompt: EncodedPrompt, speakers: Set[str], priority: int
    ) -> Completion | None:
        """Send what the model says as it says it; return None if the turn was cut off before.

        A model that begins as somebody else gets the character's own label to go on from.

        Args:
            turn: What is answered.
            prompt: What the model is told.
            speakers: Everybody who has spoken in the session or is about to.
            priority: Of the request.

        Raises:
            EngineError: The request failed, or the deadline passed before the answer began.
            InvalidGrammarError: The answer's grammar can't be used.
        """
        if turn.interrupted:
            return None
        if turn.utterance.grammar is not None:
            return await self._fill(turn, prompt, turn.utterance.grammar, priority)
        labels = SpeakerLabels(self._name, speakers | {DEFAULT_SPEAKER})
        reply, token_ids = self._reply_text(turn, labels), prompt.token_ids
        completion = await self._speak(turn, token_ids, reply, priority)
        if reply.began_as_another and not turn.interrupted:
            token_ids += self._tokenizer.encode(f"{self._name}:", continues=True)
            again = await self._speak(turn, token_ids, self._reply_text(turn, labels), priority)
            # Its tokens don't follow the prompt: with the next line they are encoded anew.
            completion = replace(again, token_ids=(), usage=_sum(completion.usage, again.usage))
        if completion.finish_reason is not FinishReason.INTERRUPTED:
            turn.end_sentence()
        return completion

    async def choose(
        self,
        question: Question,
        fitted: Callable[[int], Awaitable[list[int]]],
        priority: int,
    ) -> Choice:
        """Choose what to say.

        Args:
            question: What there is to choose from.
            fitted: Gives the prompt, with room for so many tokens.
            priority: Of the requests.
        """
        # A script's lines have a space behind the name.
        before = "" if self._tokenizer.renderer else " "
        options = [
            self._tokenizer.encode(before + each, continues=True) for each in question.options
        ]
        prompt = await fitted(max(map(len, options)))
        if self._template.begins_in_thought:
            prompt += self._tokenizer.encode(f"\n\n{CLOSE}\n\n", continues=True)
        scored = await score(
            self._engine, prompt, options, priority=priority, namespace=self._namespace
        )
        return decide(question, len(prompt), scored)

    async def _fill(
        self, turn: Turn, prompt: EncodedPrompt, grammar: Grammar, priority: int
    ) -> Completion:
        """Send a reply under a grammar, as it is: all that is in it was asked for."""
        token_ids = prompt.token_ids
        if self._template.begins_in_thought:
            token_ids += self._tokenizer.encode(f"\n\n{CLOSE}\n\n", continues=True)
        compiled = await self._engine.compile(grammar)
        completion = await self._speak(turn, token_ids, None, priority, compiled)
        if completion.finish_reason is not FinishReason.INTERRUPTED:
            turn.end_sentence()
        return completion

    async def _speak(
        self,
        turn: Turn,
        token_ids: list[int],
        reply: ReplyText | None,
        priority: int,
        grammar: CompiledGrammar | None = None,
    ) -> Completion:
        left = None if turn.deadline is None else turn.deadline - asyncio.get_running_loop().time()
        if left is not None and left <= 0:
            raise DeadlineExceededError
        begins = turn.generation is None
        turn.generation = self._engine.submit(
            token_ids,
            turn.params,
            priority=priority,
            deadline_s=left,
            namespace=self._namespace,
            rules=ReplyRules(
                end_ids=frozenset(self._template.stop_token_ids),
                penalizes_prompt=False,
                text_filter=reply,
                speaker=self._name,
            ),
            grammar=grammar,
        )
        if begins:
            turn.send(TurnStarted(turn.id))
        async for delta in turn.generation:
            turn.take(delta.text, delta.tokens)
        completion = turn.generation.completion
        assert completion is not None
        return completion

    def _reply_text(self, turn: Turn, labels: SpeakerLabels) -> ReplyText:
        longest, shortest = turn.params.max_new_tokens, turn.params.min_new_tokens
        last_tokens = min(LAST_TOKENS, longest // 2, longest - shortest)
        return ReplyText(
            labels,
            self._template.stops,
            last_tokens=last_tokens,
            begins_in_thought=self._template.begins_in_thought,
        )


def _sum(first: Usage, again: Usage) -> Usage:
    """What both took, as if the second had gone on from the first."""
    return replace(
        again,
        prompt_tokens=first.prompt_tokens,
        cached_tokens=first.cached_tokens,
        generated_tokens=first.generated_tokens + again.generated_tokens,
        time_to_first_token_ms=first.time_to_first_token_ms,
    )
