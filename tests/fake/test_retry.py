"""A reply that goes round in circles goes on with other draws."""

from __future__ import annotations

import pytest
from townsfolk.client import FinishReason, Persona, Runtime, RuntimeProcess, SamplingParams

LOOP = "Aye, come in. It is cold. Pettig" + "rew" * 60
SCRIPT = f"""
[[lines]]
says = ["{LOOP}", "Sit by the fire."]
"""


@pytest.fixture
def runtime(tmp_path):
    script = tmp_path / "tavern.toml"
    script.write_text(SCRIPT, encoding="utf-8")
    with RuntimeProcess(["--model", str(script)]) as process:
        endpoint = process.start()
        with Runtime.connect(endpoint.address, endpoint.token) as connected:
            yield connected


def finished(runtime, **sampling):
    with runtime.npc(Persona(name="Mira"), sampling=SamplingParams(**sampling)) as npc:
        turn = npc.say("Good evening.")
        events = [*turn.events()]
        assert npc.transcript[-1].text == turn.text
    shown = "".join(e.text_delta.text for e in events if e.WhichOneof("event") == "text_delta")
    assert shown == turn.text
    return events[-1].turn_finished, events


def test_whole_sentences_stay_and_the_rest_is_said_anew(runtime):
    last, events = finished(runtime, retry_repetition=True)
    assert last.text == "Aye, come in. It is cold. Sit by the fire."
    assert (last.retries, last.finish_reason) == (1, FinishReason.FINISH_REASON_END)
    deltas = [e.text_delta.text for e in events if e.WhichOneof("event") == "text_delta"]
    assert not any("Pettig" in text for text in deltas)
    sentences = [e.sentence_completed for e in events if e.HasField("sentence_completed")]
    assert [each.text for each in sentences] == ["Aye, come in.", "It is cold.", "Sit by the fire."]
    assert [each.index for each in sentences] == [0, 1, 2]
    assert [last.text[e.offset : e.offset + e.length] for e in sentences] == [
        each.text for each in sentences
    ]


@pytest.mark.parametrize("sampling", [{}, {"retry_repetition": True, "temperature": 0}], ids=str)
def test_who_does_not_ask_or_draws_nothing_gets_the_first_try(runtime, sampling):
    last, _ = finished(runtime, **sampling)
    assert last.text.startswith("Aye, come in. It is cold. Pettigrew")
    assert (last.retries, last.finish_reason) == (0, FinishReason.FINISH_REASON_REPETITION)
