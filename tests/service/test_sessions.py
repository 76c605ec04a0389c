"""A session over Converse, and over the calls for clients that can't stream both ways."""

from __future__ import annotations

import asyncio
import itertools
import threading

import grpc
import grpc_web
import pytest
from service_runtime import Stream, exactly
from townsfolk.dialogue import prompt
from townsfolk.dialogue.chat_template import ChatTemplate
from townsfolk.dialogue.encoding import PromptEncoder
from townsfolk.dialogue.persona import Persona
from townsfolk.dialogue.transcript import EntryKind, TranscriptEntry
from townsfolk.text.tokenizer import Tokenizer
from townsfolk.v1 import dialogue_pb2 as dialogue
from townsfolk.v1 import sampling_pb2 as sampling
from townsfolk.v1 import townsfolk_pb2 as pb


async def test_a_turn_is_its_events_in_order_and_its_deltas_are_its_text(runtime):
    stream = Stream(runtime)
    opened = await stream.open(session_id="inn", sampling=exactly(20))
    assert (opened.session_id, opened.resumed, opened.context_tokens) == ("inn", False, 4096)
    assert opened.system_tokens > 0
    await stream.send(say=dialogue.Utterance(text="Good evening!", speaker="Ann", turn_id="t1"))
    await stream.send(notify="A storm comes up.")
    await stream.call.done_writing()
    events = [event for event in await stream.rest() if event.WhichOneof("event") != "notified"]

    assert events[0].turn_started.turn_id == "t1"
    finished = events[-1].turn_finished
    deltas = [event.text_delta.text for event in events if event.HasField("text_delta")]
    assert "".join(deltas).strip() == finished.text
    sentences = [e.sentence_completed for e in events if e.HasField("sentence_completed")]
    assert [sentence.index for sentence in sentences] == list(range(len(sentences)))
    assert sentences
    assert finished.finish_reason == sampling.FINISH_REASON_LENGTH
    assert finished.usage.generated_tokens == 20
    assert finished.usage.time_to_first_token_ms > 0
    assert finished.usage.tokens_per_second > 0
    assert await stream.call.code() is grpc.StatusCode.OK

    session = await runtime.stub.GetSession(pb.GetSessionRequest(session_id="inn"))
    lines = {(line.kind, line.speaker, line.text) for line in session.config.history}
    assert (dialogue.ENTRY_KIND_HEARD, "Ann", "Good evening!") in lines
    assert (dialogue.ENTRY_KIND_SPOKE, "Mira", finished.text) in lines
    assert (dialogue.ENTRY_KIND_EVENT, "", "A storm comes up.") in lines


async def test_turns_queue_up_and_are_answered_in_order(runtime):
    stream = Stream(runtime)
    await stream.open(sampling=exactly(10))
    for number in range(5):
        await stream.send(say=dialogue.Utterance(text=f"Number {number}?", turn_id=str(number)))
    await stream.call.done_writing()
    events = await stream.rest()
    marks = [
        (kind, getattr(event, kind).turn_id)
        for event in events
        if (kind := event.WhichOneof("event")) in ("turn_started", "turn_finished")
    ]
    assert marks == [
        (kind, str(number)) for number in range(5) for kind in ("turn_started", "turn_finished")
    ]


async def test_a_later_turn_computes_only_what_is_new(starter):
    stream = Stream(starter)
    await stream.open(sampling=sampling.SamplingParams(temperature=0))
    usages = []
    for text in ("Hello!", "What is your name?", "Where do you live?"):
        await stream.send(say=dialogue.Utterance(text=text))
        usages.append((await stream.next("turn_finished")).turn_finished.usage)
    for before, after in itertools.pairwise(usages):
        # A reply's last token is drawn but not computed.
        assert after.cached_tokens >= before.prompt_tokens + before.generated_tokens - 1


async def test_the_same_seed_says_the_same_whichever_way_it_is_asked(web):
    seeded = exactly(48, seed=7)
    utterance = dialogue.Utterance(text="Who are you?", speaker="Ann")
    persona = dialogue.Persona(name="Mira", description="The innkeeper.", goals=["Sell ale"])
    config = {"persona": persona, "sampling": seeded}

    stream = Stream(web)
    await stream.open(**config)
    await stream.send(say=utterance)
    conversed = (await stream.next("turn_finished")).turn_finished

    session_id = await web.open(**config)
    request = pb.SayRequest(session_id=session_id, utterance=utterance)
    said = [r.event async for r in web.stub.Say(request)][-1].turn_finished

    request.session_id = await web.open(**config)
    _, messages = await grpc_web.call(
        web.server.web_port, "Say", grpc_web.frame(request.SerializeToString())
    )
    over_web = pb.SayResponse.FromString(messages[-1]).event.turn_finished

    # And once more without any session: the prompt that the dialogue room would make.
    tokenizer = web.backend.tokenizer
    character = Persona(name="Mira", description="The innkeeper.", goals=("Sell ale",))
    heard = TranscriptEntry(kind=EntryKind.HEARD, speaker="Ann", text="Who are you?")
    messages = prompt.messages(prompt.system_text(character, ()), [heard])
    template = ChatTemplate(tokenizer)
    ids = PromptEncoder(tokenizer).encode(template.render(messages, "Mira")).token_ids
    ending_too = exactly(48, seed=7, stop_token_ids=template.stop_token_ids)
    raw = pb.GenerateRequest(token_ids=pb.TokenIds(ids=ids), sampling=ending_too)
    pieces = [piece async for piece in web.stub.Generate(raw)]
    generated = "".join(piece.text.text for piece in pieces)

    assert conversed.text == said.text == over_web.text == generated.strip()
    assert len(conversed.text) > 10
    assert conversed.usage.seed == said.usage.seed == over_web.usage.seed == 7
    assert conversed.usage.prompt_tokens == pieces[-1].finished.usage.prompt_tokens == len(ids)


async def test_an_interrupted_turn_keeps_what_was_heard(runtime):
    stream = Stream(runtime)
    await stream.open(session_id="inn", sampling=exactly(3000))
    await stream.send(say=dialogue.Utterance(text="Tell me all.", turn_id="long"))
    await stream.send(say=dialogue.Utterance(text="And then?", turn_id="queued"))
    heard = ""
    while len(heard) < 20:
        heard += (await stream.next("text_delta")).text_delta.text
    await stream.send(interrupt=pb.Interrupt(heard_characters=12))
    cut = (await stream.next("turn_interrupted")).turn_interrupted
    assert (cut.turn_id, cut.text) == ("long", heard[:12])
    assert 0 < cut.usage.generated_tokens < 3000
    waiting = (await stream.next("turn_interrupted")).turn_interrupted
    assert (waiting.turn_id, waiting.text) == ("queued", "")
    session = await runtime.stub.GetSession(pb.GetSessionRequest(session_id="inn"))
    last = session.config.history[-1]
    assert (last.kind, last.text, last.cut) == (dialogue.ENTRY_KIND_SPOKE, heard[:12], True)
    await runtime.settled()


async def test_interrupt_session_names_what_it_cut_off(runtime):
    session_id = await runtime.open(sampling=exactly(3000))
    request = pb.SayRequest(
        session_id=session_id, utterance=dialogue.Utterance(text="Go on.", turn_id="one")
    )
    call = runtime.stub.Say(request)
    await runtime.speaking()
    interrupt = pb.InterruptSessionRequest(session_id=session_id)
    assert (await runtime.stub.InterruptSession(interrupt)).turn_ids == ["one"]
    events = [response.event async for response in call]
    assert events[-1].WhichOneof("event") == "turn_interrupted"
    assert await call.code() is grpc.StatusCode.OK
    assert (await runtime.stub.InterruptSession(interrupt)).turn_ids == []


async def test_priority_and_events_reach_the_session(runtime):
    stream = Stream(runtime)
    await stream.open(session_id="inn", priority=-5)
    await stream.send(update_priority=42)
    assert (await stream.next()).priority_updated.priority == 42
    await stream.send(notify="The bells ring.")
    assert (await stream.next()).notified.text == "The bells ring."
    update = pb.UpdateSessionRequest(session_id="inn", priority=7)
    await runtime.stub.UpdateSession(update)
    notify = pb.NotifySessionRequest(session_id="inn", text="All is quiet.")
    await runtime.stub.NotifySession(notify)
    session = await runtime.stub.GetSession(pb.GetSessionRequest(session_id="inn"))
    assert session.config.priority == 7
    assert [line.text for line in session.config.history] == ["The bells ring.", "All is quiet."]


async def test_sessions_are_listed_by_id_and_forgotten_when_closed(runtime):
    await runtime.open(session_id="b", persona=dialogue.Persona(name="Bran"), priority=3)
    await runtime.open(session_id="a", persona=dialogue.Persona(name="Anna"))
    await runtime.stub.NotifySession(pb.NotifySessionRequest(session_id="a", text="Rain."))
    listed = (await runtime.stub.ListSessions(pb.ListSessionsRequest())).sessions
    assert [(s.session_id, s.persona_name, s.priority, s.speaking) for s in listed] == [
        ("a", "Anna", 0, False),
        ("b", "Bran", 3, False),
    ]
    assert [s.transcript_entries for s in listed] == [1, 0]
    await runtime.stub.CloseSession(pb.CloseSessionRequest(session_id="a"))
    listed = (await runtime.stub.ListSessions(pb.ListSessionsRequest())).sessions
    assert [s.session_id for s in listed] == ["b"]


async def test_close_ends_the_stream_and_the_session(runtime):
    stream = Stream(runtime)
    await stream.open(session_id="inn", sampling=exactly(3000))
    await stream.send(say=dialogue.Utterance(text="Go on."))
    await stream.next("text_delta")
    await stream.send(close=True)
    events = await stream.rest()
    assert events[-1].WhichOneof("event") == "turn_interrupted"
    assert await stream.call.code() is grpc.StatusCode.OK
    assert not (await runtime.stub.ListSessions(pb.ListSessionsRequest())).sessions
    await runtime.settled()


async def test_a_session_survives_its_stream_and_is_resumed(runtime):
    stream = Stream(runtime)
    await stream.open(session_id="inn", sampling=exactly(3000))
    await stream.send(say=dialogue.Utterance(text="Go on."))
    await stream.next("text_delta")
    stream.call.cancel()
    await runtime.settled()

    again = Stream(runtime)
    opened = await again.open(session_id="inn", resume=True, persona=None)
    assert opened.resumed
    session = await runtime.stub.GetSession(pb.GetSessionRequest(session_id="inn"))
    assert session.current_turn_id == ""
    said, answer = session.config.history
    assert said.text == "Go on."
    assert answer.cut
    short = dialogue.Utterance(text="Are you there?", sampling=exactly(5))
    await again.send(say=short)
    assert (await again.next("turn_finished")).turn_finished.usage.cached_tokens > 0


async def test_everything_of_a_session_comes_back(runtime):
    """What GetSession returns is what OpenSession got, and opens the same session again."""
    config = dialogue.SessionConfig(
        session_id="saved",
        persona=dialogue.Persona(
            name="Mira",
            description="The innkeeper.",
            goals=["Sell ale", "Sleep"],
            speaking_style="Short.",
            taboos=["Lie"],
            example_lines=["Aye."],
        ),
        lore_ids=["town", "king"],
        sampling=sampling.SamplingParams(
            temperature=0.7,
            top_k=0,
            top_p=0.9,
            min_p=0.05,
            repetition_penalty=1.1,
            presence_penalty=-0.3,
            frequency_penalty=0.2,
            logit_bias={3: -1.5, 5: 2.25},
            stop=["END"],
            stop_token_ids=[9],
            max_new_tokens=30,
            min_new_tokens=2,
            seed=2**64 - 1,
            logprobs=0,
        ),
        priority=-100,
        history=[
            dialogue.TranscriptEntry(
                kind=dialogue.ENTRY_KIND_HEARD, speaker="Ann", text="Hi <|eot_id|>", turn_id="t1"
            ),
            dialogue.TranscriptEntry(
                kind=dialogue.ENTRY_KIND_SPOKE, speaker="Mira", text="Welc", cut=True, turn_id="t1"
            ),
            dialogue.TranscriptEntry(kind=dialogue.ENTRY_KIND_EVENT, text="Day breaks."),
        ],
        overflow_policy=dialogue.OVERFLOW_POLICY_DROP_OLDEST,
        contrast=dialogue.PersonaContrast(
            fields=[dialogue.PERSONA_FIELD_GOALS, dialogue.PERSONA_FIELD_TABOOS], strength=0.7
        ),
    )
    for lore_id in config.lore_ids:
        lore = dialogue.Lore(lore_id=lore_id, text=f"Of the {lore_id}.")
        assert (await runtime.stub.RegisterLore(pb.RegisterLoreRequest(lore=lore))).tokens > 0
    request = pb.OpenSessionRequest(open=pb.OpenSession(config=config))
    for _ in range(2):
        await runtime.stub.OpenSession(request)
        got = await runtime.stub.GetSession(pb.GetSessionRequest(session_id="saved"))
        assert got.config == config
        request.open.config.CopyFrom(got.config)
        await runtime.stub.CloseSession(pb.CloseSessionRequest(session_id="saved"))


async def test_log_probabilities_come_with_the_text_when_asked_for(runtime):
    stream = Stream(runtime)
    await stream.open(sampling=exactly(12))
    for logprobs, counts in ((3, {3}), (0, {0}), (None, set())):
        params = sampling.SamplingParams(logprobs=logprobs)
        await stream.send(say=dialogue.Utterance(text="Well?", sampling=params))
        tokens = []
        while (event := await stream.next("text_delta", "turn_finished")).HasField("text_delta"):
            tokens += event.text_delta.tokens
        assert {len(token.top) for token in tokens} == counts
        assert len(tokens) == (0 if logprobs is None else 12)
        for token in tokens:
            assert token.token.logprob < 0
            assert token.token.token_bytes
            tops = [top.logprob for top in token.top]
            assert tops == sorted(tops, reverse=True)


async def test_forgotten_lines_are_named(runtime):
    history = [
        dialogue.TranscriptEntry(kind=kind, speaker="x", text=f"Line {number} " * 40)
        for number in range(20)
        for kind in (dialogue.ENTRY_KIND_HEARD, dialogue.ENTRY_KIND_SPOKE)
    ]
    stream = Stream(runtime)
    await stream.open(history=history, sampling=exactly(4))
    await stream.send(say=dialogue.Utterance(text="Remember?", turn_id="t"))
    trimmed = (await stream.next("context_trimmed")).context_trimmed
    assert trimmed.turn_id == "t"
    assert list(trimmed.dropped) == history[: len(trimmed.dropped)]
    assert 0 < len(trimmed.dropped) < len(history)
    await stream.next("turn_finished")


async def test_a_turns_deadline_keeps_what_was_said(runtime):
    stream = Stream(runtime)
    await stream.open(sampling=exactly(4000))
    # Twice as long each time, so that one in which a token comes ends long before the answer does.
    for doublings in range(12):
        late = dialogue.Utterance(text="Go on.", deadline_ms=50 * 2**doublings)
        await stream.send(say=late)
        event = await stream.next("turn_finished", "error")
        if event.HasField("turn_finished"):
            break
        assert event.error.code == dialogue.ERROR_CODE_DEADLINE_EXCEEDED
    finished = event.turn_finished
    assert finished.finish_reason == sampling.FINISH_REASON_DEADLINE
    assert finished.text
    await runtime.settled()


@pytest.mark.parametrize("way", ["Say", "Converse"])
async def test_a_deadline_that_passes_while_waiting_is_an_error_of_that_turn(runtime, way):
    session_id = await runtime.open(session_id="inn", sampling=exactly(4000))
    first = pb.SayRequest(session_id=session_id, utterance=dialogue.Utterance(text="Go on."))
    call = runtime.stub.Say(first)
    await runtime.speaking()
    late = dialogue.Utterance(text="Quick!", deadline_ms=50, turn_id="late")
    if way == "Say":
        request = pb.SayRequest(session_id=session_id, utterance=late)
        events = [response.event async for response in runtime.stub.Say(request)]
        error = events[-1].error
    else:
        stream = Stream(runtime)
        await stream.open(session_id=session_id, resume=True)
        await stream.send(say=late)
        error = (await stream.next("error")).error
    assert error.code == dialogue.ERROR_CODE_DEADLINE_EXCEEDED
    assert error.turn_id == "late"
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call.read()


async def test_long_texts_are_encoded_beside_the_event_loop(runtime, monkeypatch):
    """Others speak meanwhile: to encode 4,000 tokens takes 10 ms."""
    encode, threads = Tokenizer.encode, []

    def noted(tokenizer, text, **options):
        if len(text) > 1000:
            threads.append(threading.current_thread())
        return encode(tokenizer, text, **options)

    monkeypatch.setattr(Tokenizer, "encode", noted)
    tale = "The mill burnt down. " * 60
    lore = dialogue.Lore(lore_id="tale", text=tale)
    assert (await runtime.stub.RegisterLore(pb.RegisterLoreRequest(lore=lore))).tokens > 60
    stream = Stream(runtime)
    heard = dialogue.TranscriptEntry(kind=dialogue.ENTRY_KIND_HEARD, text=tale)
    spoke = dialogue.TranscriptEntry(kind=dialogue.ENTRY_KIND_SPOKE, text="So they say.")
    await stream.open(sampling=exactly(3), lore_ids=["tale"], history=[heard, spoke])
    await stream.send(say=dialogue.Utterance(text="What happened?"))
    await stream.call.done_writing()
    assert (await stream.rest())[-1].HasField("turn_finished")
    request = pb.GenerateRequest(text=tale, sampling=exactly(3))
    assert [event async for event in runtime.stub.Generate(request)]
    assert threads
    assert threading.main_thread() not in threads


async def test_removed_lore_is_unknown_to_new_sessions_and_kept_by_those_that_knew_it(runtime):
    lore = dialogue.Lore(lore_id="rumour", text="The king is said to be a goose.")
    await runtime.stub.RegisterLore(pb.RegisterLoreRequest(lore=lore))
    knows = Stream(runtime)
    await knows.open(sampling=exactly(3), lore_ids=["rumour"])
    await runtime.stub.RemoveLore(pb.RemoveLoreRequest(lore_id="rumour"))
    await knows.send(say=dialogue.Utterance(text="Heard any news?"))
    await knows.call.done_writing()
    assert (await knows.rest())[-1].HasField("turn_finished")
    config = dialogue.SessionConfig(persona=dialogue.Persona(name="Mira"), lore_ids=["rumour"])
    with pytest.raises(grpc.aio.AioRpcError, match="no lore 'rumour'") as error:
        await runtime.stub.OpenSession(pb.OpenSessionRequest(open=pb.OpenSession(config=config)))
    assert error.value.code() is grpc.StatusCode.NOT_FOUND
    with pytest.raises(grpc.aio.AioRpcError, match="no lore 'rumour'") as error:
        await runtime.stub.RemoveLore(pb.RemoveLoreRequest(lore_id="rumour"))
    assert error.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_history_of_megabytes_that_was_given_is_taken(runtime):
    """A session takes what it can give, and says when it is full."""
    config = dialogue.SessionConfig(session_id="chronicle", persona=dialogue.Persona(name="Mira"))
    await runtime.stub.OpenSession(pb.OpenSessionRequest(open=pb.OpenSession(config=config)))
    request = pb.NotifySessionRequest(session_id="chronicle", text="\u00e9" * 4096)

    async def notify_for_ever():
        while True:
            await runtime.stub.NotifySession(request)

    with pytest.raises(grpc.aio.AioRpcError, match="can't take more") as error:
        await notify_for_ever()
    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    saved = (await runtime.stub.GetSession(pb.GetSessionRequest(session_id="chronicle"))).config
    assert saved.ByteSize() > 2 * 1024 * 1024
    await runtime.stub.CloseSession(pb.CloseSessionRequest(session_id="chronicle"))
    await runtime.stub.OpenSession(pb.OpenSessionRequest(open=pb.OpenSession(config=saved)))
    again = (await runtime.stub.GetSession(pb.GetSessionRequest(session_id="chronicle"))).config
    assert again == saved
    utterance = dialogue.Utterance(text="What was that?", sampling=exactly(3))
    say = runtime.stub.Say(pb.SayRequest(session_id="chronicle", utterance=utterance))
    events = [response.event async for response in say]
    assert events[0].HasField("context_trimmed")
    assert events[-1].HasField("turn_finished")
    await runtime.stub.CloseSession(pb.CloseSessionRequest(session_id="chronicle"))


@pytest.mark.parametrize(
    ("fields", "strength", "message"),
    [
        ([dialogue.PERSONA_FIELD_GOALS], 1.0, "contrast.fields: the persona has no goals"),
        ([dialogue.PERSONA_FIELD_UNSPECIFIED], 1.0, "contrast.fields.0: is 0"),
        ([99], 1.0, "contrast.fields.0: is 99"),
        ([], 0.0, "contrast.strength"),
    ],
)
async def test_a_contrast_that_says_nothing_is_refused(runtime, fields, strength, message):
    config = dialogue.SessionConfig(
        persona=dialogue.Persona(name="Mira", description="The innkeeper."),
        contrast=dialogue.PersonaContrast(fields=fields, strength=strength),
    )
    with pytest.raises(grpc.aio.AioRpcError, match=message) as caught:
        await runtime.stub.OpenSession(pb.OpenSessionRequest(open=pb.OpenSession(config=config)))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
