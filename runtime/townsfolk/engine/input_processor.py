"""From what a caller asks to a request that the engine can serve, or an error that says why not."""

from __future__ import annotations

import itertools
import math
import secrets
import time
from collections.abc import Sequence as Items
from dataclasses import dataclass, replace

from townsfolk.engine.branches import Branches
from townsfolk.engine.errors import InvalidPromptError, PromptTooLongError
from townsfolk.engine.request import Request
from townsfolk.engine.request_options import RequestOptions, check_names
from townsfolk.engine.rules import MAX_CONTRAST, NO_RULES, Contrast, ReplyRules
from townsfolk.sampling.params import SamplingParams
from townsfolk.text.tokenizer import Tokenizer

_MAX_PRIORITY = 100


@dataclass(frozen=True, slots=True)
class KvRoom:
    """How much an engine has room for at once.

    Attributes:
        sequences: in a step.
        tokens: whose keys and values it holds.
        block: tokens of a KV block.
    """

    sequences: int
    tokens: int
    block: int


class InputProcessor:
    """Checks and numbers requests, and encodes their prompts."""

    def __init__(
        self,
        tokenizer: Tokenizer | None,
        vocab_size: int,
        context_length: int,
        eos_ids: frozenset[int],
        room: KvRoom,
    ) -> None:
        """Make requests for one model.

        Args:
            tokenizer: its vocabulary; None to take token ids only.
            vocab_size: token ids are below it.
            context_length: the most tokens of prompt and reply.
            eos_ids: tokens that end a reply.
            room: for how much the engine has room at once.
        """
        self._room = room
        self._tokenizer = tokenizer
        self._vocab_size = vocab_size
        self._context_length = context_length
        self._eos_ids = eos_ids
        self._numbers = itertools.count()

    def request(
        self,
        prompt: str | Items[int],
        params: SamplingParams,
        options: RequestOptions,
        adapter: int,
    ) -> Request:
        """Return a request.

        Args:
            prompt: text or token ids; see `Engine.submit`.
            params: how to sample.
            options: how it is to be answered.
            adapter: the number of the adapter's loading; 0 for the model alone.

        Raises:
            InvalidPromptError: the prompt or an option can't be used.
            PromptTooLongError: the prompt leaves no room for a reply.
            InvalidSamplingError: a parameter doesn't fit the model.
            TypeError: there is no such option.
        """
        check_names(options)
        rules = options.get("rules", NO_RULES)
        priority, namespace = options.get("priority", 0), options.get("namespace", "")
        deadline_s, scored_from = options.get("deadline_s"), options.get("scored_from")
        check_priority(priority)
        if deadline_s is not None and not deadline_s > 0:
            raise InvalidPromptError(f"deadline_s must be above 0, but is {deadline_s!r}")
        params.check_vocabulary(self._vocab_size)
        if rules.records_draws and params.logprobs is None:
            params = replace(params, logprobs=0)
        token_ids = self._prompt_ids(prompt)
        longest = self._context_length
        if rules.contrast is not None:
            longest = self._longest_contrasted(token_ids, rules.contrast, scored_from)
        arrived = time.monotonic()
        return Request(
            number=next(self._numbers),
            prompt_ids=token_ids,
            params=params,
            seed=params.seed if params.seed is not None else secrets.randbits(64),
            max_tokens=min(
                len(token_ids) + (params.max_new_tokens if scored_from is None else 0), longest
            ),
            namespace=f"{namespace}\nadapter {adapter}" if adapter else namespace,
            priority=priority,
            arrived=arrived,
            deadline=None if deadline_s is None else arrived + deadline_s,
            echo=options.get("echo", False),
            end_ids=rules.end_ids,
            penalized_ids=self._penalized(token_ids, params, rules),
            grammar=options.get("grammar"),
            scored_from=scored_from,
            own_lines=rules.own_lines,
            adapter=adapter,
            contrast=rules.contrast,
            records_draws=rules.records_draws,
        )

    def branches(
        self, prompt_ids: Items[int], options: Items[Items[int]], namespace: str
    ) -> Branches | None:
        """Return texts that could follow a prompt; None where `request` would refuse one."""
        longest = max(map(len, options), default=0)
        if not all(options) or len(prompt_ids) + longest >= self._context_length:
            return None
        try:
            prompt = self._prompt_ids(prompt_ids)
            checked = tuple(self._prompt_ids(option) for option in options)
        except InvalidPromptError:
            return None
        return Branches(prompt, checked, namespace)

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a prompt; may be called from any thread.

        Raises:
            InvalidPromptError: the text can't be written as UTF-8, or there is no tokenizer.
        """
        if self._tokenizer is None:
            raise InvalidPromptError("this engine has no tokenizer: give token ids")
        try:
            return [*self._tokenizer.prefix_ids, *self._tokenizer.encode(text)]
        except ValueError as error:
            raise InvalidPromptError(f"the prompt can't be used: {error}") from error

    def _longest_contrasted(
        self, token_ids: tuple[int, ...], contrast: Contrast, scored_from: int | None
    ) -> int:
        """Return how long prompt and reply may become where a second one is computed beside them.

        Raises:
            InvalidPromptError: there is none, or it can't be used.
            PromptTooLongError: the two leave no room for a reply.
        """
        if scored_from is not None:
            raise InvalidPromptError("where nothing is drawn there is nothing to contrast")
        if self._room.sequences < 2:
            raise InvalidPromptError("contrast takes two places in the batch: set max_batch to 2")
        if not (math.isfinite(contrast.strength) and 0 < contrast.strength <= MAX_CONTRAST):
            raise InvalidPromptError(
                f"the contrast's strength must be above 0 and at most {MAX_CONTRAST:g}, "
                f"but is {contrast.strength!r}"
            )
        other = self._prompt_ids(contrast.prompt_ids)
        room = self._context_length - max(len(token_ids), len(other))
        # Each may leave its last block unfilled.
        room = min(room, (self._room.tokens - len(token_ids) - len(other)) // 2 - self._room.block)
        if room < 1:
            raise PromptTooLongError(len(token_ids) + len(other), self._room.tokens)
        return len(token_ids) + room

    def _penalized(
        self, prompt_ids: tuple[int, ...], params: SamplingParams, rules: ReplyRules
    ) -> tuple[int, ...]:
        """Return the prompt's tokens that the repetition penalty counts.

        Never end tokens: to end would grow less likely with each turn of a conversation.
        """
        if not (params.penalizes and rules.penalizes_prompt):
            return ()
        ends = self._eos_ids | rules.end_ids
        return tuple(token_id for token_id in prompt_ids if token_id not in ends)

    def _prompt_ids(self, prompt: str | Items[int]) -> tuple[int, ...]:
        if isinstance(prompt, str):
            token_ids = tuple(self.encode(prompt))
        else:
            token_ids = tuple(prompt)
            last = self._vocab_size - 1
            # One by one takes a millisecond for 3,000 tokens, and the event loop's millisecond.
            if {*map(type, token_ids)} != {int} or min(token_ids) < 0 or max(token_ids) > last:
                for token_id in token_ids:
                    _check_whole_between("prompt token ids", token_id, 0, last)
        if not token_ids:
            raise InvalidPromptError("the prompt is empty: give at least one token")
        if len(token_ids) >= self._context_length:
            raise PromptTooLongError(len(token_ids), self._context_length)
        return token_ids


def check_priority(value: object) -> None:
    """Check that it is a priority.

    Raises:
        InvalidPromptError: it is none.
    """
    _check_whole_between("priority", value, -_MAX_PRIORITY, _MAX_PRIORITY)


def _check_whole_between(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidPromptError(f"{name} must be whole, {low} to {high}, but is {value!r}")
