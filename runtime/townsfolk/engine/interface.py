"""What the rooms above need of an engine."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Protocol, Unpack

from townsfolk.engine.adapter_info import AdapterInfo
from townsfolk.engine.errors import EngineFailedError
from townsfolk.engine.generation import Generation
from townsfolk.engine.info import EngineInfo
from townsfolk.engine.pacing import FrameReport
from townsfolk.engine.request_options import RequestOptions
from townsfolk.engine.stats import EngineStats
from townsfolk.engine.unread import Unread
from townsfolk.grammar import CompiledGrammar, Grammar
from townsfolk.sampling.params import SamplingParams
from townsfolk.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from townsfolk.checkpoint.marks import FileMarks


class Adapters(Protocol):
    """The adapters of an engine; see `AdapterRegistry`."""

    def list(self) -> list[AdapterInfo]:
        """Return those that are there."""

    async def need(self, name: str) -> AdapterInfo:
        """Load an adapter unless it is loaded."""

    async def load(self, name: str) -> AdapterInfo:
        """Load an adapter as its files are now."""

    async def unload(self, name: str) -> None:
        """Let go of an adapter."""


class TextEngine(Protocol):
    """Something that answers prompts: `Engine`, or a script. See `Engine` for all of it."""

    @property
    def tokenizer(self) -> Tokenizer | None:
        """The vocabulary."""

    @property
    def info(self) -> EngineInfo:
        """What runs here."""

    @property
    def weight_files(self) -> FileMarks | None:
        """The files that the weights are mapped from; None where none are."""

    @property
    def default_params(self) -> SamplingParams:
        """How to sample where a request doesn't say."""

    @property
    def unread(self) -> Unread:
        """What was generated and waits for readers."""

    @property
    def adapters(self) -> Adapters:
        """Those that requests may name."""

    @property
    def failed(self) -> Future[EngineFailedError]:
        """Done once the engine has failed for good."""

    def submit(
        self,
        prompt: str | Sequence[int],
        params: SamplingParams | None = None,
        **options: Unpack[RequestOptions],
    ) -> Generation:
        """Begin a reply."""

    async def compile(self, grammar: Grammar) -> CompiledGrammar:
        """Make a grammar ready for `submit`."""

    async def branch(
        self, prompt_ids: Sequence[int], options: Sequence[Sequence[int]], namespace: str = ""
    ) -> list[list[float]]:
        """Return how likely the first of some texts are behind a prompt; see `Engine.branch`."""

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a text."""

    def stats(self) -> EngineStats:
        """Return the counters."""

    def report_frames(self, report: FrameReport) -> None:
        """Take what a game tells of its frames."""

    async def release(self, *, until_warm: bool = False) -> None:
        """Give the model's memory back."""

    async def warm(self) -> None:
        """Load a released model."""

    async def aclose(self) -> None:
        """End all replies, and the engine."""
