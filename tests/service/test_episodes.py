"""Episodes over the contract: a character acts, is rewarded, and is recorded as it drew."""

from __future__ import annotations

import asyncio
import json
import math

import grpc
import pytest
import torch
from service_runtime import Runtime
from starter_numbers import starter_numbers
from townsfolk.grammar.compiler import GrammarCompiler
from townsfolk.grammar.source import Grammar
from townsfolk.v1 import dialogue_pb2 as dialogue
from townsfolk.v1 import episode_pb2 as pb
from townsfolk.v1 import sampling_pb2
from townsfolk.v1 import townsfolk_pb2 as calls
from transformers import LlamaForCausalLM

Code = grpc.StatusCode
OFFER = dialogue.ActionSpec(
    name="offer",
    description="Ask for a price",
    parameters=[
        dialogue.ActionParameter(
            name="price", type=dialogue.PARAMETER_TYPE_INTEGER, minimum=1, maximum=40
        )
    ],
)
LEAVE = dialogue.ActionSpec(name="leave", description="Walk away")


def config(**more) -> pb.EpisodeConfig:
    session = dialogue.SessionConfig(
        persona=dialogue.Persona(name="Mira"),
        actions=[OFFER, LEAVE],
        sampling=sampling_pb2.SamplingParams(**{"seed": 5} | more.pop("sampling", {})),
        **more.pop("session", {}),
    )
    return pb.EpisodeConfig(**({"task": "haggle", "session": session} | more))


async def opened(runtime: Runtime, **more) -> str:
    request = pb.OpenEpisodeRequest(config=config(**more))
    return (await runtime.stub.OpenEpisode(request)).episode_id


async def act(runtime: Runtime, episode_id: str, text: str = "A lamp?", **more) -> pb.EpisodeAct:
    seen = pb.Observation(text=text, **more)
    return (await runtime.stub.Act(pb.ActRequest(episode_id=episode_id, observation=seen))).act


async def reward(runtime: Runtime, episode_id: str, value: float) -> None:
    await runtime.stub.RewardEpisode(pb.RewardEpisodeRequest(episode_id=episode_id, value=value))


async def end(runtime: Runtime, episode_id: str, **more) -> float:
    request = pb.EndEpisodeRequest(episode_id=episode_id, **more)
    return (await runtime.stub.EndEpisode(request)).reward


async def take(runtime: Runtime, **more) -> pb.TakeEpisodesResponse:
    request = pb.TakeEpisodesRequest(**({"task": "haggle"} | more))
    return await runtime.stub.TakeEpisodes(request)


async def refused(call) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), caught.value.details()


def prices(played: pb.Trajectory) -> list[str]:
    return [each.arguments_json for each in played.acts]


async def test_what_is_played_is_recorded_and_taken_once(runtime):
    episode_id = await opened(runtime, group="seed 3")
    first = await act(runtime, episode_id, "A lamp?", speaker="Tom", actions=["offer"])
    assert (first.number, first.action, first.speech) == (0, "offer", "")
    assert 1 <= json.loads(first.arguments_json)["price"] <= 40
    await reward(runtime, episode_id, 0.5)
    await reward(runtime, episode_id, 0.25)
    second = await act(runtime, episode_id, "Tom leaves.", actions=["leave"])
    assert (second.number, second.action, second.arguments_json) == (1, "leave", "{}")
    await reward(runtime, episode_id, -1)
    assert (await take(runtime)).episodes == []  # it is not over
    assert await end(runtime, episode_id) == -0.25
    found = await take(runtime)
    assert found.left == 0
    (played,) = found.episodes
    assert (played.task, played.group, played.reward) == ("haggle", "seed 3", -0.25)
    assert not played.truncated
    assert [each.reward for each in played.acts] == [0.75, -1]
    assert played.acts[0].observation.speaker == "Tom"
    assert played.acts[0].drawn == first.drawn
    assert (await take(runtime)).episodes == []
    assert (await refused(act(runtime, episode_id)))[0] is Code.NOT_FOUND
    sessions = await runtime.stub.ListSessions(calls.ListSessionsRequest())
    assert len(sessions.sessions) == 0


@pytest.mark.parametrize(("temperature", "speech"), [(1.0, 0), (1.7, 6)])
async def test_recorded_probabilities_are_those_of_what_was_drawn_from(
    starter, temperature, speech
):
    """Against transformers, with masks that are computed here."""
    episode_id = await opened(starter, speech_tokens=speech, sampling={"temperature": temperature})
    model = LlamaForCausalLM.from_pretrained(starter_numbers(), dtype=torch.float32).eval()
    tokenizer = starter.backend.tokenizer
    ends = {*model.config.eos_token_id, *tokenizer.eos_ids}
    compiler = GrammarCompiler(tokenizer, model.config.vocab_size, ends)
    kinds = set()
    for number in range(3):
        found = await act(starter, episode_id, f"Somebody asks again, {number}.")
        for text in found.drawn:
            assert text.temperature == pytest.approx(temperature)
            drawn = [each.token_id for each in text.tokens]
            tokens = torch.tensor([[*text.prompt_ids, *drawn]])
            with torch.no_grad():
                logits = model(tokens).logits[0, len(text.prompt_ids) - 1 : -1] / temperature
            matcher = None
            if text.HasField("grammar"):
                matcher = compiler.compile(Grammar.json_schema(text.grammar.json_schema)).matcher()
            kinds.add(matcher is None)
            for row, token in zip(logits, text.tokens, strict=True):
                allowed = torch.ones_like(row, dtype=torch.bool)
                if matcher is not None:
                    bits = matcher.raw.compute_bitmask()
                    flat = torch.frombuffer(bytearray(bits), dtype=torch.uint8)
                    allowed = (flat[:, None] >> torch.arange(8) & 1).bool().flatten()[: len(row)]
                    assert allowed[token.token_id]
                    matcher.accept(token.token_id)
                if token.HasField("logprob"):
                    expected = row.masked_fill(~allowed, -math.inf).log_softmax(-1)[token.token_id]
                    assert token.logprob == pytest.approx(float(expected), abs=2e-3)
        assert any(each.HasField("logprob") for each in found.drawn[-1].tokens)
        assert not all(each.HasField("logprob") for each in found.drawn[-1].tokens)
    assert kinds == ({True, False} if speech else {False})


async def test_a_seed_gives_the_same_play_and_acts_that_differ(runtime):
    async def play(seed: int) -> list[str]:
        episode_id = await opened(runtime, sampling={"seed": seed}, task=f"t{seed}")
        for _ in range(6):
            await act(runtime, episode_id, "Well?", actions=["offer"])
        await end(runtime, episode_id)
        return prices((await take(runtime, task=f"t{seed}")).episodes[0])

    first, again, other = await play(1), await play(1), await play(2)
    assert first == again != other
    assert len(set(first)) > 1


async def test_who_learns_waits_for_episodes_and_takes_some(runtime):
    waiting = asyncio.ensure_future(take(runtime, wait_ms=60_000))
    for _ in range(3):
        episode_id = await opened(runtime)
        await act(runtime, episode_id)
        await end(runtime, episode_id)
    first = await waiting
    assert len(first.episodes) >= 1
    rest = await take(runtime, most=3)
    assert len(first.episodes) + len(rest.episodes) == 3
    dropped = await opened(runtime)
    await act(runtime, dropped)
    await end(runtime, dropped, drop=True)
    assert (await take(runtime)).episodes == []


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"task": ""}, "task"),
        ({"speech_tokens": 257}, "speech_tokens"),
        ({"sampling": {"top_k": 5}}, "session.sampling.top_k"),
        ({"sampling": {"repetition_penalty": 1.5}}, "session.sampling.repetition_penalty"),
        ({"sampling": {"temperature": 7}}, "temperature"),
    ],
)
async def test_what_an_episode_can_not_be(runtime, more, named):
    code, message = await refused(opened(runtime, **more))
    assert code is Code.INVALID_ARGUMENT
    assert named in message


async def test_what_can_not_be_done_now(runtime):
    episode_id = await opened(runtime)
    assert (await refused(reward(runtime, episode_id, 1)))[0] is Code.FAILED_PRECONDITION
    assert (await refused(act(runtime, episode_id, " ")))[0] is Code.INVALID_ARGUMENT
    assert (await refused(act(runtime, episode_id, actions=["fly"])))[0] is Code.INVALID_ARGUMENT
    await act(runtime, episode_id)
    code, message = await refused(reward(runtime, episode_id, math.nan))
    assert code is Code.INVALID_ARGUMENT
    assert "finite" in message
    assert (await refused(opened(runtime, episode_id=episode_id)))[0] is Code.ALREADY_EXISTS
    for more in ({"most": 1025}, {"most": -1}, {"wait_ms": 60_001}, {"task": ""}):
        assert (await refused(take(runtime, **more)))[0] is Code.INVALID_ARGUMENT
    assert (await refused(end(runtime, "nobody")))[0] is Code.NOT_FOUND


async def test_one_act_at_a_time_and_one_that_is_left_is_none(runtime):
    episode_id = await opened(runtime, speech_tokens=256)
    under_way = asyncio.ensure_future(act(runtime, episode_id))
    await runtime.speaking()
    assert (await refused(act(runtime, episode_id)))[0] is Code.FAILED_PRECONDITION
    assert (await refused(end(runtime, episode_id)))[0] is Code.FAILED_PRECONDITION
    under_way.cancel()
    await runtime.settled()
    assert (await act(runtime, episode_id)).number == 0


async def test_what_nobody_takes_is_bounded(runtime):
    runtime.backend.episodes._max_tokens = 100
    episode_id = await opened(runtime)
    await act(runtime, episode_id)
    await end(runtime, episode_id)
    code, message = await refused(opened(runtime))
    assert code is Code.RESOURCE_EXHAUSTED
    assert "TakeEpisodes" in message
    await take(runtime)
    gone = await opened(runtime)
    await act(runtime, gone)
    await runtime.stub.CloseSession(calls.CloseSessionRequest(session_id=gone))
    dropped = await opened(runtime)
    await act(runtime, dropped)
    await end(runtime, dropped, drop=True)
    assert runtime.backend.episodes._kept == 0
    assert (await refused(act(runtime, gone)))[0] is Code.NOT_FOUND


async def test_what_waits_to_be_taken_keeps_its_name(runtime):
    episode_id = await opened(runtime, episode_id="first")
    await act(runtime, episode_id)
    await end(runtime, episode_id)
    assert (await refused(opened(runtime, episode_id="first")))[0] is Code.ALREADY_EXISTS
    assert [each.episode_id for each in (await take(runtime)).episodes] == ["first"]
    await opened(runtime, episode_id="first")
