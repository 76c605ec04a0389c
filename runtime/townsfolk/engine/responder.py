"""Tells the callers what steps have given their requests."""

from __future__ import annotations

import math
import time
from collections.abc import Collection
from collections.abc import Sequence as Items

from townsfolk.engine.errors import EngineError, GenerationFailedError
from townsfolk.engine.open_requests import OpenRequests
from townsfolk.engine.outbox import Outbox
from townsfolk.engine.outputs import Completion, FinishReason, TokenInfo
from townsfolk.engine.response import Response
from townsfolk.engine.scheduled_step import ScheduledStep
from townsfolk.engine.scheduler import Scheduler
from townsfolk.engine.sequence import Sequence
from townsfolk.engine.stats import Meter
from townsfolk.engine.step import ContrastPair, ItemOutput, StepItem
from townsfolk.grammar import GrammarFailedError, MaskRows, Matcher
from townsfolk.grammar.matcher import Bits
from townsfolk.sampling import plain_token


class Responder:
    """Owns the responses under way. For the engine's thread only.

    Attributes:
        outbox: brings events to the callers.
        idle_since: when the last request ended, on the monotonic clock.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        meter: Meter,
        open_requests: OpenRequests,
        eos_ids: Collection[int],
        mask_rows: MaskRows,
    ) -> None:
        """Make a responder without requests.

        Args:
            scheduler: is told what steps gave, and of requests that end.
            meter: counts.
            open_requests: requests that have not ended; those that do are taken out.
            eos_ids: tokens that end every reply.
            mask_rows: computes masks.
        """
        self.outbox = Outbox()
        self.idle_since = time.monotonic()
        self._scheduler = scheduler
        self._meter = meter
        self._open_requests = open_requests
        self._eos_ids = eos_ids
        self._mask_rows = mask_rows
        self._responses: dict[Sequence, Response] = {}
        self._forced = 0  # tokens since the last step that was taken

    def __len__(self) -> int:
        return len(self._responses)

    def open(self) -> list[Response]:
        """Return those of requests that have not ended."""
        return list(self._responses.values())

    def sequences(self) -> set[Sequence]:
        """Return the sequences of requests that have not ended."""
        return {*self._responses}

    def has(self, response: Response) -> bool:
        """Return whether a request has not ended."""
        return response.sequence in self._responses

    def of(self, sequence: Sequence) -> Response:
        """Return the response that a sequence is computed for."""
        return self._responses[sequence.leader]

    def add(self, response: Response) -> None:
        """Take another request."""
        self._responses[response.sequence] = response

    def send(self) -> None:
        """Have the callers told what is new."""
        lost = self.outbox.flush()
        self._open_requests.note_sent()
        for queue in lost:
            queue.cancel()  # nobody can read it any more

    def fast_forward(self, step: ScheduledStep, least: int | None) -> None:
        """Give replies the tokens of which their grammars leave no choice, instead of a draw.

        Args:
            step: the latest; all tokens before must have been taken.
            least: how many they are at least, else they are drawn; None for never.
        """
        if least is None:
            return
        for sequence, item in step.live():
            params = sequence.request.params
            if sequence.request.grammar is None:
                continue
            # What is not drawn has no log-probabilities, and penalties would not count it.
            needs_none = params.logprobs is None or sequence.request.records_draws
            if item.masked and needs_none and not params.penalizes:
                response = self._responses[sequence]
                try:
                    self._fast_forward(response, least)
                except Exception as error:
                    self.fail(response, error)

    def go_on(
        self,
        step: ScheduledStep,
        outputs: list[ItemOutput],
        following: ScheduledStep,
        memory: Bits | None,
    ) -> None:
        """Have masks of the step that follows computed by what this one drew, before all else.

        `take` must come next, with the same outputs, and then `masks`.

        Args:
            step: the one that was computed.
            outputs: what it gave.
            following: the one behind it.
            memory: where the masks are wanted, if it matters.
        """
        self._mask_rows.use(memory)
        waiting = {sequence for sequence, item in following.live() if item.masked}
        matchers: list[Matcher] = []
        token_ids: list[int] = []
        for sequence, epoch, output in zip(step.sequences, step.epochs, outputs, strict=True):
            if sequence not in waiting or sequence.epoch != epoch or sequence.follows:
                continue
            response = self._responses[sequence]
            if response.matcher is None or output.error is not None or len(output.tokens) != 1:
                continue
            token_id, left = output.tokens[0].token_id, response.tokens_left
            if left <= 1 or (response.ender is not None and response.ender.looks(left)):
                continue
            if self._ends(response, token_id) is None:
                matchers.append(response.matcher)
                token_ids.append(token_id)
        if matchers:
            self._mask_rows.go_on(matchers, token_ids)

    def masks(self, step: ScheduledStep) -> tuple[list[int], Bits]:
        """Return among which tokens those of a step draw that are under a grammar.

        All tokens before must have been taken. Replies that can't go on are failed.

        Returns:
            places in the step's plan, and [at most places, words], the masks of the first of them;
            the others may draw any token.
        """
        places: list[int] = []
        matchers: list[Matcher] = []
        free: list[int] = []  # those that only look back may draw any token
        parts = zip(step.sequences, step.epochs, step.plan.items, strict=True)
        for place, (sequence, epoch, item) in enumerate(parts):
            if not item.masked or sequence.epoch != epoch:
                continue
            if sequence.is_extended or sequence.follows:
                continue
            matcher = self._responses[sequence].matcher
            if matcher is None:
                free.append(place)
            else:
                places.append(place)
                matchers.append(matcher)
        masks, failed = self._mask_rows.fill(matchers)
        if failed:
            for number, error in failed.items():
                self.fail(self.of(step.sequences[places[number]]), error)
            kept = [number for number in range(len(places)) if number not in failed]
            places, masks = [places[number] for number in kept], masks[kept]
        return places + free, masks

    def biases(self, step: ScheduledStep, places: Items[int]) -> dict[int, dict[int, float]]:
        """Return what is added to logits of items of a step that would else repeat themselves.

        Returns:
            by place, by token id; also where that is nothing any more.
        """
        repeats = ((place, self._responses[step.sequences[place]].repeats) for place in places)
        return {place: each.biases() for place, each in repeats if each is not None}

    def contrasts(self, step: ScheduledStep, places: Items[int]) -> dict[int, ContrastPair]:
        """Return, by place, what items of a step are drawn in contrast to."""
        chosen = [place for place in places if step.sequences[place].partner is not None]
        if not chosen:
            return {}
        place_of = {sequence: place for place, sequence in enumerate(step.sequences)}
        found: dict[int, ContrastPair] = {}
        for place in chosen:
            sequence = step.sequences[place]
            contrast, partner = sequence.request.contrast, sequence.partner
            assert contrast is not None
            assert partner is not None
            found[place] = ContrastPair(place_of[partner], contrast.strength)
        return found

    def take(self, step: ScheduledStep, outputs: list[ItemOutput], now: float) -> None:
        """Give each request what a step has given it, at this time of the monotonic clock."""
        tokens, responses = 0, self._responses
        for sequence, epoch, item, output in step.parts(outputs):
            if sequence.epoch != epoch:  # it has left the batch since
                continue
            response = responses[sequence.leader if sequence.follows else sequence]
            try:
                tokens += self._take(response, item, output, now, sequence.follows)
            except Exception as error:
                self.fail(response, error)
        self._meter.note_step(tokens + self._forced)
        self._forced = 0

    def note_step_time(self, seconds: float, *, has_prompts: bool) -> None:
        """Count what a step has taken, where that was measured."""
        self._meter.note_step_time(seconds, has_prompts=has_prompts)

    def finish(
        self, response: Response, reason: FinishReason, last: TokenInfo | None = None
    ) -> None:
        """End a request with the reply that it has got."""
        self._leave(response)
        try:
            delta = response.reply.finish(reason, last)
        except Exception as error:
            self._end(response, _failure(error))
            return
        if delta is not None:
            self.outbox.put(response.queue, delta)
        self._end(response, response.completion(reason))

    def fail(self, response: Response, error: Exception) -> None:
        """End a request with an error, unless it has ended."""
        if self.has(response):
            self._leave(response)
            self._end(response, _failure(error))

    def _take(
        self, response: Response, item: StepItem, output: ItemOutput, now: float, follows: bool
    ) -> int:
        """Give one request what it has got; return how many tokens its reply has got."""
        if output.error is not None:
            raise output.error
        sequence, tokens = response.sequence, output.tokens
        if follows:
            assert sequence.partner is not None
            self._scheduler.advance(sequence.partner, item, ())
            return 0
        self._scheduler.advance(sequence, item, tokens)
        if response.is_reported:
            whole = response.note_prompt(output.prompt_infos)
            if whole and sequence.request.scored_from is not None:
                self.finish(response, FinishReason.END)
                return 0
            if whole:
                self.outbox.put(response.queue, tuple(response.prompt_infos))
            self._scheduler.note_scored(sequence, response.prompt_known)
        if not tokens:
            return 0
        if response.first_token_at is None:
            self._note_first(response, now)
        response.last_token_at = now
        count = 0
        for token in tokens:
            count += 1
            if self._push(response, token):
                break  # what was drawn behind the end is not of the reply
        return count

    def _fast_forward(self, response: Response, least: int) -> None:
        """Give one reply the tokens that must follow, if they are so many."""
        assert response.matcher is not None
        forced = response.matcher.forced()[: response.tokens_left]
        if len(forced) < least:
            return
        now = time.monotonic()
        if response.first_token_at is None:
            self._note_first(response, now)
        response.last_token_at = now
        self._scheduler.skip_draw(response.sequence)
        for token_id in forced:
            self._forced += 1
            self._scheduler.extend(response.sequence, token_id)
            if self._push(response, plain_token(token_id)):
                return

    def _note_first(self, response: Response, now: float) -> None:
        """Note that the first tokens have come."""
        sequence = response.sequence
        response.first_token_at = now
        waited = (now - sequence.request.arrived) * 1000
        self._meter.note_first_token(waited, sequence.prompt_length, sequence.cached_tokens)

    def _push(self, response: Response, token: TokenInfo) -> bool:
        """Add a token to a reply; return whether that ends it."""
        token_id = token.token_id
        left = response.tokens_left = response.tokens_left - 1
        if (why := self._ends(response, token_id)) is not None:
            self.finish(response, why, token)
            return True
        reply = response.reply
        if response.matcher is not None:
            if response.ender is not None:
                end = response.ender.judge(token_id, left + 1)
                if end is not None:
                    self._complete(response, end)
                    return True
            response.matcher.accept(token_id)
        if response.repeats is not None:
            response.repeats.accept(token_id)
        delta = reply.push(token, left)
        if delta is not None:
            self.outbox.put(response.queue, delta)
        reason = reply.ended
        if reason is None and response.matcher is not None and response.matcher.is_over:
            reason = FinishReason.END
        if reason is None and left > 0:
            return False
        self.finish(response, reason or FinishReason.LENGTH)
        return True

    def _ends(self, response: Response, token_id: int) -> FinishReason | None:
        """Return why a reply ends with a token that is no part of it; None where it does not."""
        if token_id in self._eos_ids or token_id in response.end_ids:
            return FinishReason.END
        return FinishReason.STOP if token_id in response.stop_ids else None

    def _complete(self, response: Response, end: list[int]) -> None:
        """End a reply with these tokens instead of the one that was drawn last."""
        self._scheduler.replace_last(response.sequence, end)
        response.tokens_left += 1
        unknown = None if response.sequence.logprobs is None else math.nan
        for token_id in end:
            response.tokens_left -= 1
            delta = response.reply.push(TokenInfo(token_id, unknown), response.tokens_left)
            if delta is not None:
                self.outbox.put(response.queue, delta)
            if response.reply.ended is not None:
                break
        self.finish(response, response.reply.ended or FinishReason.LENGTH)

    def _leave(self, response: Response) -> None:
        """Take a request out; its blocks are free at once."""
        del self._responses[response.sequence]
        self._scheduler.remove(response.sequence)

    def _end(self, response: Response, event: Completion | Exception) -> None:
        self.outbox.put(response.queue, event)
        self._open_requests.remove(response.sequence.number)
        self.idle_since = time.monotonic()


def _failure(error: Exception) -> Exception:
    if isinstance(error, EngineError | GrammarFailedError):
        return error
    failure = GenerationFailedError(f"the request failed: {error}")
    failure.__cause__ = error
    return failure
