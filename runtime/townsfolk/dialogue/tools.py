"""Replies to conversations of the caller's that may call the caller's functions."""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from townsfolk.dialogue.acting import action_params
from townsfolk.dialogue.actions import ActionFormat
from townsfolk.engine.generation import Generation
from townsfolk.engine.outputs import Completion, FinishReason, TextDelta
from townsfolk.grammar import Grammar
from townsfolk.sampling.params import SamplingParams


@dataclass(frozen=True, slots=True)
class Tool:
    """A function of the caller's.

    Attributes:
        name: what it is called.
        description: what it does, for the model.
        schema: a JSON Schema of its arguments, an object.
    """

    name: str
    description: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that keeps to a tool's schema."""

    name: str
    arguments: Mapping[str, Any]


class ToolBox:
    """The functions that a reply may call, in the words of its model."""

    def __init__(
        self, tools: Sequence[Tool], template: str | None, *, required: bool = False
    ) -> None:
        """Take functions and the model's chat template; `required`: the reply is a call."""
        self.required = required
        self.format = ActionFormat.of(template)
        self._tools = tools

    @property
    def text(self) -> str:
        """What the model is told of them."""
        lines = "\n".join(
            f"- {tool.name}: {' '.join(tool.description.split())} "
            f"Arguments: {json.dumps(tool.schema, ensure_ascii=False)}"
            for tool in self._tools
        )
        return (
            f"To call a function, write {self.format.example} and nothing behind it. Call one only "
            f"where it helps. The functions:\n{lines}"
        )

    @property
    def grammar(self) -> Grammar:
        """What a call is."""
        key = self.format.arguments
        calls = [
            {
                "type": "object",
                "properties": {"name": {"const": tool.name}, key: tool.schema},
                "required": ["name", key],
                "additionalProperties": False,
            }
            for tool in self._tools
        ]
        return Grammar.json_schema({"anyOf": calls} if len(calls) > 1 else calls[0])

    def read(self, text: str) -> ToolCall:
        """Return the call in a text that keeps to the grammar."""
        call = json.loads(text)
        return ToolCall(call["name"], call[self.format.arguments])

    def called(self, call: ToolCall) -> str:
        """Return a call as the model writes it."""
        written = {"name": call.name, self.format.arguments: call.arguments}
        text = json.dumps(written, ensure_ascii=False)
        return f"{self.format.opens}{text}{self.format.closes}"

    def returned(self, text: str) -> str:
        """Return what the model reads of what a function returned."""
        return self.format.answer.format(text).strip()


class ToolReply:
    """A reply under way that may end with a call; to be read as a `Generation`.

    The call is drawn in a request of its own, under its grammar, so that it keeps to its schema. A
    call that is cut off is none.

    Attributes:
        completion: the whole reply, once it has ended well.
        call: what is called, if anything.
    """

    def __init__(
        self,
        box: ToolBox,
        params: SamplingParams,
        speak: Callable[[], tuple[Generation, Callable[[], bool]]],
        write: Callable[[str, SamplingParams], Generation],
    ) -> None:
        """Begin to reply.

        Args:
            box: What may be called.
            params: How to sample.
            speak: Begins what is said; gives it, and what tells whether it has ended where a call
                begins.
            write: Begins a call's JSON behind a text.
        """
        self.completion: Completion | None = None
        self.call: ToolCall | None = None
        self._box, self._params, self._write = box, params, write
        self._is_cut = False
        self._begins_call: Callable[[], bool] = lambda: True
        if box.required:
            self._generation = write(box.format.opens, self._call_params(params.max_new_tokens))
        else:
            self._generation, self._begins_call = speak()

    def _call_params(self, most: int) -> SamplingParams:
        return replace(action_params(self._params), max_new_tokens=most)

    def cancel(self) -> None:
        """End the reply where it is."""
        self._is_cut = True
        self._generation.cancel()

    def discard(self) -> None:
        """End the reply where it is, and let go of what was not read of it."""
        self._is_cut = True
        self._generation.discard()

    async def __aiter__(self) -> AsyncIterator[TextDelta]:
        said: Completion | None = None
        if not self._box.required:
            async for delta in self._generation:
                yield delta
            said = self._generation.completion
            assert said is not None
            left = self._params.max_new_tokens - said.usage.generated_tokens
            if not self._begins_call() or self._is_cut or left <= 0:
                self.completion = said
                return
            behind = said.text + self._box.format.opens
            self._generation = self._write(behind, self._call_params(left))
        written = await self._generation.result()
        if written.finish_reason is FinishReason.END:
            self.call = self._box.read(written.text)
        self.completion = written if said is None else _joined(said, written)


def _joined(said: Completion, written: Completion) -> Completion:
    """Return what was said, which ends as what was written behind it."""
    usage = replace(
        said.usage,
        generated_tokens=said.usage.generated_tokens + written.usage.generated_tokens,
    )
    return replace(said, finish_reason=written.finish_reason, usage=usage, stop_text=None)
