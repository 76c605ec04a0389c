"""Function calls through OpenAI's interface, asked by its official client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import jsonschema
import pytest
from openai import AsyncOpenAI
from service_runtime import serving
from townsfolk.fake import Script, ScriptedEngine
from townsfolk.service.gate import Backend
from townsfolk.service.server import RuntimeServer
from townsfolk.service.settings import ServiceSettings

GIVE = {
    "type": "object",
    "properties": {
        "item": {"enum": ["sword", "shield"]},
        "count": {"type": "integer", "minimum": 1, "maximum": 9},
    },
    "required": ["item", "count"],
    "additionalProperties": False,
}
OPEN = {"type": "object", "properties": {}, "additionalProperties": False}
SCHEMAS = {"give_item": GIVE, "open-door": OPEN}
TOOLS = [
    {
        "type": "function",
        "function": {"name": "give_item", "description": "Gives something.", "parameters": GIVE},
    },
    {"type": "function", "function": {"name": "open-door", "parameters": OPEN, "strict": None}},
]
ASK = [
    {"role": "system", "content": "You are Mira. The innkeeper of the Gilded Gull."},
    {"role": "user", "content": "Tom: Give me a sword, please."},
]


def checked(calls) -> list[tuple[str, dict]]:
    found = []
    for call in calls:
        assert call.type == "function"
        assert call.id
        arguments = json.loads(call.function.arguments)
        jsonschema.validate(arguments, SCHEMAS[call.function.name])
        found.append((call.function.name, arguments))
    return found


@pytest.fixture
async def client() -> AsyncIterator[AsyncOpenAI]:
    settings = ServiceSettings(port=0, web_port=0)
    async with serving("starter", settings, dtype="float32", kv_memory_mib=192) as town:
        url = f"http://127.0.0.1:{town.server.web_port}/v1"
        async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as it:
            yield it


async def test_a_call_that_is_asked_for_keeps_to_its_schema(client):
    model = (await client.models.list()).data[0].id
    asked = {"model": model, "messages": ASK, "tools": TOOLS, "seed": 4, "temperature": 1.5}
    answer = await client.chat.completions.create(**asked, tool_choice="required", n=6)
    assert [choice.finish_reason for choice in answer.choices] == ["tool_calls"] * 6
    calls = [each for choice in answer.choices for each in checked(choice.message.tool_calls)]
    assert len(calls) == 6
    assert all(choice.message.content is None for choice in answer.choices)
    assert answer.usage.completion_tokens > 0
    named = {"type": "function", "function": {"name": "open-door"}}
    answer = await client.chat.completions.create(**asked, tool_choice=named)
    assert checked(answer.choices[0].message.tool_calls) == [("open-door", {})]
    # One that is cut off is none.
    answer = await client.chat.completions.create(**asked, tool_choice="required", max_tokens=3)
    assert answer.choices[0].finish_reason == "length"
    assert not answer.choices[0].message.tool_calls
    # None may be called, or the model finds that none fits.
    for choice in ("none", "auto"):
        answer = await client.chat.completions.create(**asked, tool_choice=choice, max_tokens=40)
        message = answer.choices[0].message
        assert message.content or checked(message.tool_calls)
        assert choice == "auto" or not message.tool_calls


async def test_a_conversation_goes_on_behind_a_call(client):
    model = (await client.models.list()).data[0].id
    asked = {"model": model, "tools": TOOLS, "seed": 2}
    first = await client.chat.completions.create(
        **asked, messages=ASK, tool_choice={"type": "function", "function": {"name": "give_item"}}
    )
    message = first.choices[0].message
    told = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "done"}
    messages = [*ASK, message.model_dump(exclude_none=True), told]
    asked |= {"tool_choice": "none", "max_tokens": 40}
    before = await client.chat.completions.create(**asked, messages=ASK)
    answer = await client.chat.completions.create(**asked, messages=messages)
    assert answer.choices[0].message.content
    assert answer.usage.prompt_tokens > before.usage.prompt_tokens + 10


SCRIPT = """
[[lines]]
says = [
  "Here you go. <action>", '{"name": "give_item", "arguments": {"item": "sword", "count": 1}}',
  "I have none.",
]
"""


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
async def test_a_reply_speaks_and_then_calls(tmp_path, streams):
    path = tmp_path / "script.toml"
    path.write_text(SCRIPT, encoding="utf-8")
    settings = ServiceSettings(port=0, web_port=0)
    server = RuntimeServer(settings)
    await server.start()
    backend = Backend.make(ScriptedEngine(Script.read(path), "tavern"), settings)
    await server.open(backend)
    try:
        url = f"http://127.0.0.1:{server.web_port}/v1"
        async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
            asked = {"model": "tavern", "messages": ASK, "tools": TOOLS}
            called = [("give_item", {"item": "sword", "count": 1})]
            if streams:
                stream = await client.chat.completions.create(**asked, stream=True)
                chunks = [chunk.choices[0] async for chunk in stream]
                assert "".join(c.delta.content or "" for c in chunks).strip() == "Here you go."
                [calls] = [c.delta.tool_calls for c in chunks if c.delta.tool_calls]
                assert (checked(calls), calls[0].index) == (called, 0)
                assert chunks[-1].finish_reason == "tool_calls"
            else:
                choice = (await client.chat.completions.create(**asked)).choices[0]
                assert choice.message.content.strip() == "Here you go."
                assert checked(choice.message.tool_calls) == called
                assert choice.finish_reason == "tool_calls"
            choice = (await client.chat.completions.create(**asked)).choices[0]
            assert (choice.message.content, choice.message.tool_calls) == ("I have none.", None)
            assert choice.finish_reason == "stop"
    finally:
        await server.stop()
        await backend.aclose()
