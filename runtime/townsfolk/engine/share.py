"""One engine under several games, none of which sees or starves another."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

from townsfolk.engine.adapter_info import AdapterInfo
from townsfolk.engine.errors import EngineFailedError
from townsfolk.engine.generation import Generation
from townsfolk.engine.info import EngineInfo
from townsfolk.engine.interface import TextEngine
from townsfolk.engine.pacing import FrameReport
from townsfolk.engine.request_options import RequestOptions
from townsfolk.engine.stats import EngineStats
from townsfolk.engine.unread import Unread
from townsfolk.grammar import CompiledGrammar, Grammar
from townsfolk.sampling.params import SamplingParams
from townsfolk.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from townsfolk.checkpoint.marks import FileMarks


class SharedEngine:
    """Gives out shares of an engine, and knows what the games that hold them want in common."""

    def __init__(self, engine: TextEngine) -> None:
        """Share an engine, which is closed by whoever made it."""
        self.engine = engine
        self.shares: set[EngineShare] = set()

    async def join(self) -> EngineShare:
        """Return a share for another game. A model that all others have released is loaded again.

        Raises:
            EngineError: It can't be loaded.
        """
        released = bool(self.shares) and all(share.has_released for share in self.shares)
        share = EngineShare(self)
        self.shares.add(share)
        if released:
            await self.engine.warm()
        return share

    async def settle(self) -> None:
        """Give the model's memory back if every game has released it."""
        if self.shares and all(share.has_released for share in self.shares):
            until_warm = all(share.waits_for_warm for share in self.shares)
            await self.engine.release(until_warm=until_warm)

    def is_needed(self, adapter: str, by_others_than: EngineShare) -> bool:
        """Return whether another game speaks with an adapter."""
        return any(adapter in share.adapters.needed for share in self.shares - {by_others_than})


class EngineShare:
    """The engine as one game has it: a `TextEngine`, with a trust domain of its own.

    Its requests share no KV with those of other games, and the engine has those of different
    domains take turns. It is released when all games have released it.
    """

    def __init__(self, shared: SharedEngine) -> None:
        """Prefer `SharedEngine.join`."""
        self.has_released = False
        self.waits_for_warm = False
        self.adapters = _ShareAdapters(self, shared)
        self._shared = shared
        self._engine = shared.engine
        self._domain = secrets.token_hex(8)

    @property
    def tokenizer(self) -> Tokenizer | None:
        """The vocabulary."""
        return self._engine.tokenizer

    @property
    def info(self) -> EngineInfo:
        """What runs here."""
        return self._engine.info

    @property
    def weight_files(self) -> FileMarks | None:
        """The files that the weights are mapped from; None where none are."""
        return self._engine.weight_files

    @property
    def default_params(self) -> SamplingParams:
        """How to sample where a request doesn't say."""
        return self._engine.default_params

    @property
    def unread(self) -> Unread:
        """What was generated and waits for readers."""
        return self._engine.unread

    @property
    def failed(self) -> Future[EngineFailedError]:
        """Done once the engine has failed for good."""
        return self._engine.failed

    def submit(
        self,
        prompt: str | Sequence[int],
        params: SamplingParams | None = None,
        **options: Unpack[RequestOptions],
    ) -> Generation:
        """Begin a reply; see `Engine.submit`."""
        options["namespace"] = f"{self._domain}/{options.get('namespace', '')}"
        generation = self._engine.submit(prompt, params, **options)
        self.has_released = self.has_released and self.waits_for_warm
        return generation

    async def compile(self, grammar: Grammar) -> CompiledGrammar:
        """Make a grammar ready for `submit`."""
        return await self._engine.compile(grammar)

    async def branch(
        self, prompt_ids: Sequence[int], options: Sequence[Sequence[int]], namespace: str = ""
    ) -> list[list[float]]:
        """Return how likely the first of some texts are behind a prompt; see `Engine.branch`."""
        return await self._engine.branch(prompt_ids, options, f"{self._domain}/{namespace}")

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a text."""
        return self._engine.encode(text)

    def stats(self) -> EngineStats:
        """Return the counters, of all games together."""
        return self._engine.stats()

    def report_frames(self, report: FrameReport) -> None:
        """Take what this game tells of its frames; steps fit between those of all games."""
        self._engine.report_frames(replace(report, reporter=f"{self._domain}/{report.reporter}"))

    async def release(self, *, until_warm: bool = False) -> None:
        """Give the model's memory back, once every game has released it."""
        self.has_released, self.waits_for_warm = True, until_warm
        await self._shared.settle()

    async def warm(self) -> None:
        """Load a released model."""
        self.has_released = self.waits_for_warm = False
        await self._engine.warm()

    async def aclose(self) -> None:
        """Leave the engine to the others."""
        self._shared.shares.discard(self)
        if not self.failed.done():
            await self._shared.settle()


class _ShareAdapters:
    """The engine's adapters; what another game speaks with can't be taken away."""

    def __init__(self, share: EngineShare, shared: SharedEngine) -> None:
        self.needed: set[str] = set()
        """Those that this game speaks with."""
        self._share = share
        self._shared = shared

    def list(self) -> list[AdapterInfo]:
        return self._shared.engine.adapters.list()

    async def need(self, name: str) -> AdapterInfo:
        info = await self._shared.engine.adapters.need(name)
        self.needed.add(name)
        return info

    async def load(self, name: str) -> AdapterInfo:
        info = await self._shared.engine.adapters.load(name)
        self.needed.add(name)
        return info

    async def unload(self, name: str) -> None:
        self.needed.discard(name)
        if not self._shared.is_needed(name, self._share):
            await self._shared.engine.adapters.unload(name)
