"""`townsfolk fake`: the whole service with a script instead of a model."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from townsfolk.client import (
    DeadlineExceededError,
    InvalidArgumentError,
    Persona,
    ResourceExhaustedError,
    Runtime,
    RuntimeProcess,
    TownsfolkError,
)
from townsfolk.v1.sampling_pb2 import FinishReason, SamplingParams

SCRIPT = """
[[lines]]
character = "Mira"
heard = "mayor"
says = ["The mayor is Osric Vane, {speaker}. He is kind.", "As I said: Osric Vane."]

[[lines]]
heard = "crowd"
fails = "overloaded"

[[lines]]
heard = "storm"
says = "It is coming. Get inside at once!"
fails = "failed"
after_words = 3

[[lines]]
heard = "sleep"
says = "Let me just"
fails = "hang"

[[lines]]
heard = "poison"
says = "Argh, I"
fails = "crash"

[[lines]]
heard = "curse"
fails = "engine"

[[lines]]
heard = "long story"
says = "One two three four five six seven eight."

[[lines]]
heard = "say nothing else"
says = "Brann: I am Brann, and not who you think."
"""


@contextmanager
def playing(folder: Path, text: str = SCRIPT) -> Iterator[RuntimeProcess]:
    """A runtime whose model is a script: a game's own launch settings need only another model."""
    script = folder / "Die Schänke.toml"
    script.write_text(text, encoding="utf-8")
    with RuntimeProcess(["--model", str(script)]) as process:
        yield process


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    with playing(tmp_path_factory.mktemp("script")) as process:
        endpoint = process.start()
        with Runtime.connect(endpoint.address, endpoint.token) as connected:
            yield connected


@pytest.fixture
def mira(runtime: Runtime):
    with runtime.npc(Persona(name="Mira")) as npc:
        yield npc


def test_lines_are_said_one_after_the_other_and_the_last_again(mira):
    said = [mira.say("Who is the mayor?", "Tom").wait().text for _ in range(3)]
    assert said == [
        "The mayor is Osric Vane, Tom. He is kind.",
        "As I said: Osric Vane.",
        "As I said: Osric Vane.",
    ]


def test_it_remembers_and_reports_as_a_model_would(mira):
    turn = mira.say("A long story, please.")
    assert "".join(turn) == "One two three four five six seven eight."
    assert turn.finish_reason == FinishReason.FINISH_REASON_END
    assert (turn.usage.generated_tokens, turn.usage.prompt_tokens > 0) == (8, True)
    assert [entry.text for entry in mira.transcript] == [
        "A long story, please.",
        "One two three four five six seven eight.",
    ]


def test_limits_and_stops_hold(runtime):
    for sampling, text in (
        (SamplingParams(max_new_tokens=3), "One two three"),
        (SamplingParams(stop=["four"]), "One two three"),
    ):
        with runtime.npc(Persona(name="Brann"), sampling=sampling) as npc:
            assert npc.say("A long story!").wait().text == text


def test_a_character_says_no_line_of_another(runtime):
    with runtime.npc(Persona(name="Brann")) as npc:
        assert npc.say("say nothing else").wait().text == "I am Brann, and not who you think."


def test_a_turn_that_is_refused_and_one_that_fails_leave_the_others_alone(mira):
    with pytest.raises(ResourceExhaustedError):
        mira.say("A crowd!").wait()
    turn = mira.say("A storm!")
    with pytest.raises(TownsfolkError):
        turn.wait()
    assert turn.text == "It is coming."
    assert "Osric" in mira.say("Who is the mayor?").wait().text


def test_what_is_not_in_the_script_is_said_to_be_missing(mira):
    with pytest.raises(InvalidArgumentError, match="has no line for Mira after 'Pardon"):
        mira.say("Pardon?").wait()


def test_one_that_hangs_can_be_interrupted_and_ends_with_its_deadline(mira):
    turn = mira.say("Do you sleep?")
    for _ in turn:
        turn.interrupt()
    assert turn.interrupted
    for deadline_s in (0.2, 1, 4, 16):  # until one is long enough for the words
        slow = mira.say("Do you sleep?", deadline_s=deadline_s)
        with suppress(DeadlineExceededError):
            if slow.wait().text == "Let me just":
                break
    assert slow.text == "Let me just"
    assert slow.finish_reason == FinishReason.FINISH_REASON_DEADLINE


def test_of_options_the_scripts_is_chosen(mira):
    options = ["I know nothing of that.", "As I said: Osric Vane.", "The sea."]
    assert mira.choose(options, "Who is the mayor?").text == options[1]


def test_a_plain_prompt_is_answered_too(runtime):
    said = [piece.text.text for piece in runtime.generate("Tell a long story")]
    assert "".join(said) == "One two three four five six seven eight."


@pytest.mark.parametrize(("word", "status"), [("poison", 70), ("curse", 1)])
def test_a_runtime_that_dies_is_dead(tmp_path, word, status):
    with playing(tmp_path) as process:
        endpoint = process.start()
        child = process._process
        with (
            Runtime.connect(endpoint.address, endpoint.token) as runtime,
            runtime.npc(Persona(name="Mira")) as npc,
            pytest.raises(TownsfolkError),
        ):
            npc.say(f"{word}!").wait()
        assert child.wait(timeout=500) == status


def test_a_model_that_can_not_be_loaded(tmp_path):
    with (
        playing(tmp_path, 'start_error = "no memory"') as process,
        pytest.raises(TownsfolkError, match="the model can't be used: no memory"),
    ):
        process.start()


def test_it_is_told_from_a_real_one(runtime):
    assert (runtime.info().model, runtime.info().device) == ("Die Schänke", "script")


def test_the_command_serves_without_a_folder_to_write_to(tmp_path):
    script = tmp_path / "tavern.toml"
    script.write_text(SCRIPT)
    command = [sys.executable, "-m", "townsfolk", "fake", "--script", str(script)]
    with subprocess.Popen(
        [*command, "--port", "0", "--ready-file", "-", "--exit-with-stdin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        with Runtime.connect(f"{ready['address']}:{ready['port']}", ready["token"]) as runtime:
            assert runtime.info().model == "tavern"
        process.communicate()
    assert process.returncode == 0


def test_a_bad_script_is_said_at_once(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "townsfolk", "fake", "--script", str(tmp_path / "none.toml")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "No such file" in done.stderr


def test_pytorch_is_not_even_imported():
    program = "import sys, townsfolk.fake, townsfolk.service.process; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
