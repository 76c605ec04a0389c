"""Adapters over the contract: named by sessions and completions, loaded and let go of."""

from __future__ import annotations

import json
from pathlib import Path

import grpc
import openai
import pytest
import pytest_asyncio
from peft_adapters import adapt, save
from service_runtime import Runtime, Stream, exactly, serving, status
from townsfolk.service.settings import ServiceSettings
from townsfolk.v1 import dialogue_pb2 as dialogue
from townsfolk.v1 import townsfolk_pb2 as pb
from transformers import LlamaForCausalLM

Code = grpc.StatusCode


@pytest.fixture(scope="module")
def folder(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapters")
    for seed, name in enumerate(("guard", "smith")):
        save(adapt(LlamaForCausalLM.from_pretrained(model), "llama", seed=seed), folder / name)
    (folder / "broken").mkdir()
    config = json.loads((folder / "guard" / "adapter_config.json").read_text())
    broken = json.dumps(config | {"use_dora": True})
    (folder / "broken" / "adapter_config.json").write_text(broken)
    return folder


@pytest_asyncio.fixture
async def town(model: Path, folder: Path):
    async with serving(model, adapters=folder, dtype="float32") as it:
        yield it
        await it.settled()


async def completion(runtime: Runtime, adapter: str = "") -> str:
    request = pb.GenerateRequest(text="Once", sampling=exactly(12, temperature=0), adapter=adapter)
    pieces = [each async for each in runtime.stub.Generate(request)]
    return "".join(each.text.text for each in pieces if each.HasField("text"))


async def answer(runtime: Runtime, session_id: str) -> str:
    utterance = dialogue.Utterance(text="Hello", sampling=exactly(12, temperature=0))
    request = pb.SayRequest(session_id=session_id, utterance=utterance)
    events = [each.event async for each in runtime.stub.Say(request)]
    assert events[-1].HasField("turn_finished"), events[-1]
    return events[-1].turn_finished.text


async def refused(call) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), caught.value.details()


async def loaded(runtime: Runtime) -> list[str]:
    found = await runtime.stub.ListAdapters(pb.ListAdaptersRequest())
    assert [each.name for each in found.adapters] == ["broken", "guard", "smith"]
    assert all(each.loaded == (each.rank > 0) == (each.memory_bytes > 0) for each in found.adapters)
    return [each.name for each in found.adapters if each.loaded]


async def test_sessions_and_completions_name_adapters(town):
    assert await loaded(town) == []
    texts = [await completion(town, name) for name in ("", "guard", "smith", "guard")]
    assert texts[1] == texts[3]
    assert len(set(texts)) == 3
    assert await loaded(town) == ["guard", "smith"]
    said = {}
    for name in ("", "guard", "smith"):
        session_id = await town.open(adapter=name)
        said[name] = await answer(town, session_id)
        kept = await town.stub.GetSession(pb.GetSessionRequest(session_id=session_id))
        assert kept.config.adapter == name
    assert len(set(said.values())) == 3


async def test_a_choice_is_made_by_an_adapter(town):
    def asked(**more):
        return pb.ChooseRequest(text="Once", options=[" upon", " in", " more"], **more)

    plain, guard = await town.stub.Choose(asked()), await town.stub.Choose(asked(adapter="guard"))
    assert plain.options[0].logprob != pytest.approx(guard.options[0].logprob, abs=1e-3)
    session_id = await town.open(adapter="guard")
    question = dialogue.Utterance(text="Well?")
    request = pb.ChooseRequest(session_id=session_id, options=["Yes.", "No."], utterance=question)
    await town.stub.Choose(request)
    request.adapter = "smith"
    assert (await refused(town.stub.Choose(request)))[0] is Code.INVALID_ARGUMENT


async def test_a_session_outlives_its_adapter(town):
    """It says what is missing, and goes on once that is there."""
    stream = Stream(town)
    session_id = (await stream.open(adapter="guard")).session_id
    before = await answer(town, session_id)
    await town.stub.UnloadAdapter(pb.UnloadAdapterRequest(name="guard"))
    await stream.send(say=dialogue.Utterance(text="Hello"))
    error = (await stream.next("error")).error
    assert error.code == dialogue.ERROR_CODE_NOT_FOUND
    assert "'guard' is loaded (loaded: none): load it first" in error.message
    loaded = await town.stub.LoadAdapter(pb.LoadAdapterRequest(name="guard"))
    assert (loaded.adapter.name, loaded.adapter.loaded, loaded.adapter.rank) == ("guard", True, 4)
    kept = (await town.stub.GetSession(pb.GetSessionRequest(session_id=session_id))).config
    assert [each.text for each in kept.history] == ["Hello", before]
    await answer(town, session_id)
    # A saved game brings its adapter back by itself.
    await town.stub.UnloadAdapter(pb.UnloadAdapterRequest(name="guard"))
    kept.session_id = "restored"
    opening = pb.OpenSessionRequest(open=pb.OpenSession(config=kept))
    await town.stub.OpenSession(opening)
    await answer(town, "restored")


async def test_what_goes_wrong_is_said(town):
    load, unload = town.stub.LoadAdapter, town.stub.UnloadAdapter
    for name in ("nobody", "../guard", "/"):
        code, message = await refused(load(pb.LoadAdapterRequest(name=name)))
        assert code is Code.NOT_FOUND
        assert "it has: broken, guard, smith" in message
    code, message = await refused(load(pb.LoadAdapterRequest(name="broken")))
    assert (code, "DoRA" in message) == (Code.FAILED_PRECONDITION, True)
    code, message = await refused(unload(pb.UnloadAdapterRequest(name="guard")))
    assert code is Code.NOT_FOUND
    code, message = await refused(town.open(adapter="broken"))
    assert (code, "DoRA" in message) == (Code.FAILED_PRECONDITION, True)
    assert not (await town.stub.ListSessions(pb.ListSessionsRequest())).sessions
    code, message = await status(
        town.stub.Generate(pb.GenerateRequest(text="Once", adapter="nobody"))
    )
    assert code is Code.NOT_FOUND


async def test_a_runtime_without_a_folder_says_how_to_get_one(runtime):
    code, message = await refused(runtime.stub.LoadAdapter(pb.LoadAdapterRequest(name="guard")))
    assert code is Code.FAILED_PRECONDITION
    assert "--adapters FOLDER" in message
    assert (await refused(runtime.open(adapter="guard")))[0] is Code.FAILED_PRECONDITION
    assert not (await runtime.stub.ListAdapters(pb.ListAdaptersRequest())).adapters


async def test_openai_s_clients_name_an_adapter_as_a_model(model: Path, folder: Path):
    settings = ServiceSettings(port=0, web_port=0)
    async with serving(model, settings, adapters=folder, dtype="float32") as it:
        base = f"http://127.0.0.1:{it.server.web_port}/v1"
        async with openai.AsyncOpenAI(base_url=base, api_key="-", max_retries=0) as client:
            names = [each.id for each in (await client.models.list()).data]
            assert names == [it.backend.engine.info.model, "broken", "guard", "smith"]
            assert (await client.models.retrieve("guard")).id == "guard"
            texts, answers = [], []
            for name in (names[0], "guard", "smith"):
                asked = {"model": name, "max_tokens": 12, "temperature": 0}
                texts.append(await client.completions.create(prompt="Once", **asked))
                message = {"role": "user", "content": "Hello"}
                answers.append(await client.chat.completions.create(messages=[message], **asked))
            assert len({each.choices[0].text for each in texts}) == 3
            assert len({each.choices[0].message.content for each in answers}) == 3
            assert [each.model for each in texts] == [names[0], "guard", "smith"]
            with pytest.raises(openai.BadRequestError, match="DoRA"):
                await client.completions.create(model="broken", prompt="Once")
            with pytest.raises(openai.NotFoundError, match="'nobody' is not served here"):
                await client.completions.create(model="nobody", prompt="Once")
