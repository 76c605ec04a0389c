"""OpenAI's interface, asked by its official client: real models behind a real port."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import jsonschema
import openai
import pytest
from grpc_web import WebCall
from openai import AsyncOpenAI
from pydantic import BaseModel
from service_runtime import Runtime, serving
from townsfolk.fake import Script, ScriptedEngine
from townsfolk.service.gate import Backend
from townsfolk.service.server import RuntimeServer
from townsfolk.service.settings import ServiceSettings

ASK = [{"role": "user", "content": "Tom: Hello! Who are you?"}]
PERSONA = {"role": "system", "content": "You are Mira. The innkeeper of the Gilded Gull."}


def client_of(runtime: Runtime, **more) -> AsyncOpenAI:
    url = f"http://127.0.0.1:{runtime.server.web_port}/v1"
    return AsyncOpenAI(**({"base_url": url, "api_key": "none", "max_retries": 0} | more))


@pytest.fixture
async def town() -> AsyncIterator[Runtime]:
    """A runtime with the model that ships, and a web port."""
    settings = ServiceSettings(port=0, web_port=0)
    async with serving("starter", settings, dtype="float32", kv_memory_mib=192) as it:
        yield it


@pytest.fixture
async def client(town) -> AsyncIterator[AsyncOpenAI]:
    async with client_of(town) as it:
        yield it


@pytest.fixture
async def web_client(web) -> AsyncIterator[AsyncOpenAI]:
    """A client of a random model that can speak for long."""
    async with client_of(web) as it:
        yield it


async def name_of(client: AsyncOpenAI) -> str:
    return (await client.models.list()).data[0].id


async def test_models_are_listed(town, client):
    models = (await client.models.list()).data
    assert [model.id for model in models] == [town.backend.engine.info.model]
    assert (await client.models.retrieve(models[0].id)).owned_by == "townsfolk"
    with pytest.raises(openai.NotFoundError) as caught:
        await client.models.retrieve("gpt-4o")
    assert caught.value.code == "model_not_found"


async def test_a_chat_streams_what_it_answers_at_once(town, client):
    asked = {"model": await name_of(client), "messages": [PERSONA, *ASK], "seed": 7}
    whole = await client.chat.completions.create(**asked, max_tokens=24)
    choice = whole.choices[0]
    assert choice.message.role == "assistant"
    assert choice.message.content.strip()
    assert choice.finish_reason in ("stop", "length")
    usage = whole.usage
    assert 0 < usage.completion_tokens <= 24
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens

    stream = await client.chat.completions.create(
        **asked, max_completion_tokens=24, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    deltas = [chunk.choices[0] for chunk in chunks if chunk.choices]
    assert deltas[0].delta.role == "assistant"
    assert "".join(each.delta.content or "" for each in deltas) == choice.message.content
    assert [each.finish_reason for each in deltas[-2:]] == [None, choice.finish_reason]
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == usage.completion_tokens
    assert len({chunk.id for chunk in chunks}) == 1
    await town.settled()


async def test_choices_differ_and_a_seed_repeats_them(client):
    asked = {"model": await name_of(client), "messages": ASK, "max_tokens": 16, "n": 3}
    first, again = [
        [
            each.message.content
            for each in (await client.chat.completions.create(**asked, seed=11)).choices
        ]
        for _ in range(2)
    ]
    assert first == again
    assert len(set(first)) > 1


async def test_choices_stream_side_by_side(client):
    stream = await client.chat.completions.create(
        model=await name_of(client), messages=ASK, max_tokens=8, n=2, stream=True
    )
    ends = {}
    async for chunk in stream:
        for choice in chunk.choices:
            if choice.finish_reason:
                ends[choice.index] = choice.finish_reason
    assert sorted(ends) == [0, 1]


async def test_a_reply_ends_before_its_stop(client):
    asked = {"model": await name_of(client), "messages": ASK, "max_tokens": 24, "temperature": 0}
    free = (await client.chat.completions.create(**asked)).choices[0].message.content
    stop = free[len(free) // 2 :][:3]  # whatever it says, and however little
    stopped = (await client.chat.completions.create(**asked, stop=stop)).choices[0]
    assert stopped.message.content == free[: free.index(stop)]
    assert stopped.finish_reason == "stop"


async def test_log_probabilities_are_of_the_tokens_of_the_text(client):
    answer = await client.chat.completions.create(
        model=await name_of(client),
        messages=ASK,
        max_tokens=8,
        temperature=0,
        logprobs=True,
        top_logprobs=3,
    )
    choice = answer.choices[0]
    content = choice.logprobs.content
    assert b"".join(bytes(each.bytes) for each in content).decode().strip() == (
        choice.message.content.strip()
    )
    for each in content:
        assert len(each.top_logprobs) == 3
        assert each.logprob == max(top.logprob for top in each.top_logprobs) <= 0


class Mood(BaseModel):
    mood: bool
    gold: int


async def test_a_reply_is_what_its_schema_says(client):
    model = await name_of(client)
    parsed = await client.chat.completions.parse(
        model=model, messages=ASK, max_tokens=40, response_format=Mood
    )
    assert isinstance(parsed.choices[0].message.parsed, Mood)
    free = await client.chat.completions.create(
        model=model, messages=ASK, max_tokens=40, response_format={"type": "json_object"}
    )
    jsonschema.validate(json.loads(free.choices[0].message.content), {"type": "object"})


async def test_completions_go_on_from_texts_and_tokens(town, client):
    model = await name_of(client)
    asked = {"model": model, "max_tokens": 6, "temperature": 0, "logprobs": 2}
    texts = await client.completions.create(**asked, prompt=["The mayor", "The inn"], n=2)
    assert [choice.index for choice in texts.choices] == [0, 1, 2, 3]
    ids = town.backend.engine.encode("The inn")
    same = await client.completions.create(**asked, prompt=ids)
    assert same.choices[0].text == texts.choices[2].text
    assert same.usage.prompt_tokens == len(ids)
    assert len(same.choices[0].logprobs.tokens) == len(same.choices[0].logprobs.top_logprobs) > 0
    stream = await client.completions.create(**asked, prompt="The inn", stream=True)
    pieces = [chunk.choices[0].text async for chunk in stream]
    assert "".join(pieces) == same.choices[0].text


async def test_a_control_token_in_a_message_is_text(town, client):
    model = await name_of(client)
    control = next(iter(town.backend.tokenizer.special_tokens))

    async def cost(text: str) -> int:
        messages = [{"role": "user", "content": text}]
        answer = await client.chat.completions.create(model=model, messages=messages, max_tokens=1)
        return answer.usage.prompt_tokens

    assert await cost(control * 20) > await cost("") + 20


async def test_the_body_of_a_front_end_is_taken(client):
    """As SillyTavern sends it to a custom endpoint: names, systems in between, many settings."""
    body = {
        "model": await name_of(client),
        "messages": [
            {"role": "system", "content": "Write Mira's next reply in a chat with Tom."},
            {"role": "system", "content": "Mira keeps an inn."},
            {"role": "system", "content": "Where is the inn?", "name": "example_user"},
            {"role": "system", "content": "By the harbour.", "name": "example_assistant"},
            {"role": "system", "content": "[Start a new Chat]"},
            {"role": "assistant", "content": "Welcome, traveller."},
            {"role": "user", "content": [{"type": "text", "text": "Hello!"}], "name": "Tom"},
            {"role": "system", "content": "[Stay in character.]"},
        ],
        "temperature": 1,
        "max_tokens": 16,
        "stream": True,
        "presence_penalty": 0,
        "frequency_penalty": 0.2,
        "top_p": 1,
        "top_k": 40,
        "stop": ["\nTom:"],
        "logit_bias": {"5": -1},
        "user": "tom",
        "tools": [],
        "seed": 3,
        "n": 1,
        "logprobs": None,
    }
    stream = await client.chat.completions.create(
        model=body["model"], messages=body["messages"], stream=True, extra_body=body
    )
    assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]).strip()


TOOL = {"type": "function", "function": {"name": "give", "parameters": {"type": "object"}}}


@pytest.mark.parametrize(
    ("more", "param", "code"),
    [
        ({"temperature": 99}, "temperature", "invalid_value"),
        ({"temperature": "hot"}, "temperature", "invalid_value"),
        ({"top_p": 0}, "top_p", "invalid_value"),
        ({"n": 0}, "n", "invalid_value"),
        ({"max_tokens": 0}, "max_tokens", "invalid_value"),
        ({"functions": [TOOL["function"]]}, "functions", "unsupported_parameter"),
        ({"tools": [TOOL, TOOL]}, "tools", "invalid_value"),
        ({"tools": [{"type": "custom"}]}, "tools[0].type", "invalid_value"),
        ({"tool_choice": "required"}, "tool_choice", "invalid_value"),
        (
            {
                "tools": [TOOL],
                "tool_choice": {"type": "function", "function": {"name": "take"}},
            },
            "tool_choice",
            "invalid_value",
        ),
        (
            {"tools": [TOOL], "response_format": {"type": "json_object"}},
            "response_format",
            "invalid_value",
        ),
        ({"messages": []}, "messages", "invalid_value"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role", "invalid_value"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0]", "invalid_value"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "missing_required_parameter"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages[0].content",
            "invalid_value",
        ),
        (
            {"messages": [ASK[0] | {"content": "a b " * 9999}]},
            "messages",
            "context_length_exceeded",
        ),
        ({"extra_body": {"mirostat": 2}}, "mirostat", "unknown_parameter"),
        ({"top_logprobs": 2}, "top_logprobs", "invalid_value"),
        ({"logit_bias": {"x": 1}}, "logit_bias", "invalid_value"),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "x", "schema": {"type": "nothing"}},
                }
            },
            "response_format",
            "invalid_value",
        ),
        ({"stop": ["x"] * 17}, "stop", "invalid_value"),
    ],
)
async def test_what_it_cant_do_it_refuses_by_name(web, web_client, more, param, code):
    asked = {"model": await name_of(web_client), "messages": ASK, "max_tokens": 4} | more
    with pytest.raises(openai.BadRequestError) as caught:
        await web_client.chat.completions.create(**asked)
    assert caught.value.type == "invalid_request_error"
    assert (caught.value.param, caught.value.code) == (param, code)
    assert caught.value.body["message"]
    await web.settled()


async def test_an_unknown_model_is_not_found(web_client):
    with pytest.raises(openai.NotFoundError) as caught:
        await web_client.chat.completions.create(model="gpt-4o", messages=ASK)
    assert (caught.value.param, caught.value.code) == ("model", "model_not_found")


async def test_only_the_token_lets_in(model):
    settings = ServiceSettings(port=0, web_port=0, auth_token="open-sesame")
    async with serving(model, settings) as runtime:
        async with client_of(runtime, api_key="open-sesame") as client:
            assert await name_of(client)
        async with client_of(runtime, api_key="wrong") as client:
            with pytest.raises(openai.AuthenticationError) as caught:
                await client.models.list()
            assert caught.value.code == "invalid_api_key"


async def test_only_pages_of_known_origins_may_call(web):
    good, bad = "https://game.example", "https://elsewhere.example"
    async with client_of(web, default_headers={"origin": bad}) as client:
        with pytest.raises(openai.PermissionDeniedError):
            await client.models.list()
    async with client_of(web, default_headers={"origin": good}) as client:
        raw = await client.models.with_raw_response.list()
        assert raw.headers["access-control-allow-origin"] == good


async def test_an_answer_that_goes_round_in_circles_ends(town, client):
    rew = town.backend.tokenizer.encode("rew", continues=True)[-1]
    messages = [PERSONA, {"role": "user", "content": "What is your name?"}]
    answer = await client.chat.completions.create(
        model=await name_of(client), messages=messages, max_tokens=128, logit_bias={str(rew): 90}
    )
    assert answer.choices[0].finish_reason == "length"
    assert 1 <= answer.choices[0].message.content.count("rew") <= 4
    assert answer.usage.completion_tokens <= 40


def endless(runtime: Runtime) -> dict:
    """What keeps a model from ending its reply."""
    return {
        "max_tokens": 4000,
        "logit_bias": {str(i): -100 for i in runtime.backend.tokenizer.eos_ids},
    }


async def test_a_page_is_told_that_it_may_call(web):
    async with WebCall(
        web.server.web_port,
        "/v1/chat/completions",
        b"",
        method="OPTIONS",
        headers={
            "origin": "https://game.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type,x-stainless-os",
        },
    ) as it:
        assert it.status == 204
        assert "POST" in it.headers["access-control-allow-methods"]
        assert "x-stainless-os" in it.headers["access-control-allow-headers"]


async def test_more_than_fits_is_refused_whole(model):
    settings = ServiceSettings(port=0, web_port=0)
    engine = {"max_batch": 1, "max_waiting": 2}
    async with serving(model, settings, **engine) as runtime, client_of(runtime) as client:
        asked = {"model": await name_of(client), "messages": ASK, "max_tokens": 4}
        with pytest.raises(openai.RateLimitError, match="try again"):
            await client.chat.completions.create(**asked, n=8)
        await runtime.settled()
        assert len((await client.chat.completions.create(**asked, n=2)).choices) == 2


async def test_a_body_above_the_limit_is_refused(model):
    settings = ServiceSettings(port=0, web_port=0, max_message_bytes=2048)
    async with serving(model, settings) as runtime, client_of(runtime) as client:
        with pytest.raises(openai.APIStatusError, match="max-message-bytes") as caught:
            await client.completions.create(model=await name_of(client), prompt="x" * 4096)
        assert caught.value.status_code == 413


async def test_the_end_of_the_runtime_cuts_replies_off_where_they_are(model):
    settings = ServiceSettings(port=0, web_port=0, shutdown_grace_s=0)
    async with serving(model, settings) as runtime, client_of(runtime) as client:
        stream = await client.chat.completions.create(
            model=await name_of(client), messages=ASK, stream=True, **endless(runtime)
        )
        chunks = aiter(stream)
        await anext(chunks)
        await runtime.speaking()
        stopping = asyncio.create_task(runtime.server.stop())
        rest = [chunk.choices[0] async for chunk in chunks]
        assert rest[-1].finish_reason == "length"
        await stopping


@pytest.mark.parametrize("streams", [True, False])
async def test_a_client_that_goes_away_ends_its_reply(web, web_client, streams):
    asked = {
        "model": await name_of(web_client),
        "messages": ASK,
        "n": 2,
        **endless(web),
    }
    if streams:
        stream = await web_client.chat.completions.create(**asked, stream=True)
        await anext(aiter(stream))
        await web.speaking(2)
        await stream.close()
    else:
        task = asyncio.create_task(web_client.chat.completions.create(**asked))
        await web.speaking(2)
        task.cancel()
    stats = await web.settled()
    assert stats.generated_tokens_total < 8000


async def test_a_reply_that_fails_in_mid_stream_ends_with_an_error(tmp_path):
    path = tmp_path / "storm.toml"
    path.write_text('[[lines]]\nsays = "It is coming. Run!"\nfails = "failed"\nafter_words = 3\n')
    settings = ServiceSettings(port=0, web_port=0)
    server = RuntimeServer(settings)
    await server.start()
    backend = Backend.make(ScriptedEngine(Script.read(path), "storm"), settings)
    await server.open(backend)
    try:
        url = f"http://127.0.0.1:{server.web_port}/v1"
        async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
            asked = {"model": "storm", "messages": ASK}
            with pytest.raises(openai.InternalServerError):
                await client.chat.completions.create(**asked)
            chunks = aiter(await client.chat.completions.create(**asked, stream=True))
            said = ""
            while said != "It is coming.":
                said += (await anext(chunks)).choices[0].delta.content
            with pytest.raises(openai.APIError, match="its log has more"):
                await anext(chunks)
    finally:
        await server.stop()
        await backend.aclose()
