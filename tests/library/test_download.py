"""Downloads that break off, arrive damaged, or find no room; the hub is a server of the test's."""

import os
import random
import sys
import threading
from pathlib import Path

import pytest
from fake_hub import FakeRepository, git_id, serving, sha256, use
from huggingface_hub import constants, file_download
from townsfolk.library import (
    DownloadError,
    ModelNotFoundError,
    catalogue,
    hub,
    models_folder,
    pull,
    resolve,
)
from townsfolk.library.partial import Checksum, PartialFile, hold

DATA = random.Random(7).randbytes(3_000_001)
REPOSITORY = "someone/tavern-GGUF"
FILE = "tavern-Q4_K_M.gguf"


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setattr(file_download.time, "sleep", lambda _: None)
    # Of a connection that breaks the hub's library loses as much.
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 100_000)
    with serving({REPOSITORY: FakeRepository({FILE: DATA, "README.md": b"words"})}) as running:
        use(monkeypatch, running, tmp_path)
        yield running


@pytest.fixture
def repository(server):
    return server.repositories[REPOSITORY]


@pytest.fixture
def known(monkeypatch):
    """A catalogue that knows the file."""
    some = next(iter(catalogue().values()))
    entry = some.model_copy(
        update={
            "name": "tavern",
            "repository": REPOSITORY,
            "file": FILE,
            "bytes": len(DATA),
            "sha256": sha256(DATA),
        }
    )
    monkeypatch.setattr(
        sys.modules["townsfolk.library.resolve"], "catalogue", lambda: {"tavern": entry}
    )
    return entry


def incomplete(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "cache").rglob("*.incomplete"))


def test_a_file_comes_whole_and_other_programs_find_it(server):
    path = pull(REPOSITORY)
    assert path.read_bytes() == DATA
    assert Path(file_download.try_to_load_from_cache(REPOSITORY, FILE)) == path
    assert len(server.downloads(FILE)) == 1
    assert pull(f"{REPOSITORY}:Q4_K_M") == path
    assert len(server.downloads(FILE)) == 1


def test_a_connection_that_breaks_is_made_again_where_it_broke(server, repository):
    repository.breaks_after = [1_000_000, 500_000]
    assert pull(REPOSITORY).read_bytes() == DATA
    ranges = [line.split("bytes=")[1] for line in server.downloads(FILE)[1:]]
    assert ranges == ["1000000-", "1500000-"]


def test_a_download_that_another_process_began_goes_on(server, repository, tmp_path):
    repository.breaks_after = [2_000_000, *([0] * 20)]
    with pytest.raises(DownloadError, match="what has arrived is kept"):
        pull(REPOSITORY)
    (partial,) = incomplete(tmp_path)
    assert partial.read_bytes() == DATA[:2_000_000]
    server.asked.clear()
    repository.breaks_after = []
    assert pull(REPOSITORY).read_bytes() == DATA
    assert server.downloads(FILE) == [f"GET /{REPOSITORY}/resolve/main/{FILE} bytes=2000000-"]
    assert not incomplete(tmp_path)


def test_a_server_that_knows_no_ranges_begins_anew(server, repository, tmp_path):
    repository.breaks_after = [2_000_000, *([0] * 20)]
    with pytest.raises(DownloadError):
        pull(REPOSITORY)
    repository.breaks_after, repository.ignores_ranges = [], True
    assert pull(REPOSITORY).read_bytes() == DATA
    assert not incomplete(tmp_path)


def test_what_arrives_damaged_is_not_kept(repository, tmp_path):
    repository.garbled = {FILE}
    with pytest.raises(DownloadError, match=f"arrived damaged: .* {sha256(DATA)} is expected"):
        pull(REPOSITORY)
    assert not incomplete(tmp_path)
    assert not list((tmp_path / "cache").rglob("*.gguf"))
    repository.garbled = set()
    assert pull(REPOSITORY).read_bytes() == DATA


def test_a_beginning_that_is_damaged_is_found_out(server, repository, tmp_path):
    repository.breaks_after = [2_000_000, *([0] * 20)]
    with pytest.raises(DownloadError):
        pull(REPOSITORY)
    (partial,) = incomplete(tmp_path)
    with partial.open("r+b") as file:
        file.write(b"not this")
    repository.breaks_after = []
    with pytest.raises(DownloadError, match="arrived damaged"):
        pull(REPOSITORY)
    assert pull(REPOSITORY).read_bytes() == DATA


def test_a_file_that_rots_is_found_out_by_a_pull_and_fetched_anew(server):
    path = pull(REPOSITORY)
    with path.open("r+b") as file:
        file.write(b"not this")
    with pytest.raises(DownloadError, match="was damaged"):
        pull(REPOSITORY)
    assert pull(REPOSITORY).read_bytes() == DATA


def test_a_small_file_is_held_against_what_git_says(server, repository):
    repository.files["config.json"] = b"{}"
    tokenizer = repository.files["tokenizer.json"] = b'{"a": 1}'
    repository.files["model.safetensors"] = b"weights"
    repository.garbled = {"tokenizer.json"}
    with pytest.raises(DownloadError, match=f"tokenizer.json .* {git_id(tokenizer)} is expected"):
        pull(REPOSITORY)


def test_no_room_is_said_before_anything_is_fetched(server, monkeypatch):
    class Usage:
        free = 50 * 1024 * 1024

    monkeypatch.setattr(hub.shutil, "disk_usage", lambda _: Usage)
    with pytest.raises(DownloadError, match=r"2 MiB are to be downloaded, but .* 50 MiB free"):
        pull(REPOSITORY)
    assert not server.downloads(FILE)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_a_disk_that_fills_on_the_way_is_said(server, tmp_path):
    blobs = tmp_path / "cache" / f"models--{REPOSITORY.replace('/', '--')}" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{sha256(DATA)}.incomplete").symlink_to("/dev/full")
    with pytest.raises(DownloadError, match="the disk is full, with someone/tavern-GGUF half"):
        pull(REPOSITORY)


def test_a_gated_model_says_what_to_do(repository):
    repository.gated = True
    with pytest.raises(DownloadError, match="is gated: accept its licence"):
        pull(REPOSITORY)


def test_a_file_that_the_repository_lacks(server):
    with pytest.raises(ModelNotFoundError, match=rf"no file 'Q8_0': it has {FILE}; name one as"):
        pull(f"{REPOSITORY}:Q8_0")


def test_two_that_fetch_the_same_file_fetch_it_once(server):
    found = []
    threads = [threading.Thread(target=lambda: found.append(pull(REPOSITORY))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.downloads(FILE)) == 1
    assert [path.read_bytes() == DATA for path in found] == [True] * 3


def test_a_model_in_parts_comes_whole(server, repository):
    parts = {f"big-Q8_0-0000{n}-of-00003.gguf": bytes([n]) * 1000 for n in (1, 2, 3)}
    repository.files |= parts
    path = resolve(f"{REPOSITORY}:Q8_0")
    assert path.name == "big-Q8_0-00001-of-00003.gguf"
    assert {each.name: each.read_bytes() for each in path.parent.glob("big*")} == parts
    server.asked.clear()
    assert resolve(f"{REPOSITORY}:Q8_0") == path
    assert not server.asked
    (path.parent / "big-Q8_0-00002-of-00003.gguf").unlink()
    assert resolve(f"{REPOSITORY}:Q8_0") == path
    assert (path.parent / "big-Q8_0-00002-of-00003.gguf").exists()


def test_a_newer_revision_is_fetched_by_a_pull_alone(server, repository, monkeypatch):
    old = pull(REPOSITORY)
    repository.files[FILE] = DATA[::-1]
    monkeypatch.setattr("fake_hub.COMMIT", "f" * 40)
    assert resolve(REPOSITORY) == old
    new = pull(REPOSITORY)
    assert new.read_bytes() == DATA[::-1]
    assert old.read_bytes() == DATA
    assert resolve(REPOSITORY) == new


def test_a_known_model_is_fetched_once(server, known):
    path = resolve("tavern")
    assert path.read_bytes() == DATA
    server.asked.clear()
    assert resolve("tavern") == path
    assert not server.asked


def test_a_known_model_can_be_put_into_its_place(server, known):
    models_folder().mkdir()
    (models_folder() / FILE).write_bytes(DATA)
    assert resolve("tavern") == pull("tavern") == models_folder() / FILE
    assert not server.asked


def test_a_file_in_its_place_that_is_another_one_is_found_out(server, known):
    models_folder().mkdir()
    (models_folder() / FILE).write_bytes(DATA[::-1])
    with pytest.raises(DownloadError, match="was damaged"):
        pull("tavern")
    (models_folder() / FILE).write_bytes(DATA[:-1])  # half copied
    assert resolve("tavern") != models_folder() / FILE


def test_a_known_model_whose_maker_changed_it_is_refused(server, repository, known):
    repository.files[FILE] = DATA + b"more"
    with pytest.raises(DownloadError, match=rf"maker has changed it. .* {REPOSITORY}:{FILE}"):
        resolve("tavern")
    assert not server.downloads(FILE)


def test_offline_a_known_model_says_where_its_file_is_and_where_it_goes(server, known, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DownloadError) as refused:
        resolve("tavern")
    message = str(refused.value)
    assert f"{server.endpoint}/{REPOSITORY}/resolve/main/{FILE}" in message
    assert str(models_folder() / FILE) in message


def test_without_the_hubs_library_a_known_model_says_the_same(known, monkeypatch, tmp_path):
    monkeypatch.setenv("TOWNSFOLK_MODELS", str(tmp_path))
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(DownloadError) as refused:
        resolve("tavern")
    message = str(refused.value)
    assert "pip install 'townsfolk[hub]'" in message
    assert f"{FILE} of {REPOSITORY} on the Hugging Face hub" in message
    assert str(tmp_path / FILE) in message


def test_a_partial_file_keeps_count_of_what_is_there(tmp_path):
    path, reports = tmp_path / "file", []
    path.write_bytes(DATA[:10])
    with PartialFile(path, len(DATA), Checksum("sha256", sha256(DATA)), reports.append) as file:
        assert file.tell() == 10
        file.write(DATA[10:1000])
        assert "1,000 bytes instead of 3,000,001" in file.damage()
        file.write(DATA[1000:])
        assert file.damage() == ""
    assert reports == [10, 1000, len(DATA)]
    path.write_bytes(DATA + b"too much")
    with PartialFile(path, len(DATA), None, reports.append) as file:
        assert file.tell() == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows makes no links without a right to")
def test_a_damaged_file_goes_with_the_link_to_it(tmp_path):
    blob, link = tmp_path / "blob", tmp_path / "link"
    blob.write_bytes(b"other")
    link.symlink_to(blob)
    with pytest.raises(DownloadError):
        hold(link, Checksum("sha256", "0" * 64))
    assert not blob.exists()
    assert not link.is_symlink()
