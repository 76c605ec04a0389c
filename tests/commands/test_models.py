"""`townsfolk models` and `pull` as a person uses them: processes, and a hub of the test's."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import warm_process
from chat_models import write_model
from fake_hub import FakeHub, FakeRepository, environment, serving, sha256
from gguf import GGMLQuantizationType
from gguf_files import random_model, tokenizer_metadata, write_gguf
from townsfolk.library import catalogue

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gguf")
    decoder = random_model("llama", vocab_size=1024)
    more = tokenizer_metadata(write_model(folder / "model", "llama3")) | {"general.license": "mit"}
    kind = GGMLQuantizationType.Q8_0
    return write_gguf(folder / "tiny-Q8_0.gguf", decoder, "llama", kind, more)


@pytest.fixture
def hub(gguf: Path) -> Iterator[FakeHub]:
    with serving({"someone/tiny": FakeRepository({gguf.name: gguf.read_bytes()})}) as server:
        yield server


@pytest.fixture
def townsfolk(hub: FakeHub, tmp_path: Path) -> Command:
    """Runs a command with an empty cache and the test's hub."""

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, **environment(hub, tmp_path), **more}
        return warm_process.run(*arguments, env=env)

    return run


def test_a_model_is_fetched_listed_and_runs(
    townsfolk: Command, hub: FakeHub, gguf: Path, tmp_path: Path
) -> None:
    pulled = townsfolk("pull", "someone/tiny")
    assert pulled.returncode == 0, pulled.stderr
    path = Path(pulled.stdout.strip())
    assert path.read_bytes() == gguf.read_bytes()

    listed = townsfolk("models", "--json", "--context", "32")
    rows = {row["name"]: row for row in json.loads(listed.stdout)}
    assert set(catalogue()) | {"starter"} <= set(rows)
    row = rows[f"someone/tiny:{gguf.name}"]
    assert (row["here"], row["licence"], row["misfit"]) == (str(path), "mit", "")
    assert row["file_bytes"] == path.stat().st_size
    assert row["memory_bytes"] > 0
    assert not rows["llama-3.2-1b"]["here"]

    hub.asked.clear()
    words = ("Hello", "--max-new-tokens", "4", "--seed", "1")
    said = townsfolk("generate", *words, "--model", "someone/tiny:Q8_0")
    assert said.returncode == 0, said.stderr
    assert not hub.asked


def test_generate_fetches_what_is_not_here_before_it_starts_a_runtime(
    townsfolk: Command, hub: FakeHub
) -> None:
    said = townsfolk("generate", "Hello", "--max-new-tokens", "2", "--model", "someone/tiny")
    assert said.returncode == 0, said.stderr
    refused = townsfolk("generate", "Hello", "--model", "someone/nobody")
    assert refused.returncode == 1
    assert refused.stderr == "townsfolk: the hub has no model someone/nobody (or it is private)\n"


def test_the_table_says_what_fits_and_where_files_go(townsfolk: Command, tmp_path: Path) -> None:
    shown = townsfolk("models", "--gpu-memory-mib", "6000").stdout
    lines = {line.split()[0]: line for line in shown.splitlines() if line}
    assert lines["llama-3.2-1b"].endswith("fits")
    assert "does not fit" in lines["qwen3-14b"]
    assert "Apache-2.0" in lines["qwen3-14b"]
    assert str(tmp_path / "models") in shown
    assert "6,000 MiB of GPU memory" in shown


def test_a_file_is_copied_into_the_folder_and_goes_by_its_name(
    townsfolk: Command, gguf: Path, tmp_path: Path
) -> None:
    for _ in range(2):  # the second finds it there
        pulled = townsfolk("pull", str(gguf))
        assert pulled.stdout.strip() == str(tmp_path / "models" / gguf.name)
    assert (tmp_path / "models" / gguf.name).read_bytes() == gguf.read_bytes()
    found = townsfolk("doctor", "--model", gguf.name)
    assert found.returncode == 0, found.stdout
    assert "tokens of conversation" in found.stdout


def test_a_broken_copy_goes_on(townsfolk: Command, gguf: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / f"{gguf.name}.incomplete").write_bytes(gguf.read_bytes()[:1000])
    assert townsfolk("pull", str(gguf)).returncode == 0
    assert (folder / gguf.name).read_bytes() == gguf.read_bytes()


def test_what_is_no_model_is_not_taken(townsfolk: Command, tmp_path: Path) -> None:
    junk = tmp_path / "junk.gguf"
    junk.write_bytes(random.Random(1).randbytes(5000))
    refused = townsfolk("pull", str(junk))
    assert refused.returncode == 1
    assert "does not begin with GGUF" in refused.stderr
    known = tmp_path / next(iter(catalogue().values())).file
    known.write_bytes(b"GGUF")
    assert townsfolk("pull", str(known)).returncode == 1
    assert not list((tmp_path / "models").glob("*"))


def test_a_file_with_a_known_name_must_be_the_known_file(
    townsfolk: Command, gguf: Path, tmp_path: Path
) -> None:
    model = next(iter(catalogue().values()))
    other = tmp_path / model.file
    other.write_bytes(gguf.read_bytes())
    refused = townsfolk("pull", str(other))
    assert refused.returncode == 1
    assert f"{sha256(gguf.read_bytes())}, but {model.sha256} is expected" in refused.stderr


def test_offline_a_known_model_says_where_its_file_goes(townsfolk: Command, tmp_path: Path) -> None:
    refused = townsfolk("pull", "llama-3.2-1b", HF_HUB_OFFLINE="1")
    assert refused.returncode == 1
    model = catalogue()["llama-3.2-1b"]
    assert str(tmp_path / "models" / model.file) in refused.stderr
    assert f"/{model.repository}/resolve/main/{model.file}" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_auto_says_why_and_falls_back_to_the_starter_model(townsfolk: Command) -> None:
    pulled = townsfolk("pull", "auto", HF_HUB_OFFLINE="1")
    assert pulled.returncode == 0, pulled.stderr
    assert "the starter model, as no larger one is to be had that fits into" in pulled.stderr
    assert "can't be fetched" in pulled.stderr
    looked = townsfolk("doctor", "--model", "auto", "--gpu-memory-mib", "6000")
    assert looked.returncode == 1
    assert "of what fits into 6,000 MiB of GPU memory" in looked.stdout
    assert "is not on this machine: `townsfolk pull" in looked.stdout


def test_doctor_says_how_many_characters_fit(townsfolk: Command, hub: FakeHub) -> None:
    shown = townsfolk("doctor", "--model", "llama-3.2-1b", "--gpu-memory-mib", "6000").stdout
    assert "tokens of conversation: " in shown
    assert " with 2,048 tokens" in shown
    assert "limit 6,000 MiB" in shown
    narrow = townsfolk(
        *("doctor", "--model", "llama-3.2-1b", "--gpu-memory-mib", "6000", "--kv-dtype", "int8")
    ).stdout
    tokens = [
        int(re.search(r"([\d,]+) tokens of conversation:", text)[1].replace(",", ""))
        for text in (shown, narrow)
    ]
    assert 1.8 < tokens[1] / tokens[0] < 2
    small = townsfolk("doctor", "--model", "qwen3-14b", "--gpu-memory-mib", "4000").stdout
    assert "leave nothing of gpu_memory_mib, 4,000 MiB" in small
    assert not hub.asked
