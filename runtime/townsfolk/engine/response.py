"""A request under way, as its caller sees it."""

from __future__ import annotations

from collections.abc import Sequence as Items

from townsfolk.engine.output_queue import OutputQueue
from townsfolk.engine.outputs import Completion, FinishReason, TokenInfo, Usage
from townsfolk.engine.reply import Reply
from townsfolk.engine.sequence import Sequence
from townsfolk.grammar import Matcher
from townsfolk.grammar.ending import Ender
from townsfolk.sampling.repeats import RepeatPenalty


class Response:
    """What has become of a request so far: its text, its times, what is known of its prompt.

    Attributes:
        sequence: what is computed for it.
        reply: its text.
        queue: where its caller is told.
        matcher: where it stands in its grammar, if it has one.
        ender: what ends it as the grammar allows before it reaches its limit, if it can.
        repeats: what makes it less likely to repeat itself, if anything.
        prompt_infos: what is known of the prompt's tokens, where they are reported.
        tokens_left: how many tokens may still be added.
        first_token_at: when its first token came, on the monotonic clock.
        last_token_at: when its latest token came.
    """

    __slots__ = (
        "_most", "end_ids", "ender", "first_token_at", "is_reported", "last_token_at", "matcher",
        "prompt_infos", "queue", "repeats", "reply", "sequence", "stop_ids", "tokens_left",
    )  # fmt: skip

    def __init__(
        self,
        sequence: Sequence,
        reply: Reply,
        queue: OutputQueue,
        repeats: RepeatPenalty | None = None,
    ) -> None:
        """Make the response to a request that nothing is computed of yet."""
        self.sequence = sequence
        self.reply = reply
        self.queue = queue
        self.repeats = repeats
        grammar = sequence.request.grammar
        self.matcher: Matcher | None = None
        self.ender: Ender | None = None
        if grammar is not None:
            self.matcher = grammar.matcher()
            self.ender = grammar.ender(self.matcher, sequence.max_tokens - sequence.prompt_length)
        self.prompt_infos: list[TokenInfo] = []
        self.first_token_at: float | None = None
        self.last_token_at = 0.0
        # What is looked at for every token of every reply.
        self.is_reported = sequence.request.is_reported
        self.end_ids = sequence.request.end_ids
        self.stop_ids = sequence.request.params.stop_token_ids
        self._most = self.tokens_left = sequence.max_tokens - sequence.prompt_length

    @property
    def num_tokens(self) -> int:
        """How many tokens the reply has."""
        return self._most - self.tokens_left

    def note_prompt(self, scored: Items[TokenInfo]) -> bool:
        """Note what a step tells of the prompt's tokens; return whether all are known now."""
        length = len(self.sequence.request.prompt_ids)
        known = self.prompt_known
        if known == length:
            return False
        if self.sequence.scores_prompt:
            if not known:
                self.prompt_infos.append(TokenInfo(self.sequence.request.prompt_ids[0], 0.0))
            self.prompt_infos += scored
        else:
            self.prompt_infos = [TokenInfo(each) for each in self.sequence.request.prompt_ids]
        return self.prompt_known == length

    @property
    def prompt_known(self) -> int:
        """Up to which token of the prompt its caller can be told."""
        return self.sequence.request.reported_from + len(self.prompt_infos)

    def completion(self, reason: FinishReason) -> Completion:
        """Return the whole reply, which has ended."""
        sequence = self.sequence
        first = sequence.prompt_length
        return Completion(
            text=self.reply.text,
            token_ids=tuple(sequence.token_ids[first : first + self.num_tokens]),
            finish_reason=reason,
            usage=self._usage(),
            stop_text=self.reply.stop_text,
            prompt_tokens=tuple(self.prompt_infos),
        )

    def _usage(self) -> Usage:
        request, first = self.sequence.request, self.first_token_at
        speaking = self.last_token_at - first if first is not None else 0.0
        return Usage(
            prompt_tokens=len(request.prompt_ids),
            cached_tokens=self.sequence.cached_tokens,
            generated_tokens=self.num_tokens,
            time_to_first_token_ms=(first - request.arrived) * 1000 if first is not None else 0.0,
            tokens_per_second=(self.num_tokens - 1) / speaking if speaking > 0 else 0.0,
            seed=request.seed,
        )
