"""A real bundle, on a machine that has nothing else; see bare_machine.py."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import bare_machine
import psutil
import pytest
from townsfolk.bundle.manifest import differences
from townsfolk.installation import PROVE_IMPORTS
from townsfolk_kernels.compiled.levels import LEVELS

# The first one makes the bundle, which takes a minute where nothing else runs.
pytestmark = pytest.mark.timeout(1800)

PROGRAM = "townsfolk.exe" if os.name == "nt" else "townsfolk"


def run(bundle: Path, *arguments: str, text: str = "", **variables: str) -> str:
    done = subprocess.run(
        bare_machine.command(bundle / PROGRAM, *arguments, seen=[bundle]),
        env=bare_machine.environment(**variables),
        cwd="/",
        input=text,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def test_it_talks_where_nothing_else_is(game_bundle):
    said = run(game_bundle, "talk", text="Hello!\nWhat is your name?\n")
    assert "model: starter" in said
    assert "You: What is your name?\nMira Holloway: " in said


def test_its_code_for_processors_is_compiled(game_bundle):
    said = run(game_bundle, PROVE_IMPORTS, NUMBA_DEBUG_CACHE="1")
    read = {line.split("'")[1] for line in said.splitlines() if "data loaded" in line}
    [level] = {str(Path(path).parent) for path in read}
    assert read == {str(path) for path in Path(level).glob("*.nbc")}
    assert {folder.name for folder in Path(level).parent.iterdir()} == {one.name for one in LEVELS}
    assert "saved" not in said


def test_its_doctor_finds_it_as_it_was_made(game_bundle):
    report = run(game_bundle, "doctor")
    assert "NO " not in report
    assert "files as they were made" in report
    assert "pip install" not in report


def test_it_has_no_commands_for_developers(game_bundle):
    helped = run(game_bundle, "--help")
    assert "serve" in helped
    assert "train" not in helped
    assert "bundle" not in helped


def test_a_relative_model_is_looked_for_beside_the_program(game_bundle):
    assert "ok  model:       model: " in run(game_bundle, "doctor", "--model", "model")


def test_the_manifest_holds_for_every_file(game_bundle):
    manifest = json.loads((game_bundle / "manifest.json").read_text(encoding="utf-8"))
    assert differences(game_bundle, manifest) == []
    files = {path for path in game_bundle.rglob("*") if path.is_file()}
    listed = {game_bundle / path for path in manifest["files"]}
    assert files - listed == {game_bundle / "manifest.json"}
    assert manifest["model"] == {"name": "starter", "path": "model"}
    assert manifest["packages"]["torch"]


def test_the_licence_of_everything_is_there(game_bundle):
    manifest = json.loads((game_bundle / "manifest.json").read_text(encoding="utf-8"))
    for name, version in manifest["packages"].items():
        folder = game_bundle / "licences" / (f"{name}-{version}" if version else name)
        assert any(file.stat().st_size > 0 for file in folder.iterdir()), folder
    assert {"torch", "numpy", "Python", "pyinstaller", "townsfolk"} <= set(manifest["packages"])


def test_nothing_under_the_gpl_is_linked_in(game_bundle):
    names = {path.name.partition(".")[0] for path in game_bundle.rglob("*.so*")}
    assert not names & {"libreadline", "libgdbm", "libgdbm_compat"}


def test_nothing_of_training_and_testing_is_in_it(game_bundle):
    names = {path.name for path in (game_bundle / "lib").iterdir()}
    assert not names & {"transformers", "triton", "matplotlib", "scipy", "hypothesis", "sympy"}


def test_it_stays_within_its_size(game_bundle):
    manifest = json.loads((game_bundle / "manifest.json").read_text(encoding="utf-8"))
    sizes = {path: facts["size"] for path, facts in manifest["files"].items()}
    beside = sum(size for path, size in sizes.items() if not path.startswith("model/"))
    # PyTorch's kernels are one library, from which nothing can be taken, and so is LLVM, which a
    # small bundle has not; see docs/shipping.md.
    known = ("libtorch_cpu", "lib/llvmlite/")
    largest = sum(size for path, size in sizes.items() if any(name in path for name in known))
    assert beside - largest < 215e6


@contextmanager
def serving(bundle: Path, folder: Path, *more: str):
    """The bundle's runtime with its parent's pipe, and what its ready file says."""
    ready = folder / "ready.json"
    arguments = ["serve", "--port", "0", "--ready-file", str(ready), "--threads", "1", *more]
    process = subprocess.Popen(
        [bundle / PROGRAM, *arguments],
        env={**bare_machine.environment(), "TOWNSFOLK_SHARED": str(folder.parent / "shared")},
        cwd="/",
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        while not ready.exists():
            assert process.poll() is None, process.communicate()[1].decode()
            time.sleep(0.02)
        yield process, json.loads(ready.read_text(encoding="utf-8"))
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_it_ends_with_what_started_it_and_leaves_nothing(game_bundle, tmp_path):
    folder = tmp_path / "Temp von Jörg"
    folder.mkdir()
    with serving(game_bundle, folder, "--exit-with-stdin") as (process, ready):
        family = [psutil.Process(ready["pid"])]
        family += family[0].children(recursive=True)
        assert len(family) > 1  # the process of the chat template
        process.stdin.close()
        _, alive = psutil.wait_procs(family, timeout=500)
        assert alive == []
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_one_that_is_killed_leaves_no_process_behind(game_bundle, tmp_path):
    with serving(game_bundle, tmp_path) as (process, ready):
        children = psutil.Process(ready["pid"]).children(recursive=True)
        assert process.pid == ready["pid"]
        os.kill(process.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs(children, timeout=500)
        assert alive == []


def test_games_with_the_same_bundle_can_share_its_runtime(game_bundle, tmp_path):
    """Each has brought the bundle along; one of them is killed."""
    copy = tmp_path / "another game"
    shutil.copytree(game_bundle, copy, copy_function=os.link, symlinks=True)
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
    with (
        serving(game_bundle, tmp_path / "one", "--share") as (first, _),
        serving(copy, tmp_path / "other", "--share") as (second, _),
    ):
        [announced] = (tmp_path / "shared").glob("*.json")
        host = psutil.Process(json.loads(announced.read_text(encoding="utf-8"))["pid"])
        family = [host, *host.children(recursive=True)]
        first.kill()
        first.wait()
        assert second.poll() is None
        assert host.is_running()
        second.kill()
        _, alive = psutil.wait_procs(family, timeout=500)
        assert alive == []


def test_a_damaged_one_says_so(game_bundle, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(game_bundle, copy, copy_function=os.link, symlinks=True)
    settings = copy / "model/tokenizer_config.json"
    content = settings.read_bytes()
    settings.unlink()
    settings.write_bytes(content[:-1] + b" ")
    done = subprocess.run(
        [copy / PROGRAM, "doctor"], env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "model/tokenizer_config.json has other contents" in done.stdout
