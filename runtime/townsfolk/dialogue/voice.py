"""Has the model say what a character answers."""

import asyncio
from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass, replace

from townsfolk.dialogue.acting import Acting, action_params, ask
from townsfolk.dialogue.chat_model import ChatModel
from townsfolk.dialogue.choice import Choice, Question, decide
from townsfolk.dialogue.encoding import EncodedPrompt
from townsfolk.dialogue.events import NO_USAGE, TurnStarted
from townsfolk.dialogue.labels import SpeakerLabels
from townsfolk.dialogue.prompt import DEFAULT_SPEAKER
from townsfolk.dialogue.reply import ReplyText
from townsfolk.dialogue.turn import Turn
from townsfolk.engine.errors import DeadlineExceededError, PromptTooLongError
from townsfolk.engine.outputs import Completion, FinishReason, TokenInfo, Usage
from townsfolk.engine.repetition import guard_of
from townsfolk.engine.rules import ReplyRules
from townsfolk.engine.scoring import score
from townsfolk.grammar import CompiledGrammar, Grammar

# How many tokens before its limit a reply ends with its sentence: sentences of speech are shorter.
LAST_TOKENS = 40
# What was said where nothing is to be.
_NOTHING = Completion("", (), FinishReason.END, NO_USAGE)


class Voice:
    """What one character says, and nobody else's words."""

    def __init__(self, name: str, model: ChatModel, adapter: str = "") -> None:
        """Speak as the character of this name."""
        self._name = name
        self._model = model
        self._adapter = adapter

    async def answer(
        self,
        turn: Turn,
        prompt: EncodedPrompt,
        speakers: Set[str],
        priority: int,
        acting: Acting | None = None,
    ) -> Completion | None:
        """Send what the model says as it says it; return None if the turn was cut off before.

        A model that begins as somebody else gets the character's own label to go on from.

        Args:
            turn: What is answered.
            prompt: What the model is told.
            speakers: Everybody who has spoken in the session or is about to.
            priority: Of the request.
            acting: What the character may do, if anything.

        Raises:
            EngineError: The request failed, or the deadline passed before the answer began.
            InvalidGrammarError: The answer's grammar can't be used.
        """
        if turn.interrupted:
            return None
        if turn.utterance.grammar is not None:
            return await self._fill(turn, prompt, turn.utterance.grammar, priority)
        labels = SpeakerLabels(self._name, speakers | {DEFAULT_SPEAKER})
        begins = "" if acting is None else acting.begins
        reply, token_ids = self._reply_text(turn, labels, begins), prompt.token_ids
        if acting is not None and acting.now.silent:
            silent = _Said(reply, token_ids, _NOTHING)
            return await self._act(turn, acting, silent, labels, priority)
        if turn.may_retry:
            turn.hold()
        completion = await self._speak(turn, token_ids, reply, priority)
        if completion.finish_reason is FinishReason.REPETITION and turn.may_retry:
            if written := turn.drop_held():
                token_ids = token_ids + self._model.encode_more(written)
            reply = self._reply_text(turn, labels, begins)
            completion = await self._retry(turn, token_ids, reply, priority, completion.usage)
        turn.let_go()
        if reply.began_as_another and not turn.interrupted:
            token_ids += self._model.tokenizer.encode(f"{self._name}:", continues=True)
            reply = self._reply_text(turn, labels, begins)
            again = await self._speak(turn, token_ids, reply, priority)
            # Its tokens don't follow the prompt: with the next line they are encoded anew.
            completion = replace(again, token_ids=(), usage=_sum(completion.usage, again.usage))
        if acting is not None:
            said = _Said(reply, token_ids, completion)
            completion = await self._act(turn, acting, said, labels, priority)
        if completion.finish_reason is not FinishReason.INTERRUPTED:
            turn.end_sentence()
        return completion

    async def _retry(
        self, turn: Turn, token_ids: list[int], reply: ReplyText, priority: int, before: Usage
    ) -> Completion:
        """Go on with other draws behind the sentences that were whole."""
        turn.retries += 1
        turn.params = replace(turn.params, seed=(before.seed + 1) % 2**64)
        turn.goes_on = bool(turn.text)
        again = await self._speak(turn, token_ids, reply, priority)
        return replace(again, token_ids=(), usage=_sum(before, again.usage))

    async def _act(
        self, turn: Turn, acting: Acting, said: "_Said", labels: SpeakerLabels, priority: int
    ) -> Completion:
        """Let the character act behind what it has said, as long as it begins to; return all of it.

        What is written of an action is drawn under its grammar, in a request of its own, and is
        nothing to the game until it is whole.
        """
        grammar = acting.book.grammar(acting.names, or_none=not acting.now.required)
        compiled = await self._model.engine.compile(grammar)
        form, limit = acting.book.format, acting.now.limit
        for number in range(limit):
            must = acting.now.required and number == 0
            if not (said.begins_action(acting) or (must and said.is_whole)) or turn.interrupted:
                break
            token_ids = said.token_ids + self._model.encode_more(said.reply.text + form.opens)
            written = await self._write_action(turn, token_ids, compiled, priority)
            if written is None:
                break
            said = said.with_usage(written.usage)
            call = None
            if written.finish_reason is FinishReason.END:  # one that was cut off runs nothing
                call = acting.book.read(written.text)
            if call is None or turn.interrupted:
                break
            turn.end_sentence()
            outcome = await ask(turn, acting, call)
            if outcome is None or turn.interrupted or not acting.goes_on(outcome):
                break
            told = form.closes + form.answer.format(call.told(self._name, outcome))
            token_ids += self._model.encode_more(call.text + told)
            turn.goes_on = True
            begins = acting.begins if number + 1 < limit else ""
            reply = self._reply_text(turn, labels, begins)
            completion = await self._speak(turn, token_ids, reply, priority)
            usage = _sum(said.completion.usage, completion.usage)
            said = _Said(reply, token_ids, replace(completion, token_ids=(), usage=usage))
        reason = said.completion.finish_reason
        if turn.interrupted:
            reason = FinishReason.INTERRUPTED
        return replace(said.completion, finish_reason=reason)

    async def _write_action(
        self, turn: Turn, token_ids: list[int], grammar: CompiledGrammar, priority: int
    ) -> Completion | None:
        """Return what the model writes of an action; None where there is no time or room for it."""
        left = None if turn.deadline is None else turn.deadline - asyncio.get_running_loop().time()
        if left is not None and left <= 0:
            return None
        begins = turn.generation is None
        try:
            turn.generation = self._model.engine.submit(
                token_ids,
                action_params(turn.params, turn.actions_taken),
                priority=priority,
                deadline_s=left,
                namespace=self._model.namespace,
                rules=ReplyRules(
                    penalizes_prompt=False,
                    speaker=self._name,
                    is_action=True,
                    records_draws=turn.draws is not None,
                ),
                grammar=grammar,
                adapter=self._adapter,
            )
            if begins:
                turn.send(TurnStarted(turn.id))
            tokens: list[TokenInfo] = []
            async for delta in turn.generation:
                tokens += delta.tokens
        except (DeadlineExceededError, PromptTooLongError):
            return None
        turn.record(token_ids, tokens, grammar.grammar)
        return turn.generation.completion

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
        options = [self._model.encode_more(each) for each in question.options]
        prompt = self._model.without_thought(await fitted(max(map(len, options))))
        scored = await score(
            self._model.engine,
            prompt,
            options,
            priority=priority,
            namespace=self._model.namespace,
            adapter=self._adapter,
        )
        return decide(question, len(prompt), scored)

    async def _fill(
        self, turn: Turn, prompt: EncodedPrompt, grammar: Grammar, priority: int
    ) -> Completion:
        """Send a reply under a grammar, as it is: all that is in it was asked for."""
        token_ids = self._model.without_thought(prompt.token_ids)
        compiled = await self._model.engine.compile(grammar)
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
        params = turn.params
        if turn.meter is not None and params.logprobs is None:
            params = replace(params, logprobs=0)
        turn.generation = self._model.engine.submit(
            token_ids,
            params,
            priority=priority,
            deadline_s=left,
            namespace=self._model.namespace,
            rules=ReplyRules(
                end_ids=frozenset(self._model.template.stop_token_ids),
                penalizes_prompt=False,
                text_filter=reply,
                speaker=self._name,
                begins_action="" if reply is None else reply.begins_action,
                own_lines=self._own_lines(turn) if grammar is None else (),
                contrast=None if turn.plain is None else turn.plain.behind(token_ids),
                records_draws=turn.draws is not None,
            ),
            grammar=grammar,
            adapter=self._adapter,
        )
        if begins:
            turn.send(TurnStarted(turn.id))
        tokens: list[TokenInfo] = []
        async for delta in turn.generation:
            tokens += delta.tokens
            turn.take(delta.text, delta.tokens)
        turn.record(token_ids, tokens, None if grammar is None else grammar.grammar)
        completion = turn.generation.completion
        assert completion is not None
        return completion

    def _own_lines(self, turn: Turn) -> tuple[tuple[int, ...], ...]:
        """Return what is not to be repeated, as tokens: what was said before, and in this turn."""
        if not turn.params.looks_back:
            return ()
        lines = [*turn.own_lines, turn.text] if turn.text else turn.own_lines
        return tuple(tuple(self._model.encode_more(line)) for line in lines)

    def _reply_text(self, turn: Turn, labels: SpeakerLabels, begins: str = "") -> ReplyText:
        longest, shortest = turn.params.max_new_tokens, turn.params.min_new_tokens
        last_tokens = min(LAST_TOKENS, longest // 2, longest - shortest)
        stops, form = self._model.template.stops, self._model.action_format
        # Models that have learned to act begin to where they may not: nobody should hear that.
        if form.closes and form.begins != begins:
            stops = (*stops, form.begins)
        return ReplyText(
            labels,
            stops,
            begins_action=begins,
            last_tokens=last_tokens,
            begins_in_thought=self._model.template.begins_in_thought,
            guard=None if turn.params.stop_repetition is False else guard_of(turn.params),
        )


@dataclass(frozen=True, slots=True)
class _Said:
    """What was said last, and behind which prompt."""

    reply: ReplyText
    token_ids: list[int]
    completion: Completion

    @property
    def is_whole(self) -> bool:
        """Whether the model itself, or its limit, has ended it."""
        cut = (FinishReason.INTERRUPTED, FinishReason.DEADLINE)
        return self.completion.finish_reason not in cut

    def begins_action(self, acting: Acting) -> bool:
        """Return whether it ends where an action begins."""
        return self.is_whole and self.reply.stopped == acting.begins

    def with_usage(self, usage: Usage) -> "_Said":
        """Return it as if another request had been part of it."""
        before = self.completion.usage
        usage = usage if before is NO_USAGE else _sum(before, usage)
        return replace(self, completion=replace(self.completion, token_ids=(), usage=usage))


def _sum(first: Usage, again: Usage) -> Usage:
    """Return what both took, as if the second had gone on from the first."""
    return replace(
        again,
        prompt_tokens=first.prompt_tokens,
        cached_tokens=first.cached_tokens,
        generated_tokens=first.generated_tokens + again.generated_tokens,
        time_to_first_token_ms=first.time_to_first_token_ms,
    )
