"""What a person gets wrong, or can't know: a sentence that says what to do, never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from google.protobuf.json_format import ParseDict
from townsfolk import cli
from townsfolk.client import Persona

TOWNSFOLK = [sys.executable, "-m", "townsfolk"]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    """Runs a command in this process; gives its status and all that it printed."""

    def run(*arguments: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        code = ended.value.code
        return (code, shown.out + shown.err) if isinstance(code, int) else (1, str(code))

    return run


@pytest.mark.parametrize(
    ("arguments", "statuses"),
    [
        (("doctor",), {141}),
        (("--help",), {0, 141}),  # argparse hides it, unless the text is still in a buffer then
        (("generate", "The inn", "--max-new-tokens", "4"), {141}),
    ],
)
def test_a_closed_pipe_ends_a_command_quietly(
    arguments: tuple[str, ...], statuses: set[int]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as nobody:
        ended = subprocess.run(
            [*TOWNSFOLK, *arguments], stdout=nobody, stderr=subprocess.PIPE, text=True, timeout=500
        )
    assert ended.stderr == ""
    assert ended.returncode in statuses


def test_lines_that_are_not_utf8_are_told_and_the_talk_goes_on() -> None:
    lines = b"Hello!\nA caf\xe9, please.\nWhat is your name?\n"
    talk = subprocess.run([*TOWNSFOLK, "talk"], input=lines, capture_output=True, timeout=500)
    shown = talk.stdout.decode()
    assert "not UTF-8" in shown
    assert shown.count("Mira Holloway: ") == 2
    assert talk.returncode == 1
    assert b"codec" not in talk.stderr
    assert b"1 lines of the input were not UTF-8" in talk.stderr


def test_a_prompt_on_standard_input_that_is_not_utf8_is_told() -> None:
    asked = [*TOWNSFOLK, "generate", "-"]
    refused = subprocess.run(asked, input=b"caf\xe9", capture_output=True, timeout=500)
    assert refused.returncode == 1
    assert b"standard input is not UTF-8 text" in refused.stderr
    assert b"Traceback" not in refused.stderr


@pytest.mark.parametrize("option", ["--lore", "--persona"])
@pytest.mark.parametrize("content", [None, b"\x89PNG\r\n\x1a\n\x00"])
def test_files_that_are_no_text_are_named(
    run, tmp_path: Path, option: str, content: bytes | None
) -> None:
    path = tmp_path / "given"
    if content is not None:
        path.write_bytes(content)
    status, shown = run("talk", option, path)
    assert status == 1
    assert str(path) in shown
    assert ("can't be read" if content is None else "not UTF-8 text") in shown
    assert "codec" not in shown


def test_the_help_of_talk_names_a_section_that_the_readme_has(run) -> None:
    _, shown = run("talk", "--help")
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    section = " ".join(shown.split()).split('"')[1]
    assert f"## {section}\n" in readme


def test_the_persona_of_the_readme_is_one() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    example = readme.split("```json\n")[1].split("```")[0]
    assert ParseDict(json.loads(example), Persona()).name == "Old Tom"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("eval", "--count", "0"), "--count: must be a whole number from 1"),
        (("eval", "--threads", "0"), "--threads: must be a whole number from 1"),
        (("eval", "--replies", "-1"), "--replies: must be a whole number from 0"),
        (("eval", "--model", "./nowhere"), "nowhere"),
        (("bench", "--rounds", "0"), "--rounds: must be a whole number from 1"),
        (("bench", "--tavern", "8"), "--tavern measures random weights: it needs --shape"),
        (("bench", "--cold"), "--cold measures random weights: it needs --shape"),
        (("bench", "--peer"), "--peer has no meaning for characters of a model"),
        (("bench", "--batch", "2"), "goes with decode speed or --through or --profile (with --sh"),
        (("bench", "--model", "m.gguf", "--shape", "llama-tiny"), "give one of them"),
        (("bench", "--model", "m.gguf", "--batch", "1", "--keep", "x"), "--keep is for random"),
        (("bench", "--quantization", "q8_0"), "goes with decode speed or --prefill"),
        (("bench", "--shape", "llama-tiny", "--npcs", "2"), "--npcs has no meaning for decode"),
        (("bench", "--shape", "llama-tiny", "--cold", "--peer"), "--peer has no meaning for --col"),
        (("bench", "--shape", "llama-tiny", "--peer", "--quantization", "q8_0"), "llama.cpp can"),
        (("bench", "--shape", "llama-tiny", "--peer", "llama.cpp"), "it goes with --device cpu"),
        (("train", "--out", "out", "--starter-corpus", "--vocab-size", "5"), "number from 261"),
        (("train", "--out", "out", "--starter-corpus", "--resume"), "no run to go on from"),
        (("train", "--out", "out", "--starter-corpus", "--device", "gpu"), "write cpu, cuda or cu"),
        (("train", "--out", "out", "--starter-corpus", "--device", "meta"), "only cpu and cuda"),
        (("train", "--out", "out", "nowhere.jsonl"), "nowhere.jsonl can't be read"),
        (("talk", "--model", "models/x.gguf"), "models/x.gguf does not exist"),
    ],
)
def test_a_sentence_says_what_is_wrong(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    status, shown = run(*arguments)
    assert status != 0
    assert said in " ".join(shown.split())


@pytest.mark.skipif(torch.cuda.is_available(), reason="this processor has a CUDA device beside it")
def test_training_on_cuda_that_is_not_there_is_told(run, tmp_path: Path) -> None:
    status, shown = run("train", "--out", tmp_path, "--starter-corpus", "--device", "cuda")
    assert status == 2
    assert "--device cpu" in shown


def test_eval_of_a_model_of_another_family_is_told(run, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["NoSuchForCausalLM"]}))
    status, shown = run("eval", "--model", tmp_path)
    assert status == 2
    assert "NoSuchForCausalLM" in shown


@pytest.mark.parametrize(
    ("peer", "package"), [("transformers", "transformers"), ("llama.cpp", "xllamacpp")]
)
def test_a_peer_that_is_not_installed_is_told(
    run, monkeypatch: pytest.MonkeyPatch, peer: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    status, shown = run("bench", "--shape", "llama-tiny", "--device", "cpu", "--peer", peer)
    assert status == 1
    assert f"pip install {package}" in shown
