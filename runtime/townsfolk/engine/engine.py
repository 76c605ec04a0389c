"""The engine as its callers see it: from a prompt to a reply."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Callable
from collections.abc import Sequence as Items
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Unpack

import torch

from townsfolk.checkpoint.marks import FileMarks
from townsfolk.config import EngineSettings
from townsfolk.engine.adapters import AdapterRegistry
from townsfolk.engine.core import EngineCore
from townsfolk.engine.errors import (
    EngineFailedError,
    InvalidPromptError,
)
from townsfolk.engine.generation import Generation
from townsfolk.engine.info import EngineInfo
from townsfolk.engine.input_processor import InputProcessor, KvRoom, check_priority
from townsfolk.engine.memory import MemoryPlan
from townsfolk.engine.output_queue import OutputQueue
from townsfolk.engine.outputs import Completion
from townsfolk.engine.pacing import FrameReport
from townsfolk.engine.pretrained import Pretrained
from townsfolk.engine.repetition import filter_of, repeats_of
from townsfolk.engine.reply import Reply
from townsfolk.engine.request import Request
from townsfolk.engine.request_options import RequestOptions
from townsfolk.engine.response import Response
from townsfolk.engine.rules import NO_RULES, ReplyRules
from townsfolk.engine.sequence import Sequence
from townsfolk.engine.stats import EngineStats, StepObserver
from townsfolk.engine.unread import MOST_OF_ALL, Unread
from townsfolk.grammar import CompiledGrammar, Grammar, GrammarCompiler, Vocabulary
from townsfolk.kv import BlockTable
from townsfolk.models import Architecture, Decoder
from townsfolk.models.loading import Progress
from townsfolk.models.outline import WeightOutline
from townsfolk.sampling.params import SamplingParams
from townsfolk.text.tokenizer import Tokenizer

logger = logging.getLogger(__name__)


class Engine:
    """Generates text, for many callers at once.

    `submit` and `generate` are called from any asyncio event loop; the model runs in a thread of
    its own. Close the engine with `close` or `aclose`; one that is forgotten closes with the
    process.

    Attributes:
        tokenizer: the model's vocabulary; None when the engine was made without one.
        info: what runs here.
        weight_files: the files that the weights are mapped from; None where none are.
        default_params: how to sample where a request doesn't say.
        unread: what was generated and waits for readers, of all of them.
        adapters: those that requests may name.
    """

    def __init__(
        self,
        decoder: Decoder,
        tokenizer: Tokenizer | None,
        settings: EngineSettings,
        *,
        name: str,
        default_params: SamplingParams | None = None,
        plan: MemoryPlan | None = None,
        load: Callable[[Progress], Decoder] | None = None,
        architecture: Architecture | None = None,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        """Run a decoder that is in memory already; see `from_pretrained` for the usual way.

        Args:
            decoder: the model; `settings.device` and `settings.dtype` are not looked at.
            tokenizer: its vocabulary; None to speak in token ids only, without text.
            settings: the rest.
            name: what the model is called.
            default_params: how to sample where a request doesn't say.
            plan: the memory it takes, where that is known.
            vocabulary: what grammars are about; the tokenizer's where none is given.
            load: loads the decoder again after `settings.idle_release_s`; without it, it stays.
            architecture: the decoder's, with the names of its tensors; without it requests can name
                no adapters.

        Raises:
            NotEnoughMemoryError: the memory doesn't hold a single sequence of 32 tokens, or another
                engine of this process limits what it takes on the GPU.
        """
        spec = decoder.spec
        if plan is None:
            outline = WeightOutline.of_weights(decoder.weights)
            dtype = decoder.precision.weights
            plan = MemoryPlan.make(spec, dtype, decoder.device, settings, outline)
        plan.hold(decoder.device)
        self.tokenizer = tokenizer
        self.weight_files: FileMarks | None = None
        self.default_params = default_params or SamplingParams()
        self.unread = Unread(MOST_OF_ALL)
        device = str(decoder.device)
        if decoder.device.type == "cuda":
            device += f" ({torch.cuda.get_device_name(decoder.device)})"
        self.info = EngineInfo.of(name, device, decoder, plan, settings)
        eos_ids = spec.eos_ids | (tokenizer.eos_ids if tokenizer is not None else frozenset())
        room = KvRoom(settings.max_batch, plan.num_blocks * plan.block_size, plan.block_size)
        self._inputs = InputProcessor(
            tokenizer, spec.vocab_size, plan.context_length, eos_ids, room
        )
        words = tokenizer if vocabulary is None else vocabulary
        self._grammars = (
            None
            if words is None
            else GrammarCompiler(words, spec.vocab_size, eos_ids or {spec.vocab_size - 1})
        )
        self._core = EngineCore(decoder, plan, settings, eos_ids, load)
        self.adapters = AdapterRegistry(
            settings.adapters,
            plan.adapters,
            architecture,
            decoder.precision.residual,
            self._core.loop,
            self._core.done,
        )
        self._core.start()
        self._finalizer = weakref.finalize(self, self._core.stop)

    @classmethod
    def from_pretrained(
        cls, model: str | Path | None = None, settings: EngineSettings | None = None
    ) -> Engine:
        """Load a model and start its engine.

        Args:
            model: what `library.resolve` takes, or "auto"; `settings.model` when not given.
            settings: memory, device and limits; the defaults are modest.

        Raises:
            ModelNotFoundError: there is no such model.
            UnsupportedModelError: the model can't be run; the message says why.
            CheckpointError: its weights are broken.
            TokenizerError: its tokenizer is missing or broken.
            NotEnoughMemoryError: the memory that is set, or free, is too little.
            DeviceNotFoundError: CUDA is asked for, and there is none.
            UnfitSettingError: a setting does not fit the model.
        """
        settings = settings or EngineSettings()
        pretrained = Pretrained.load(model, settings)
        try:
            engine = cls(
                pretrained.decoder,
                pretrained.tokenizer,
                settings,
                name=pretrained.name,
                default_params=pretrained.default_params,
                plan=pretrained.plan,
                load=pretrained.reload,
                architecture=pretrained.architecture,
            )
        except BaseException:
            pretrained.plan.let_go(pretrained.decoder.device)
            raise
        engine.weight_files = pretrained.weight_files
        return engine

    def submit(
        self,
        prompt: str | Items[int],
        params: SamplingParams | None = None,
        **options: Unpack[RequestOptions],
    ) -> Generation:
        """Queue a request and return its handle, to be read in this event loop.

        Args:
            prompt: text, which gets the model's begin token and in which control tokens are plain
                text; or token ids, taken as they are.
            params: how to sample; `default_params` when not given.
            options: see `RequestOptions`.

        Raises:
            InvalidPromptError: the prompt or an option can't be used.
            PromptTooLongError: the prompt leaves no room for a reply.
            InvalidSamplingError: a parameter doesn't fit the model.
            AdapterNotFoundError: no such adapter is loaded.
            EngineOverloadedError: too many requests are open.
            EngineClosedError: the engine is closed.
            EngineFailedError: the engine has failed.
            RuntimeError: no event loop runs in this thread.
            TypeError: there is no such option.
        """
        event_loop = asyncio.get_running_loop()
        with self.adapters.using(options.get("adapter", "")) as number:
            request = self._inputs.request(prompt, params or self.default_params, options, number)
            return self._post(request, options.get("rules", NO_RULES), event_loop)

    def _post(
        self, request: Request, rules: ReplyRules, event_loop: asyncio.AbstractEventLoop
    ) -> Generation:
        """Hand a request to the engine's thread."""
        core = self._core
        sequence = Sequence(request, BlockTable(core.pool, request.namespace))
        if request.contrast is not None:
            sequence.pair_with(BlockTable(core.pool, request.namespace))
        params = request.params
        text_filter = filter_of(params, rules, is_free=request.grammar is None)
        reply = Reply(self.tokenizer, request.prompt_ids, params.stop, text_filter)

        def cancel() -> None:
            core.cancel(response)

        def set_priority(value: int) -> None:
            check_priority(value)
            core.set_priority(response, value)

        generation = Generation(cancel, set_priority, self.unread.reader())
        queue = OutputQueue(event_loop, generation, cancel)
        response = Response(sequence, reply, queue, repeats_of(request, self.tokenizer))
        core.submit(response)
        return generation

    async def compile(self, grammar: Grammar) -> CompiledGrammar:
        """Make a grammar ready for `submit`; those of late are kept. Takes a thread, not the loop.

        Raises:
            InvalidGrammarError: it can't be used; the message says why.
            InvalidPromptError: there is no tokenizer.
        """
        if self._grammars is None:
            raise InvalidPromptError("this engine has no tokenizer: it knows no grammars")
        found = self._grammars.find(grammar)
        return (
            found if found is not None else await asyncio.to_thread(self._grammars.compile, grammar)
        )

    async def branch(
        self,
        prompt_ids: Items[int],
        options: Items[Items[int]],
        namespace: str = "",
    ) -> list[list[float]]:
        """Return how likely the tokens of texts are that could follow a prompt, in nats.

        They go through the model together, once, where the prompt is in the cache.

        Returns:
            those of the first texts, as many as fit into a step; none where that can't be done, or
            something is wrong with them that `submit` tells.
        """
        branches = self._inputs.branches(prompt_ids, options, namespace)
        if branches is None or not options:
            return []
        return await self._core.done(partial(self._core.loop.score, branches))

    def encode(self, text: str) -> list[int]:
        """Return the token ids that `submit` makes of a text; may be called from any thread.

        A long text takes milliseconds (3 for 1,000 tokens), for which an event loop cannot
        stand still: encode it in a thread, and submit the ids.

        Raises:
            InvalidPromptError: the text can't be written as UTF-8, or there is no tokenizer.
        """
        return self._inputs.encode(text)

    async def generate(
        self,
        prompt: str | Items[int],
        params: SamplingParams | None = None,
        *,
        priority: int = 0,
        deadline_s: float | None = None,
        namespace: str = "",
        echo: bool = False,
        grammar: Grammar | None = None,
        adapter: str = "",
    ) -> Completion:
        """Submit a request and wait for the whole reply; see `submit`.

        Raises:
            EngineError: as `submit`, or the request failed.
            InvalidGrammarError: as `compile`.
        """
        compiled = None if grammar is None else await self.compile(grammar)
        generation = self.submit(
            prompt,
            params,
            priority=priority,
            deadline_s=deadline_s,
            namespace=namespace,
            echo=echo,
            grammar=compiled,
            adapter=adapter,
        )
        return await generation.result()

    def stats(self) -> EngineStats:
        """Return the counters as they are now; may be called from any thread."""
        return self._core.stats()

    def report_frames(self, report: FrameReport) -> None:
        """Take what a game tells of its frames; may be called from any thread.

        While reports come, steps run where they fit between the frames; see `FramePacer`.

        Raises:
            TooManyReportersError: as many other games report already.
        """
        self._core.report_frames(report)

    async def release(self, *, until_warm: bool = False) -> None:
        """Give the model's memory back; return once that is done.

        Replies under way pause where they are, and go on when the model is back.

        Args:
            until_warm: keep it away until `warm` is called; else the next request to come loads it.

        Raises:
            ModelStaysError: the engine was made with a model in memory, and can't load it again.
            EngineClosedError: the engine is closed.
            EngineFailedError: the engine has failed.
        """
        await self._core.done(partial(self._core.loop.release, until_warm=until_warm))

    async def warm(self) -> None:
        """Load a released model; return once it is loaded.

        Raises:
            ModelReloadError: it can't be loaded.
            EngineClosedError: the engine is closed.
            EngineFailedError: the engine has failed.
        """
        await self._core.done(self._core.loop.warm)

    def observe_steps(self, observer: StepObserver | None) -> None:
        """Have every step told to an observer, which must return at once; None ends it."""
        self._core.observe_steps(observer)

    @property
    def closed(self) -> bool:
        """Whether the engine was closed, or has failed."""
        return self._core.open_requests.closed

    @property
    def failed(self) -> Future[EngineFailedError]:
        """Has the error as its result once the engine has failed, which is for good.

        Its callers have been told by then. Callbacks run in a thread of the engine. Whoever owns
        the process should end it: on a GPU even the device may be of no use to it any more.
        """
        return self._core.failed

    async def check(self) -> None:
        """Check between two steps that every block and row is where it should be.

        Raises:
            RuntimeError: it is not so.
            EngineClosedError: the engine is closed.
            EngineFailedError: the engine has failed.
        """
        await self._core.done(self._core.loop.check)

    def close(self) -> None:
        """End all requests with EngineClosedError and stop the thread."""
        self._core.open_requests.close()
        self._finalizer()

    async def aclose(self) -> None:
        """Do as `close`, without blocking the event loop."""
        await asyncio.to_thread(self.close)
