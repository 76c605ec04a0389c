"""Choosing among authored texts, over the wire and with the client."""

from __future__ import annotations

import math

import grpc
import pytest
from service_runtime import exactly
from townsfolk.client import AsyncRuntime, InvalidArgumentError, Persona
from townsfolk.v1 import dialogue_pb2
from townsfolk.v1 import townsfolk_pb2 as pb

OPTIONS = ["Aye, gladly.", "No.", "Leave me alone, stranger, or I call the guard."]


async def test_probabilities_are_those_of_the_log_probabilities(starter):
    request = pb.ChooseRequest(text="The guard says: ", options=OPTIONS)
    whole = await starter.stub.Choose(request)
    assert [each.text for each in whole.options] == OPTIONS
    for each in whole.options:
        assert each.logprob < 0
        assert each.logprob_per_token == pytest.approx(each.logprob / each.tokens, rel=1e-5)
    total = sum(math.exp(each.logprob) for each in whole.options)
    for each in whole.options:
        assert each.probability == pytest.approx(math.exp(each.logprob) / total, rel=1e-3)
    assert whole.chosen == max(range(3), key=lambda n: whole.options[n].logprob)
    request.score = pb.CHOICE_SCORE_PER_TOKEN
    each = await starter.stub.Choose(request)
    assert each.chosen == max(range(3), key=lambda n: whole.options[n].logprob_per_token)
    assert sum(option.probability for option in each.options) == pytest.approx(1)
    assert each.cached_tokens > 0 or each.prompt_tokens < 16


async def test_a_seed_draws_the_same_and_each_option_as_often_as_is_likely(starter):
    drawn = []
    for seed in range(60):
        request = pb.ChooseRequest(
            text="Well, ", options=["yes", "no"], draw=True, seed=seed, temperature=5
        )
        first, again = await starter.stub.Choose(request), await starter.stub.Choose(request)
        assert (first.chosen, first.seed) == (again.chosen, seed)
        drawn.append(first.chosen)
    likely = first.options[1].probability * 60
    assert abs(sum(drawn) - likely) < 4 * math.sqrt(60) / 2


async def test_a_session_stays_as_it_is_unless_it_is_told(starter):
    session_id = await starter.open()
    utterance = dialogue_pb2.Utterance(text="Will you help me?", speaker="Tom")
    request = pb.ChooseRequest(session_id=session_id, options=OPTIONS, utterance=utterance)
    choice = await starter.stub.Choose(request)
    assert choice.turn_id == ""
    session = await starter.stub.GetSession(pb.GetSessionRequest(session_id=session_id))
    assert not session.config.history
    request.remember = True
    choice = await starter.stub.Choose(request)
    session = await starter.stub.GetSession(pb.GetSessionRequest(session_id=session_id))
    lines = [(entry.speaker, entry.text, entry.turn_id) for entry in session.config.history]
    chosen = OPTIONS[choice.chosen]
    assert lines == [("Tom", "Will you help me?", choice.turn_id), ("Mira", chosen, choice.turn_id)]
    call = starter.stub.Say(
        pb.SayRequest(
            session_id=session_id,
            utterance=dialogue_pb2.Utterance(text="Thank you.", sampling=exactly(4)),
        )
    )
    assert [response async for response in call]


async def test_what_can_t_be_chosen(starter):
    session_id = await starter.open()
    say = dialogue_pb2.Utterance(text="Hello")
    cases = [
        (pb.ChooseRequest(text="x"), "options"),
        (pb.ChooseRequest(text="x", options=["a", "a"]), "options: has a text twice"),
        (pb.ChooseRequest(text="x", options=["a", ""]), "options: one of them is empty"),
        (pb.ChooseRequest(text="x", options=map(str, range(300))), "1 to 256"),
        (pb.ChooseRequest(options=["a"]), "subject"),
        (pb.ChooseRequest(text="x", options=["a"], utterance=say), "session"),
        (pb.ChooseRequest(text="x", options=["a"], score=9), "score"),
        (pb.ChooseRequest(text="x", options=["a"], temperature=0), "temperature"),
        (pb.ChooseRequest(session_id=session_id, options=["a"]), "utterance"),
        (
            pb.ChooseRequest(
                session_id=session_id,
                options=["a"],
                utterance=dialogue_pb2.Utterance(text="Hello", deadline_ms=5),
            ),
            "utterance.deadline_ms",
        ),
        (pb.ChooseRequest(text="x", options=["word " * 5000]), "tokens"),
    ]
    for request, says in cases:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await starter.stub.Choose(request)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT, request
        assert says in caught.value.details(), caught.value.details()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await starter.stub.Choose(pb.ChooseRequest(session_id="nobody", options=["a"]))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_the_client_keeps_its_transcript(starter):
    async with AsyncRuntime.connect(f"127.0.0.1:{starter.server.port}") as runtime:
        npc = runtime.npc(Persona(name="Mira"))
        choice = await npc.choose(OPTIONS, "Will you help me?", "Tom")
        assert choice.text in OPTIONS
        assert not npc.transcript.entries
        with pytest.raises(InvalidArgumentError, match="twice"):
            await npc.choose(["a", "a"], "Hm?")
        choice = await npc.choose(OPTIONS, "Will you help me?", "Tom", remember=True, seed=3)
        session = await runtime.session(npc.session_id)
        assert list(session.config.history) == npc.transcript.entries
        assert npc.transcript.entries[1].text == choice.text
        again = await runtime.choose("The guard says: ", OPTIONS, per_token=True)
        assert again.probability == max(option.probability for option in again.options)
