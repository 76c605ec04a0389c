"""What would repeat: tokens that go on as earlier text did, and how much less likely they become.

DRY ("don't repeat yourself") looks for earlier places where the last tokens stood, and makes what
followed there less likely: the more, the longer the part that repeats. See
https://github.com/oobabooga/text-generation-webui/pull/5677.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from townsfolk.sampling.params import SamplingParams

BAN = -100.0
"""What is added to the logit of a token that must not come, unless nothing else can."""
_NONE = -1  # between lines: no token


class RepeatPenalty:
    """Follows one reply, and tells what is to be added to the logits of its next token.

    It counts earlier lines of whoever speaks and the reply itself, nothing else.
    """

    def __init__(
        self,
        params: SamplingParams,
        lines: Iterable[Sequence[int]] = (),
        is_breaker: Callable[[int], bool] = lambda _: False,
    ) -> None:
        """Begin a reply.

        Args:
            params: how much.
            lines: earlier lines, as tokens.
            is_breaker: tells whether DRY looks no further back than this token.
        """
        self._params = params
        self._is_breaker = is_breaker
        ids = [token_id for line in lines for token_id in (_NONE, *line)]
        self._length = len(ids) + 1
        self._ids = np.full(self._length + 256, _NONE, dtype=np.int64)
        self._ids[: len(ids)] = ids
        # How many tokens that end at each place are the last ones of the reply; DRY's end at
        # breakers.
        self._dry = np.zeros(len(self._ids), dtype=np.int64)
        self._whole = np.zeros(len(self._ids), dtype=np.int64)

    def accept(self, token_id: int) -> None:
        """Take the reply's next token."""
        length = self._length
        if length == len(self._ids):
            room = np.full(length, _NONE, dtype=np.int64)
            self._ids = np.concatenate((self._ids, room))
            self._dry, self._whole = (
                np.concatenate((each, np.zeros_like(each))) for each in (self._dry, self._whole)
            )
        same = self._ids[:length] == token_id
        for ends in (self._dry, self._whole):
            ends[1:length] = ends[: length - 1] + 1
            ends[0] = 1
            ends[:length] *= same
        if self._is_breaker(token_id):
            self._dry[:length] = 0
        self._ids[length] = token_id
        self._length += 1

    def biases(self) -> dict[int, float]:
        """Return what is to be added to the logits of tokens."""
        params, last = self._params, self._length - 1
        following = self._ids[1 : last + 1]
        found: dict[int, float] = {}
        if params.dry_multiplier:
            lengths = self._dry[:last]
            for place in np.flatnonzero(
                (lengths >= params.dry_allowed_length) & (following != _NONE)
            ).tolist():
                longer = min(int(lengths[place]) - params.dry_allowed_length, 64)
                bias = -params.dry_multiplier * params.dry_base**longer
                token_id = int(following[place])
                found[token_id] = max(min(found.get(token_id, 0.0), bias), BAN)
        if params.no_repeat_tokens:
            whole = self._whole[:last] >= params.no_repeat_tokens - 1
            for token_id in following[whole & (following != _NONE)].tolist():
                found[token_id] = BAN
        return found
