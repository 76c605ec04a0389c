"""Counters of the engine."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from townsfolk.engine.pacing import PaceStats

# Over how long the rate of tokens is taken, in seconds.
_RATE_WINDOW_S = 2.0
# Of how many requests the times to first token are kept, and of how many steps their own.
_LATENCIES = 256


class ModelState(Enum):
    """Where the model is."""

    LOADED = "loaded"
    RELEASED = "released"
    LOADING = "loading"


@dataclass(frozen=True, slots=True)
class StepStats:
    """What the last steps of one kind took, of those that were measured: 256 at most.

    Attributes:
        measured: how many these are.
        p50_ms: their median, in milliseconds.
        p99_ms: their 99th percentile.
        longest_ms: the longest.
    """

    measured: int
    p50_ms: float
    p99_ms: float
    longest_ms: float


NO_STEPS = StepStats(0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class EngineStats:
    """The engine's counters at one moment.

    Attributes:
        running: requests in the batch.
        waiting: requests that wait for room.
        tokens_per_second: tokens generated for each second, over the last two seconds.
        kv_blocks_used: KV blocks held by requests.
        kv_blocks_cached: KV blocks of no sequence whose content can be used again.
        kv_blocks_free: KV blocks that are empty.
        ttft_p50_ms: median time to first token of the last 256 requests, in milliseconds.
        ttft_p99_ms: its 99th percentile.
        generated_tokens_total: tokens generated since the start.
        prompt_tokens_total: prompt tokens since the start.
        cached_tokens_total: of these, those found in the KV cache.
        requests_total: requests that have ended since the start.
        preemptions_total: requests preempted and computed again since the start.
        model_state: whether the model is in memory.
        memory_used_mib: on a GPU all that the process is known to take there; on the CPU all the
            memory that is resident for the process, of which it shares files with others.
        decode_steps: times of steps in which all who spoke got a token, and nothing else was done.
        prompt_steps: times of steps in which parts of prompts were computed too.
        steps_total: steps since the start.
        pace: how steps keep out of the way of a game's frames; None while no game reports any.
    """

    running: int
    waiting: int
    tokens_per_second: float
    kv_blocks_used: int
    kv_blocks_cached: int
    kv_blocks_free: int
    ttft_p50_ms: float
    ttft_p99_ms: float
    generated_tokens_total: int
    prompt_tokens_total: int
    cached_tokens_total: int
    requests_total: int
    preemptions_total: int
    model_state: ModelState
    memory_used_mib: int
    decode_steps: StepStats = NO_STEPS
    prompt_steps: StepStats = NO_STEPS
    steps_total: int = 0
    pace: PaceStats | None = None


StepObserver = Callable[[float, int], None]
"""Learns, in the engine's thread, when a step ended (`time.monotonic`) and its number of tokens."""


class Meter:
    """Counts what the engine's thread does, for others to read.

    Attributes:
        step_observer: is called after each step.
    """

    def __init__(self) -> None:
        self.step_observer: StepObserver | None = None
        self._lock = threading.Lock()
        self._first_tokens_ms: deque[float] = deque(maxlen=_LATENCIES)
        self._recent: deque[tuple[float, int]] = deque()  # when a step ended, and its tokens
        self._decode_steps_ms: deque[float] = deque(maxlen=_LATENCIES)
        self._prompt_steps_ms: deque[float] = deque(maxlen=_LATENCIES)
        self.steps = 0
        self.generated_tokens = 0
        self.prompt_tokens = 0
        self.cached_tokens = 0

    def note_step(self, tokens: int) -> None:
        """Note that a step has given so many tokens."""
        now = time.monotonic()
        with self._lock:
            self.steps += 1
            self.generated_tokens += tokens
            self._recent.append((now, tokens))
            while self._recent[0][0] < now - _RATE_WINDOW_S:
                self._recent.popleft()
        if self.step_observer is not None:
            self.step_observer(now, tokens)

    def note_step_time(self, seconds: float, *, has_prompts: bool) -> None:
        """Note how long a step has taken; not each is measured."""
        times = self._prompt_steps_ms if has_prompts else self._decode_steps_ms
        with self._lock:
            times.append(1000 * seconds)

    def note_first_token(self, milliseconds: float, prompt: int, cached: int) -> None:
        """Note that a request has given its first token."""
        with self._lock:
            self._first_tokens_ms.append(milliseconds)
            self.prompt_tokens += prompt
            self.cached_tokens += cached

    def tokens_per_second(self) -> float:
        """Return the rate of late."""
        since = time.monotonic() - _RATE_WINDOW_S
        with self._lock:
            return sum(tokens for when, tokens in self._recent if when >= since) / _RATE_WINDOW_S

    def first_token_percentiles(self, shares: Sequence[float]) -> list[float]:
        """Return percentiles of the time to first token, in milliseconds; 0 where there is none."""
        with self._lock:
            ordered = sorted(self._first_tokens_ms)
        return _percentiles(ordered, shares)

    def step_times(self) -> tuple[StepStats, StepStats]:
        """Return what steps without and with prompts took of late."""
        with self._lock:
            both = sorted(self._decode_steps_ms), sorted(self._prompt_steps_ms)
        without, with_prompts = (
            StepStats(len(ordered), *_percentiles(ordered, (0.5, 0.99, 1.0))) for ordered in both
        )
        return without, with_prompts


def _percentiles(ordered: Sequence[float], shares: Sequence[float]) -> list[float]:
    if not ordered:
        return [0.0 for _ in shares]
    # The nearest rank: the smallest value that so many are not above.
    return [ordered[max(math.ceil(share * len(ordered)) - 1, 0)] for share in shares]
