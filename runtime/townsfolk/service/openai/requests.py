"""What OpenAI's clients ask; what this runtime can't do is refused by name."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from townsfolk.dialogue.tools import Tool
from townsfolk.grammar import Grammar
from townsfolk.sampling.params import MAX_LOGPROBS, SamplingParams
from townsfolk.service.openai.errors import invalid, unsupported
from townsfolk.service.openai.fields import NAME, Fields, Whole, as_list, as_map
from townsfolk.service.openai.messages import ChatMessage

MAX_CHOICES = 128
MAX_PROMPTS = 128
MAX_TOOLS = 64
_SEEDS = 2**64
_NO_FUNCTIONS = "is what OpenAI had before tools; give tools and tool_choice"
_NO_OTHER = "is not supported by this runtime; leave it out"

# Parameters of OpenAI's that the runtime does not have, with the values that ask for nothing.
_REFUSED: dict[str, tuple[tuple[Any, ...], str]] = {
    "parallel_tool_calls": ((True, False), "must be true or false; a reply calls one function"),
    "functions": (([],), _NO_FUNCTIONS),
    "function_call": (("none", "auto"), _NO_FUNCTIONS),
    "audio": ((), _NO_OTHER),
    "modalities": ((["text"],), "only text is supported"),
    "prediction": ((), _NO_OTHER),
    "reasoning_effort": (("none",), _NO_OTHER),
    "verbosity": ((), _NO_OTHER),
    "web_search_options": ((), _NO_OTHER),
    "store": ((False,), "nothing is stored"),
    "service_tier": (("auto", "default"), _NO_OTHER),
    "suffix": (("",), _NO_OTHER),
    "echo": ((False,), _NO_OTHER),
    "best_of": ((1,), _NO_OTHER),
}
# What only says who asks, or helps a cache.
_IGNORED = ("user", "metadata", "safety_identifier", "prompt_cache_key")


class Function(Fields):
    """A function that may be called."""

    name: str = Field(pattern=NAME)
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=lambda: {"type": "object"})
    strict: bool = True

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        return data  # null is a value within a schema

    @field_validator("description", "parameters", "strict", mode="before")
    @classmethod
    def _given(cls, value: Any, info: ValidationInfo) -> Any:
        absent = {"description": "", "parameters": {"type": "object"}, "strict": True}
        return absent[info.field_name or ""] if value is None else value


class ChatTool(Fields):
    """A tool; functions are the only ones."""

    type: Literal["function"]
    function: Function

    @property
    def tool(self) -> Tool:
        """As the runtime has it."""
        own = self.function
        return Tool(own.name, own.description, own.parameters)


class ChosenFunction(Fields):
    """Which function must be called."""

    name: str


class ChosenTool(Fields):
    """Which tool must be called."""

    type: Literal["function"]
    function: ChosenFunction


class JsonSchema(Fields):
    """A schema by name."""

    name: str = Field(pattern=NAME)
    schema_: dict[str, Any] = Field(default_factory=dict, alias="schema")
    description: str = ""
    strict: bool = True

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        return data  # null is a value within a schema


class ResponseFormat(Fields):
    """What the reply must be."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> ResponseFormat:
        if (self.type == "json_schema") != (self.json_schema is not None):
            raise ValueError("json_schema belongs to the type json_schema, and must be there")
        return self

    @property
    def grammar(self) -> Grammar | None:
        """The grammar; None for any text."""
        if self.type == "text":
            return None
        schema = {"type": "object"} if self.json_schema is None else self.json_schema.schema_
        return Grammar.json_schema(json.dumps(schema, ensure_ascii=False))


class StreamOptions(Fields):
    """How a stream ends."""

    include_usage: bool = False
    include_obfuscation: Literal[False] = False


class _Request(Fields):
    model: str
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: Whole = Field(1, ge=1, le=MAX_CHOICES)
    max_tokens: Whole | None = Field(None, ge=1)
    seed: Whole | None = Field(None, ge=-(2**63), lt=2**64)
    stop: Annotated[list[str], BeforeValidator(as_list)] = Field([])
    temperature: float | None = None
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: Annotated[
        dict[Annotated[int, Field(strict=False)], float], BeforeValidator(as_map)
    ] = Field({})
    # Beyond OpenAI's, as other local servers have them.
    top_k: Whole | None = None  # 0 and -1 for all
    min_p: float | None = None
    repetition_penalty: float | None = None

    @model_validator(mode="before")
    @classmethod
    def _refuse(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        for name, (inert, why) in _REFUSED.items():
            # 1 == True in Python, not in JSON.
            value = data.get(name)
            if value is not None and not any(
                value == each and type(value) is type(each) for each in inert
            ):
                raise unsupported(name, why)
        dropped = (*_REFUSED, *_IGNORED)
        return {name: value for name, value in data.items() if name not in dropped}

    @model_validator(mode="after")
    def _streams(self) -> _Request:
        if self.stream_options is not None and not self.stream:
            raise invalid("stream_options", "only with stream")
        return self

    @property
    def includes_usage(self) -> bool:
        """Whether a stream ends with what it cost."""
        return self.stream_options is not None and self.stream_options.include_usage

    def sampling(
        self, base: SamplingParams, max_tokens: int, logprobs: int | None
    ) -> SamplingParams:
        """Return how to sample the first choice.

        Raises:
            InvalidSamplingError: A value is out of its range.
        """
        given: dict[str, Any] = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "presence_penalty": self.presence_penalty,
            "frequency_penalty": self.frequency_penalty,
            "top_k": 0 if self.top_k == -1 else self.top_k,
            "min_p": self.min_p,
            "repetition_penalty": self.repetition_penalty,
            "logprobs": logprobs,
            "seed": None if self.seed is None else self.seed % _SEEDS,
        }
        return replace(
            base,
            max_new_tokens=max_tokens,
            min_new_tokens=0,
            stop=tuple(self.stop),
            logit_bias=self.logit_bias,
            **{name: value for name, value in given.items() if value is not None},
        )


def choice_params(params: SamplingParams, index: int) -> SamplingParams:
    """Return how to sample a later choice: with a seed of its own that follows from the first."""
    if params.seed is None or index == 0:
        return params
    return replace(params, seed=(params.seed + index) % _SEEDS)


class ChatRequest(_Request):
    """The body of POST /v1/chat/completions."""

    messages: list[ChatMessage] = Field(min_length=1)
    max_completion_tokens: Whole | None = Field(None, ge=1)
    logprobs: bool = False
    top_logprobs: Whole | None = Field(None, ge=0, le=MAX_LOGPROBS)
    response_format: ResponseFormat | None = None
    tools: list[ChatTool] = Field([], max_length=MAX_TOOLS)
    tool_choice: Literal["none", "auto", "required"] | ChosenTool | None = None

    @property
    def callable(self) -> list[Tool]:
        """The functions that the reply may call."""
        if self.tool_choice == "none":
            return []
        tools = [each.tool for each in self.tools]
        if isinstance(self.tool_choice, ChosenTool):
            return [each for each in tools if each.name == self.tool_choice.function.name]
        return tools

    @property
    def must_call(self) -> bool:
        """Whether the reply is a call."""
        return self.tool_choice == "required" or isinstance(self.tool_choice, ChosenTool)

    @model_validator(mode="after")
    def _calls_what_there_is(self) -> ChatRequest:
        names = [each.function.name for each in self.tools]
        if len(set(names)) < len(names):
            raise invalid("tools", "has a function twice")
        if self.must_call and not self.callable:
            raise invalid("tool_choice", "asks for a function that is not among the tools")
        text_only = self.response_format is None or self.response_format.type == "text"
        if self.callable and not text_only:
            raise invalid("response_format", "can't be kept to beside tools; give one of them")
        return self

    @model_validator(mode="after")
    def _agrees(self) -> ChatRequest:
        if self.top_logprobs and not self.logprobs:
            raise invalid("top_logprobs", "only with logprobs")
        return self

    def params(self, base: SamplingParams, context: int) -> SamplingParams:
        """Return how to sample the first choice; without a limit up to the context's end."""
        most = self.max_completion_tokens or self.max_tokens or context
        return self.sampling(base, most, (self.top_logprobs or 0) if self.logprobs else None)


def _prompts(value: Any) -> Any:
    """Return a list of prompts, for one may stand alone."""
    is_ids = isinstance(value, list) and value and all(type(each) is int for each in value)
    return [value] if isinstance(value, str) or is_ids else value


class CompletionRequest(_Request):
    """The body of POST /v1/completions."""

    prompt: Annotated[
        list[Any], BeforeValidator(_prompts), Field(min_length=1, max_length=MAX_PROMPTS)
    ]
    logprobs: Whole | None = Field(None, ge=0, le=MAX_LOGPROBS)

    @model_validator(mode="after")
    def _has_prompts(self) -> CompletionRequest:
        for prompt in self.prompt:
            ids = isinstance(prompt, list) and all(type(each) is int for each in prompt)
            if not isinstance(prompt, str) and not ids:
                raise invalid("prompt", "must be a text, token ids, or a list of either")
        return self

    def params(self, base: SamplingParams, context: int) -> SamplingParams:
        """Return how to sample the first choice; OpenAI's own limit is 16 where none is given."""
        return self.sampling(base, self.max_tokens or 16, self.logprobs)
