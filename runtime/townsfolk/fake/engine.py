"""An engine that says what a script has it say, with the script's delays and failures."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import time
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Unpack

from townsfolk.engine.adapter_info import NoAdapters
from townsfolk.engine.errors import (
    AdapterNotFoundError,
    DeadlineExceededError,
    EngineClosedError,
    EngineError,
    EngineFailedError,
    EngineOverloadedError,
    GenerationFailedError,
    InvalidPromptError,
    PromptTooLongError,
)
from townsfolk.engine.generation import Event, Generation
from townsfolk.engine.info import EngineInfo
from townsfolk.engine.outputs import Completion, FinishReason, TextDelta, TokenInfo, Usage
from townsfolk.engine.pacing import FrameReport
from townsfolk.engine.repetition import filter_of
from townsfolk.engine.request_options import RequestOptions, check_names
from townsfolk.engine.rules import NO_RULES, ReplyRules
from townsfolk.engine.stats import EngineStats, Meter, ModelState
from townsfolk.engine.unread import MOST_OF_ALL, Unread
from townsfolk.fake.acts import UnfitActError, check_written
from townsfolk.fake.script import Failure, Line, Script
from townsfolk.fake.vocabulary import Heard, last_heard, make_tokenizer
from townsfolk.grammar import CompiledGrammar, Grammar, GrammarCompiler
from townsfolk.sampling.params import SamplingParams
from townsfolk.text.stop import StopScanner

CRASHED = 70
"""The status of a runtime that crashed as its script says."""
LIKELY, UNLIKELY = -0.01, -2.0
"""Log-probability of each token of an option, in nats: of the script's answer, and of others."""
_MAX_BATCH = 64
_WORD = re.compile(r"\s*\S+\s*$|\s*\S+")


class ScriptedEngine:
    """What the dialogue and the service need of an engine, without a model.

    It runs in the event loop that asks it, and has all that `Engine` has for them.
    """

    def __init__(self, script: Script, name: str) -> None:
        """Take a script, and what the model is to be called."""
        self.tokenizer = make_tokenizer()
        self.weight_files = None
        self.default_params = SamplingParams()
        self.unread = Unread(MOST_OF_ALL)
        self.adapters = NoAdapters()
        self.failed: Future[EngineFailedError] = Future()
        self.info = EngineInfo(
            model=name,
            parameters=0,
            device="script",
            dtype="none",
            context_length=script.context_tokens,
            kv_memory_mib=0,
            kv_capacity_tokens=script.context_tokens,
            max_batch=_MAX_BATCH,
            memory_limit_mib=0,
        )
        self._script = script
        self._said: Counter[tuple[Line, str]] = Counter()
        self._replies: set[asyncio.Task[None]] = set()
        self._meter = Meter()
        self._total = 0
        self._closed = False
        self._state = ModelState.LOADED
        self._grammars = GrammarCompiler(
            self.tokenizer, self.tokenizer.vocab_size, self.tokenizer.eos_ids
        )

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a text; see `Engine.encode`."""
        try:
            return self.tokenizer.encode(text)
        except ValueError as error:
            raise InvalidPromptError(f"the prompt can't be used: {error}") from error

    async def compile(self, grammar: Grammar) -> CompiledGrammar:
        """Check a grammar as the real engine does; the script's line is said whatever it is."""
        return await asyncio.to_thread(self._grammars.compile, grammar)

    async def branch(
        self, prompt_ids: Sequence[int], options: Sequence[Sequence[int]], namespace: str = ""
    ) -> list[list[float]]:
        """Return how likely options are; see `Engine.branch` and `submit`."""
        if self._closed:
            raise EngineClosedError
        self._total += 1
        return [[self._likelihood(prompt_ids, option)] * len(option) for option in options]

    def submit(
        self,
        prompt: str | Sequence[int],
        params: SamplingParams | None = None,
        **options: Unpack[RequestOptions],
    ) -> Generation:
        """Begin a reply; see `Engine.submit`. Of options to be scored, the script's is likeliest.

        Raises:
            EngineError: The script refuses it, or has no line for it.
        """
        if self._closed:
            raise EngineClosedError
        if self.failed.done():
            raise self.failed.result()
        check_names(options)
        if adapter := options.get("adapter", ""):
            raise AdapterNotFoundError(adapter, [], is_there=True)
        self._state = ModelState.LOADED
        ids = self.encode(prompt) if isinstance(prompt, str) else list(prompt)
        if len(ids) >= self.info.context_length:
            raise PromptTooLongError(len(ids), self.info.context_length)
        if (scored_from := options.get("scored_from")) is not None:
            return self._scored(ids, scored_from)
        rules = options.get("rules", NO_RULES)
        heard = last_heard(ids, self.tokenizer)
        line = self._script.find(rules.speaker, heard)
        if line is None:
            who = rules.speaker or "a plain prompt"
            raise InvalidPromptError(
                f"the script has no line for {who} after {heard.text or heard.cue.value!r}"
            )
        if line.fails is Failure.OVERLOADED:
            raise EngineOverloadedError(_MAX_BATCH)
        params = params or self.default_params
        text = self._text(line, rules, heard, options.get("grammar"))
        reply = _Reply(text, line, params, rules, len(ids))
        if (deadline_s := options.get("deadline_s")) is not None:
            reply.deadline = asyncio.get_running_loop().time() + deadline_s
        generation = Generation(reply.cancelled.set, lambda _: None, self.unread.reader())
        if options.get("echo", False):
            generation.receive(deque([tuple(TokenInfo(token_id) for token_id in ids)]))
        task = asyncio.get_running_loop().create_task(self._speak(reply, generation))
        self._replies.add(task)
        task.add_done_callback(self._replies.discard)
        return generation

    def _likelihood(self, prompt_ids: Sequence[int], option: Sequence[int]) -> float:
        """Return the log-probability of each token of an option: more if the script answers so."""
        heard = last_heard(list(prompt_ids), self.tokenizer)
        line = self._script.find(None, heard)
        wanted = [] if line is None else [text.strip() for text in line.says]
        return LIKELY if self.tokenizer.decode(list(option)).strip() in wanted else UNLIKELY

    def _scored(self, ids: Sequence[int], scored_from: int) -> Generation:
        """Say how likely an option is."""
        option = list(ids[scored_from:])
        logprob = self._likelihood(ids[:scored_from], option)
        infos = tuple(TokenInfo(token_id, logprob) for token_id in option)
        usage = Usage(len(ids), 0, 0, 0.0, 0.0, 0)
        generation = Generation(lambda: None, lambda _: None, self.unread.reader())
        completion = Completion("", (), FinishReason.LENGTH, usage, prompt_tokens=infos)
        generation.receive(deque([completion]))
        self._total += 1
        return generation

    def stats(self) -> EngineStats:
        """Return the counters; see `Engine.stats`."""
        p50, p99 = self._meter.first_token_percentiles((0.5, 0.99))
        return EngineStats(
            running=len(self._replies),
            waiting=0,
            tokens_per_second=self._meter.tokens_per_second(),
            kv_blocks_used=0,
            kv_blocks_cached=0,
            kv_blocks_free=0,
            ttft_p50_ms=p50,
            ttft_p99_ms=p99,
            generated_tokens_total=self._meter.generated_tokens,
            prompt_tokens_total=self._meter.prompt_tokens,
            cached_tokens_total=0,
            requests_total=self._total,
            preemptions_total=0,
            model_state=self._state,
            memory_used_mib=0,
        )

    def report_frames(self, report: FrameReport) -> None:
        """Nothing is computed that could be in the way of frames."""

    async def release(self, *, until_warm: bool = False) -> None:
        """Say that the model is released until the next request; replies wait for nothing."""
        self._state = ModelState.RELEASED

    async def warm(self) -> None:
        """Say that the model is there."""
        self._state = ModelState.LOADED

    async def aclose(self) -> None:
        """End all replies."""
        self._closed = True
        for task in self._replies:
            task.cancel()
        await asyncio.gather(*self._replies, return_exceptions=True)

    def _text(
        self, line: Line, rules: ReplyRules, heard: Heard, grammar: CompiledGrammar | None
    ) -> str:
        """Return what is written this time: what the character does, or what it says.

        Raises:
            InvalidPromptError: The script has it do nothing here, or what it can't.
        """
        acts = line.acts[heard.actions :]
        if not (rules.is_action and grammar is not None):
            begins = rules.begins_action if acts else ""
            return self._speech(line, rules.speaker, heard) + begins
        says = "" if acts else self._speech(line, rules.speaker, heard)
        text = acts[0].written(grammar) if acts else says
        try:
            check_written(text, grammar, self.tokenizer)
        except UnfitActError as error:
            raise InvalidPromptError(
                f"{rules.speaker} is to act after {heard.text or heard.cue.value!r}, where the "
                "script has no action for it that fits: set acts of the line, as in "
                f'acts = {{ name = "...", arguments = {{ }} }}; {error}'
            ) from None
        return text

    def _speech(self, line: Line, character: str, heard: Heard) -> str:
        """Return what is said this time."""
        if not line.says:
            return ""
        times = self._said[line, character]
        self._said[line, character] += 1
        text = line.says[min(times, len(line.says) - 1)]
        known = {"{speaker}": heard.speaker, "{heard}": heard.text, "{character}": character}
        for name, value in known.items():
            text = text.replace(name, value)
        return text

    async def _speak(self, reply: _Reply, generation: Generation) -> None:
        events: deque[Event] = deque()
        try:
            await self._say_words(reply, generation)
            events += reply.rest()
            events.append(reply.completion())
        except EngineError as error:
            events.append(error)
        self._total += 1
        generation.receive(events)

    async def _say_words(self, reply: _Reply, generation: Generation) -> None:
        """Say a reply's words until it ends, as the script says or before.

        Raises:
            EngineError: The script has it fail, or its deadline passed before it began.
        """
        words = _WORD.findall(reply.text)
        wait_s = self._script.delay_s(reply.line)
        if reply.line.fails is not None and reply.line.after_words is not None:
            words = words[: reply.line.after_words]
        for index, word in enumerate(words):
            if not await reply.passes(wait_s):
                return
            if index == 0:
                self._meter.note_first_token(reply.waited_ms(), reply.prompt_tokens, 0)
            self._meter.note_step(1)
            if (delta := reply.say(word)) is not None:
                generation.receive(deque([delta]))
            if reply.ended is not None:
                return
            wait_s = self._script.word_s(reply.line)
        if reply.line.fails is not None and await reply.passes(wait_s):
            await self._fail(reply)

    async def _fail(self, reply: _Reply) -> None:
        match reply.line.fails:
            case Failure.CRASH:
                os._exit(CRASHED)
            case Failure.ENGINE:
                error = EngineFailedError("the script has the engine fail")
                if not self.failed.done():
                    self.failed.set_result(error)
                raise error
            case Failure.HANG:
                await reply.passes(None)
            case _:
                raise GenerationFailedError("the script has this turn fail")


class _Reply:
    """One reply under way."""

    def __init__(
        self, text: str, line: Line, params: SamplingParams, rules: ReplyRules, prompt_tokens: int
    ) -> None:
        self.text = text
        self.line = line
        self.prompt_tokens = prompt_tokens
        self.deadline: float | None = None
        self.cancelled = asyncio.Event()
        self.ended: FinishReason | None = None
        self._params = params
        self._filter = filter_of(params, rules, is_free=True)
        self._stops = StopScanner(params.stop)
        self._shown = ""
        self._words = 0
        self._began = time.monotonic()
        self._first: float | None = None
        self._seed = params.seed if params.seed is not None else secrets.randbits(64)

    async def passes(self, seconds: float | None) -> bool:
        """Wait; return False where the reply ended meanwhile: cut off, or by its deadline.

        Raises:
            DeadlineExceededError: The deadline passed before anything was said.
        """
        loop = asyncio.get_running_loop()
        until = None if seconds is None else loop.time() + seconds
        ends = [moment for moment in (until, self.deadline) if moment is not None]
        if self.cancelled.is_set():
            self.ended = FinishReason.INTERRUPTED
            return False
        try:
            async with asyncio.timeout_at(min(ends) if ends else None):
                await self.cancelled.wait()
            self.ended = FinishReason.INTERRUPTED
            return False
        except TimeoutError:
            if self.deadline is None or loop.time() < self.deadline:
                return True
        if self._first is None:
            raise DeadlineExceededError
        self.ended = FinishReason.DEADLINE
        return False

    def say(self, word: str) -> TextDelta | None:
        """Say one more word; return what can be shown."""
        self._words += 1
        if self._first is None:
            self._first = time.monotonic()
        shown = self._stops.push(word)
        left = self._params.max_new_tokens - self._words
        if self._filter is not None:
            shown = self._filter.push(shown, left)
            self.ended = self._filter.finish_reason
        if self._stops.stopped is not None:
            self.ended = FinishReason.STOP
        elif left <= 0 and self.ended is None:
            self.ended = FinishReason.LENGTH
        return self._delta(shown)

    def rest(self) -> list[Event]:
        """Return what was held back, as the reply has ended."""
        shown = self._stops.flush()
        if self._filter is not None:
            shown = self._filter.finish(shown)
        delta = self._delta(shown)
        return [] if delta is None else [delta]

    def completion(self) -> Completion:
        """Return the whole reply."""
        reason = self.ended or FinishReason.END
        return Completion(self._shown, (), reason, self._usage(), self._stops.stopped)

    def waited_ms(self) -> float:
        """Return how long it has been since the reply was asked for."""
        return (time.monotonic() - self._began) * 1000

    def _delta(self, shown: str) -> TextDelta | None:
        self._shown += shown
        return TextDelta(shown, ()) if shown else None

    def _usage(self) -> Usage:
        first = self._first or self._began
        elapsed = time.monotonic() - first
        return Usage(
            prompt_tokens=self.prompt_tokens,
            cached_tokens=0,
            generated_tokens=self._words,
            time_to_first_token_ms=(first - self._began) * 1000,
            tokens_per_second=(self._words - 1) / elapsed if self._words > 1 and elapsed else 0.0,
            seed=self._seed,
        )
