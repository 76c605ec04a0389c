"""Messages as OpenAI's clients send them."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from townsfolk.dialogue.prompt import Message
from townsfolk.dialogue.tools import ToolBox, ToolCall
from townsfolk.service.openai.errors import invalid
from townsfolk.service.openai.fields import NAME, Fields, Whole

# What clients send back of earlier replies, besides their text: nothing of it is said again.
_OF_REPLIES = ("annotations", "reasoning", "reasoning_content", "reasoning_details")


def _text(content: Any) -> Any:
    """Return a message's content, which may come in parts, as one text."""
    if not isinstance(content, list):
        return content
    texts = []
    for index, part in enumerate(content):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind != "text" or not isinstance(part.get("text"), str):
            raise ValueError(f"part {index} is no text, and only text is supported")
        texts.append(part["text"])
    return "\n".join(texts)


class CalledFunction(Fields):
    """What was called."""

    name: str = Field(pattern=NAME)
    arguments: str

    @property
    def call(self) -> ToolCall:
        """As the model has it.

        Raises:
            ApiError: The arguments are no JSON object.
        """
        try:
            arguments = json.loads(self.arguments)
        except (ValueError, RecursionError):
            arguments = None
        if not isinstance(arguments, dict):
            raise invalid("messages", f"the arguments of a call of {self.name} are no JSON object")
        return ToolCall(self.name, arguments)


class MessageCall(Fields):
    """A call in a message of the assistant's."""

    id: str
    type: Literal["function"] = "function"
    function: CalledFunction
    index: Whole = 0  # of who put it together from a stream


class ChatMessage(Fields):
    """One message."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Annotated[str, BeforeValidator(_text)]
    name: str = ""
    tool_calls: list[MessageCall] = Field([])
    tool_call_id: str = ""

    @model_validator(mode="before")
    @classmethod
    def _may_only_call(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("tool_calls") and data.get("content") is None:
            return data | {"content": ""}
        return data

    @model_validator(mode="before")
    @classmethod
    def _without_what_is_not_said(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("role") != "assistant":
            return data
        return {name: value for name, value in data.items() if name not in _OF_REPLIES}

    @model_validator(mode="after")
    def _has_what_its_role_has(self) -> ChatMessage:
        if (self.role == "tool") != bool(self.tool_call_id):
            raise ValueError("tool_call_id belongs to the role tool, and must be there")
        if self.tool_calls and self.role != "assistant":
            raise ValueError("tool_calls belong to the role assistant")
        return self

    def message(self, box: ToolBox) -> Message:
        """Return it as the chat template takes it. Whoever has a name speaks a line of a script."""
        if self.role == "tool":
            return {"role": "user", "content": box.returned(self.content)}
        if self.tool_calls:
            calls = [box.called(each.function.call) for each in self.tool_calls]
            return {"role": "assistant", "content": "\n".join([self.content, *calls]).strip()}
        role = "system" if self.role == "developer" else self.role
        named = self.name and role != "assistant"
        return {"role": role, "content": f"{self.name}: {self.content}" if named else self.content}
