"""Where a shared runtime is found, and by what."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

import pytest
from townsfolk import installation
from townsfolk.commands.sharing import engine_arguments
from townsfolk.config import EngineSettings
from townsfolk.service.settings import ServiceSettings
from townsfolk.service.start_error import StartError
from townsfolk.sharing import key as keys
from townsfolk.sharing.host_files import HostAddress, HostFiles, shared_folder
from townsfolk.sharing.key import key_of_script, key_of_settings
from townsfolk.sharing.lease import is_proof, proof, settings_told

posix = pytest.mark.skipif(os.name != "posix", reason="owners and modes are POSIX's")


@pytest.fixture
def files(tmp_path: Path) -> HostFiles:
    return HostFiles(tmp_path, "key")


@pytest.fixture
def runtime_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.delenv("TOWNSFOLK_SHARED", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


@posix
def test_the_folder_is_this_users_alone(runtime_folder: Path):
    folder = shared_folder()
    assert folder == runtime_folder / "townsfolk"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert shared_folder() == folder


@posix
def test_without_a_runtime_folder_its_name_says_whose_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("TOWNSFOLK_SHARED", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "no such folder"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert shared_folder() == tmp_path / f"townsfolk-{os.getuid()}"


@posix
@pytest.mark.parametrize("mode", [0o755, 0o770, 0o702])
def test_a_folder_that_others_can_enter_is_refused(runtime_folder: Path, mode: int):
    shared_folder().chmod(mode)
    with pytest.raises(StartError, match="mode 0700"):
        shared_folder()


@posix
def test_a_link_and_a_file_are_refused(runtime_folder: Path, tmp_path: Path):
    (runtime_folder / "townsfolk").symlink_to(tmp_path)
    with pytest.raises(StartError, match="no folder"):
        shared_folder()
    (runtime_folder / "townsfolk").unlink()
    (runtime_folder / "townsfolk").touch()
    with pytest.raises(StartError, match="can't be made"):
        shared_folder()


def test_on_windows_it_lies_in_the_users_own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("TOWNSFOLK_SHARED", raising=False)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "Jörg Müller" / "Local"))
    assert shared_folder() == tmp_path / "Jörg Müller" / "Local" / "townsfolk" / "shared"


@posix
def test_what_a_host_announces_is_for_this_user_only(files: HostFiles):
    files.announce(host := HostAddress(5000, "secret", 1))
    assert files.host() == host
    [file] = files.folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_host_withdraws_no_other_one(files: HostFiles):
    files.announce(old := HostAddress(5000, "old", 1))
    files.announce(new := HostAddress(5001, "new", 2))
    files.withdraw(old)
    assert files.host() == new
    files.withdraw(new)
    assert files.host() is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"port": "x", "token": "t", "pid": 1}'])
def test_what_is_no_announcement_is_none(files: HostFiles, text: str):
    (files.folder / "key.json").write_text(text)
    assert files.host() is None


def test_only_one_looks_for_a_host_at_a_time(files: HostFiles):
    stop, order = threading.Event(), []
    entered = threading.Event()

    def look() -> None:
        entered.set()
        with files.finding(threading.Event()) as is_alone:
            order.append(is_alone)

    with files.finding(stop) as is_alone:
        other = threading.Thread(target=look)
        other.start()
        entered.wait()
        order.append(f"first {is_alone}")
    other.join()
    assert order == ["first True", True]


def test_who_is_told_to_stop_looks_no_longer(files: HostFiles):
    stop = threading.Event()
    with files.finding(threading.Event()):
        stop.set()
        with files.finding(stop) as is_alone:
            assert not is_alone


def test_the_same_settings_have_the_same_key_and_others_another(tmp_path: Path):
    model = tmp_path / "model.gguf"
    model.write_bytes(b"GGUF")
    settings = EngineSettings(model=str(model))
    key = key_of_settings(settings)
    assert key == key_of_settings(EngineSettings(model=str(model)))
    others = [
        EngineSettings(model=str(model), max_context=512),
        EngineSettings(model=str(model), kv_dtype="int8"),
        EngineSettings(model=str(model), adapters=tmp_path),
        EngineSettings(model=str(model), adapter=Path("townsfolk-npc")),
        EngineSettings(model=str(model), adapter=Path("no-such-adapter")),
        EngineSettings(model="starter"),
        EngineSettings(model="no-such-model"),
    ]
    assert len({key, *map(key_of_settings, others)}) == len(others) + 1
    link = tmp_path / "link.gguf"
    link.symlink_to(model)
    assert key_of_settings(EngineSettings(model=str(link))) == key
    model.write_bytes(b"GGUF, another one")
    assert key_of_settings(settings) != key


def test_another_version_has_another_key(monkeypatch: pytest.MonkeyPatch):
    key = key_of_settings(EngineSettings())
    monkeypatch.setattr(keys, "__version__", "99.0")
    assert key_of_settings(EngineSettings()) != key


def test_bundles_with_the_same_model_share_it_wherever_they_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    found = set()
    for game, checksum in (("one", "aa"), ("Zwölf Wirte", "aa"), ("another", "bb")):
        folder = tmp_path / game
        (folder / "model").mkdir(parents=True)
        (folder / "model" / "model.gguf").write_bytes(b"GGUF")
        files = {
            "townsfolk": {"size": 1, "sha256": game},
            "model/model.gguf": {"size": 4, "sha256": checksum},
        }
        manifest = {"model": {"path": "model", "name": game}, "files": files}
        (folder / installation.MANIFEST).write_text(json.dumps(manifest))
        monkeypatch.setattr(keys, "bundle_folder", lambda folder=folder: folder)
        found.add(key_of_settings(EngineSettings(model="bundled")))
    assert len(found) == 2


def test_a_script_is_known_by_what_it_says(tmp_path: Path):
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "inn.toml").write_text("[[lines]]")
    key = key_of_script(tmp_path / "one" / "inn.toml")
    assert key == key_of_script(tmp_path / "other" / "inn.toml")
    (tmp_path / "other" / "inn.toml").write_text("[[lines]]\nsays = 'No.'")
    assert key != key_of_script(tmp_path / "other" / "inn.toml")


def test_a_host_is_started_with_the_same_settings_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my model").mkdir()
    settings = EngineSettings(model="my model", max_batch=4, gpu_memory_mib=None)
    arguments = engine_arguments(settings)
    told = dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert told == {"--model": str(tmp_path / "my model"), "--max-batch": "4"}
    assert engine_arguments(EngineSettings(model="starter")) == ["--model", "starter"]


def test_a_games_own_settings_travel_and_its_process_stays_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    settings = ServiceSettings(
        port=0,
        auth_token="a-token",
        ready_file=Path("-"),
        share=True,
        exit_with_parent=1,
        exit_with_stdin=True,
        web_origins=("https://game.example",),
    )
    told = ServiceSettings.model_validate(json.loads(json.dumps(settings_told(settings))))
    assert told.auth_token is not None
    assert told.auth_token.get_secret_value() == "a-token"
    assert (told.share, told.exit_with_parent, told.exit_with_stdin) == (False, None, False)
    assert told.web_origins == settings.web_origins
    file = ServiceSettings(auth_token_file=Path("token"))
    assert settings_told(file)["auth_token_file"] == str(tmp_path / "token")


def test_nobody_passes_for_another_with_what_was_seen():
    told = proof("token", "challenge", "host")
    assert is_proof(told, "token", "challenge", "host")
    assert not is_proof(told, "token", "challenge", "attendant")
    assert not is_proof(told, "token", "another", "host")
    assert not is_proof(told, "guessed", "challenge", "host")
    assert not is_proof(None, "token", "challenge", "host")
