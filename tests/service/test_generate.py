"""Generate: the engine's completions over the wire, nothing lost."""

from __future__ import annotations

import itertools

import grpc
import pytest
from service_runtime import Runtime, exactly
from townsfolk.sampling import SamplingParams
from townsfolk.v1 import sampling_pb2 as sampling
from townsfolk.v1 import townsfolk_pb2 as pb


async def generate(runtime: Runtime, **request) -> list[pb.GenerateResponse]:
    return [piece async for piece in runtime.stub.Generate(pb.GenerateRequest(**request))]


def text_of(pieces: list[pb.GenerateResponse]) -> str:
    return "".join(piece.text.text for piece in pieces)


def tokens_of(pieces: list[pb.GenerateResponse]) -> list[sampling.Token]:
    return [token for piece in pieces for token in piece.text.tokens]


async def test_it_is_what_the_engine_says_in_process(runtime):
    fields = {
        "temperature": 0.9,
        "top_k": 50,
        "top_p": 0.9,
        "min_p": 0.01,
        "repetition_penalty": 1.2,
        "presence_penalty": 0.1,
        "frequency_penalty": 0.1,
        "logit_bias": {40: 2.0, 41: -3.5},
        "max_new_tokens": 60,
        "seed": 11,
        "logprobs": 2,
    }
    pieces = await generate(runtime, text="The inn", sampling=sampling.SamplingParams(**fields))
    expected = await runtime.backend.engine.generate("The inn", SamplingParams(**fields))
    assert text_of(pieces) == expected.text
    tokens = tokens_of(pieces)
    assert tuple(token.token.token_id for token in tokens) == expected.token_ids
    assert b"".join(token.token.token_bytes for token in tokens).decode(errors="replace")
    assert pieces[-1].finished.usage.generated_tokens == len(expected.token_ids)
    assert [piece.WhichOneof("event") for piece in pieces].count("finished") == 1


async def test_text_and_its_token_ids_are_the_same_prompt(runtime):
    ids = [runtime.backend.tokenizer.bos_id, *runtime.backend.tokenizer.encode("The inn")]
    params = exactly(30, seed=3)
    from_text = await generate(runtime, text="The inn", sampling=params)
    from_ids = await generate(runtime, token_ids=pb.TokenIds(ids=ids), sampling=params)
    assert text_of(from_text) == text_of(from_ids)


async def test_echo_gives_the_prompt_first_once_with_its_log_probabilities(runtime):
    ids = [runtime.backend.tokenizer.bos_id, *runtime.backend.tokenizer.encode("The inn is")]
    pieces = await generate(runtime, text="The inn is", echo=True, sampling=exactly(4, logprobs=2))
    kinds = [kind for kind, _ in itertools.groupby(p.WhichOneof("event") for p in pieces)]
    assert kinds == ["prompt", "text", "finished"]
    prompt = pieces[0].prompt.tokens
    assert [token.token.token_id for token in prompt] == ids
    assert prompt[0].token.logprob == 0
    assert all(token.token.logprob < 0 and len(token.top) == 2 for token in prompt[1:])
    text = b"".join(token.token.token_bytes for token in prompt)
    assert text.endswith(b"The inn is")


async def test_echo_without_log_probabilities_is_the_tokens_alone(runtime):
    pieces = await generate(runtime, text="The inn is", echo=True, sampling=exactly(1))
    assert all(token.token.logprob == 0 and not token.top for token in pieces[0].prompt.tokens)


async def test_the_chosen_token_of_a_greedy_reply_is_the_likeliest(runtime):
    params = exactly(20, temperature=0.0, logprobs=20)
    for token in tokens_of(await generate(runtime, text="Hello", sampling=params)):
        assert token.token == token.top[0]
        assert len(token.top) == 20


async def test_a_stop_text_ends_the_reply_and_is_named(runtime):
    params = exactly(60, seed=5)
    whole = text_of(await generate(runtime, text="Hello", sampling=params))
    stop = whole[len(whole) // 2 :][:3]
    pieces = await generate(
        runtime,
        text="Hello",
        sampling=sampling.SamplingParams(max_new_tokens=60, min_new_tokens=60, seed=5, stop=[stop]),
    )
    finished = pieces[-1].finished
    assert finished.finish_reason == sampling.FINISH_REASON_STOP
    assert finished.stop_text == stop
    assert text_of(pieces) == whole[: whole.index(stop)]


async def test_a_stop_token_ends_the_reply(runtime):
    params = exactly(40, seed=5)
    ids = [t.token.token_id for t in tokens_of(await generate(runtime, text="A", sampling=params))]
    stop = next(token for index, token in enumerate(ids) if token not in ids[:index] and index > 9)
    pieces = await generate(
        runtime,
        text="A",
        sampling=sampling.SamplingParams(
            max_new_tokens=40, min_new_tokens=1, seed=5, stop_token_ids=[stop]
        ),
    )
    assert pieces[-1].finished.finish_reason == sampling.FINISH_REASON_STOP
    assert pieces[-1].finished.usage.generated_tokens <= ids.index(stop) + 1


async def test_a_seed_that_was_not_given_is_drawn_and_reported(runtime):
    first = await generate(runtime, text="Hello", sampling=exactly(30, temperature=2.0))
    second = await generate(runtime, text="Hello", sampling=exactly(30, temperature=2.0))
    seeds = [pieces[-1].finished.usage.seed for pieces in (first, second)]
    assert seeds[0] != seeds[1]
    again = await generate(
        runtime, text="Hello", sampling=exactly(30, temperature=2.0, seed=seeds[0])
    )
    assert text_of(again) == text_of(first)


async def test_player_text_never_forms_control_tokens(runtime):
    specials = set(runtime.backend.tokenizer.special_tokens.values())
    pieces = await generate(
        runtime, text="<|eot_id|><|end_of_text|>", echo=True, sampling=exactly(1)
    )
    ids = [token.token.token_id for token in pieces[0].prompt.tokens]
    assert ids[0] == runtime.backend.tokenizer.bos_id
    assert not specials & set(ids[1:])


async def test_the_deadline_of_the_call_ends_the_request(runtime):
    request = pb.GenerateRequest(text="Hello", sampling=exactly(4000))
    call = runtime.stub.Generate(request, timeout=0.3)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in call:
            pass
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    stats = await runtime.settled()
    assert stats.generated_tokens_total < 4000


async def test_cancelling_the_call_ends_the_request(runtime):
    call = runtime.stub.Generate(pb.GenerateRequest(text="Hello", sampling=exactly(4000)))
    await call.read()
    call.cancel()
    stats = await runtime.settled()
    assert stats.generated_tokens_total < 4000
