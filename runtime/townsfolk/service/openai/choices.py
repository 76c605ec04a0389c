"""The choices that answer one request, and how their text reaches the client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from townsfolk.dialogue.tools import ToolReply
from townsfolk.engine.generation import Generation
from townsfolk.engine.outputs import Completion, TokenInfo
from townsfolk.service.openai import responses
from townsfolk.service.openai.responses import Fields, Form
from townsfolk.text.tokenizer import Tokenizer

Write = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """All choices of a request, those of one prompt after the other.

    Attributes:
        n: choices for each prompt.
        model: the model's name.
        tokenizer: the model's.
        make_form: makes the form of one choice.
        generations: one for each choice.
    """

    n: int
    model: str
    tokenizer: Tokenizer
    make_form: Callable[[], Form]
    generations: list[Generation | ToolReply] = field(default_factory=list)

    async def whole(self) -> bytes:
        """Return the answer to a request that does not stream.

        Raises:
            EngineError: A choice failed.
        """
        tasks = [asyncio.create_task(self._choice(i)) for i in range(len(self.generations))]
        try:
            choices = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        return responses.Envelope(self.make_form(), self.model).whole(choices, self._usage())

    async def stream(self, write: Write, *, counts: bool) -> None:
        """Write the events of a stream as the choices are made.

        Raises:
            EngineError: A choice failed.
        """
        envelope = responses.Envelope(self.make_form(), self.model)

        async def send(choice: Fields) -> None:
            await write(envelope.chunk([choice], None, counts=counts))

        tasks = [asyncio.create_task(self._send(i, send)) for i in range(len(self.generations))]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        if counts:
            await write(envelope.chunk([], self._usage(), counts=True))

    async def _choice(self, index: int) -> Fields:
        generation = self.generations[index]
        text, tokens = "", []
        async for delta in generation:
            text += delta.text
            tokens += self._shown(delta.tokens)
        finish = responses.finish_reason(_completion(generation))
        choice = self.make_form().choice(text, tokens)
        if (call := _call(generation)) is not None:
            finish = "tool_calls"
            choice["message"] |= {"content": text or None, "tool_calls": [call]}
        return responses.placed(index, choice, finish)

    async def _send(self, index: int, send: Callable[[Fields], Awaitable[None]]) -> None:
        generation, form = self.generations[index], self.make_form()
        first = form.begin()
        if first is not None:
            await send(responses.placed(index, first, None))
        async for delta in generation:
            tokens = self._shown(delta.tokens)
            if delta.text or tokens:
                await send(responses.placed(index, form.delta(delta.text, tokens), None))
        finish = responses.finish_reason(_completion(generation))
        if (call := _call(generation)) is not None:
            finish = "tool_calls"
            calls = {"delta": {"tool_calls": [{"index": 0} | call]}, "logprobs": None}
            await send(responses.placed(index, calls, None))
        await send(responses.placed(index, form.end(), finish))

    def _shown(self, tokens: tuple[TokenInfo, ...]) -> list[TokenInfo]:
        """Return the tokens that are text, without those that end a turn."""
        return [each for each in tokens if not self.tokenizer.is_control(each.token_id)]

    def _usage(self) -> Fields:
        usages = [_completion(each).usage for each in self.generations]
        places = range(0, len(usages), self.n)
        return responses.usage_fields(usages[i : i + self.n] for i in places)


def _call(generation: Generation | ToolReply) -> Fields | None:
    """Return what a reply calls, if anything."""
    if not isinstance(generation, ToolReply) or generation.call is None:
        return None
    return responses.call_fields(generation.call)


def _completion(generation: Generation | ToolReply) -> Completion:
    assert generation.completion is not None
    return generation.completion
