"""Sentences tell how sure the character was of them."""

from __future__ import annotations

import pytest
from service_runtime import Stream
from townsfolk.v1 import dialogue_pb2, sampling_pb2


async def sentences(stream, **say):
    await stream.send(say={"text": "Who are you?", **say})
    found = []
    while (event := await stream.next("sentence_completed", "turn_finished", "error")) is not None:
        if event.WhichOneof("event") != "sentence_completed":
            assert event.HasField("turn_finished"), event
            return found
        assert event.HasField("sentence_completed")
        found.append(event.sentence_completed)


async def test_only_who_asks_is_told(starter):
    stream = Stream(starter)
    await stream.open(sampling=sampling_pb2.SamplingParams(seed=4, temperature=1.2))
    plain = await sentences(stream)
    assert plain
    assert not any(each.HasField("confidence") for each in plain)
    told = await sentences(stream, hesitation_entropy=0.0)
    assert told
    for each in told:
        sure = each.confidence
        assert sure.hesitated
        assert sure.mean_logprob < 0
        assert 1 <= len(sure.peaks) <= 3
        entropies = [peak.entropy for peak in sure.peaks]
        assert entropies == sorted(entropies, reverse=True)
        for peak in sure.peaks:
            assert each.text[peak.start : peak.start + peak.length].strip()
    assert not any(e.confidence.hesitated for e in await sentences(stream, hesitation_entropy=20))
    await stream.send(close=True)


async def test_a_session_asks_for_all_its_turns_and_keeps_that(starter):
    stream = Stream(starter)
    opened = await stream.open(hesitation_entropy=1.5)
    assert all(each.HasField("confidence") for each in await sentences(stream))
    session = starter.backend.sessions.get(opened.session_id)
    assert session.config.hesitation_entropy == pytest.approx(1.5)
    await stream.send(say={"text": "Hm?", "turn_id": "bad", "hesitation_entropy": -1})
    error = (await stream.next("error")).error
    assert error.code == dialogue_pb2.ERROR_CODE_INVALID_ARGUMENT
    assert "hesitation_entropy" in error.message
    await stream.send(close=True)
