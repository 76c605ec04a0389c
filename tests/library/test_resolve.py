"""From a model's name to its file or directory; the hub is a web server on this machine."""

import pytest
from fake_hub import FakeRepository, serving, use
from huggingface_hub import constants
from townsfolk.library import ModelNotFoundError, models_folder, resolve

FILES = {
    "config.json": b'{"model_type": "llama"}',
    "tokenizer.json": b"{}",
    "model.safetensors": b"weights",
    "pytorch_model.bin": b"a pickle, which must never be fetched",
    "README.md": b"words",
}


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with serving({"someone/innkeeper": FakeRepository(dict(FILES))}) as server:
        use(monkeypatch, server, tmp_path)
        yield server


def test_a_directory_is_itself(tmp_path):
    assert resolve(tmp_path) == tmp_path
    assert resolve(str(tmp_path)) == tmp_path


def test_the_starter_model_ships():
    assert (resolve("starter") / "config.json").exists()


@pytest.mark.parametrize("name", ["no such model", "/nowhere/at/all", "../up", "", "a/b/c:d"])
def test_what_is_nothing_says_what_it_could_be(name):
    with pytest.raises(ModelNotFoundError, match="neither a directory"):
        resolve(name)


def test_a_name_that_is_nearly_one_of_the_catalogue(hub):
    with pytest.raises(ModelNotFoundError, match=r"did you mean llama-3\.2-1b"):
        resolve("llama3.2-1b")
    assert not hub.asked


def test_what_looks_like_a_path_is_one(hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models" / "innkeeper").mkdir(parents=True)
    (tmp_path / "models" / "weights.safetensors").touch()
    with pytest.raises(ModelNotFoundError, match=r"models/inkeeper does not exist; .* innkeeper"):
        resolve("models/inkeeper")
    with pytest.raises(ModelNotFoundError, match="is a file that is not read: give a GGUF file"):
        resolve("models/weights.safetensors")
    for name in ("nowhere/model.gguf", "nowhere/weights.safetensors"):
        with pytest.raises(ModelNotFoundError, match="does not exist, nor does the folder nowhere"):
            resolve(name)
    assert not hub.asked


def test_a_gguf_file_is_itself_and_stands_for_its_folder(tmp_path):
    path = tmp_path / "model.gguf"
    path.touch()
    assert resolve(path) == resolve(str(path)) == resolve(tmp_path) == path


def test_the_first_part_stands_for_a_folder_of_parts(tmp_path):
    for number in (2, 1, 3):
        (tmp_path / f"m-0000{number}-of-00003.gguf").touch()
    assert resolve(tmp_path).name == "m-00001-of-00003.gguf"


def test_a_folder_of_several_gguf_files_asks_which(tmp_path):
    for name in ("q4.gguf", "q8.gguf"):
        (tmp_path / name).touch()
    with pytest.raises(ModelNotFoundError, match=r"several GGUF files; name one of q4\.gguf, q8"):
        resolve(tmp_path)
    (tmp_path / "config.json").touch()
    assert resolve(tmp_path) == tmp_path


def test_a_file_of_the_models_folder_goes_by_its_own_name(hub):
    models_folder().mkdir()
    file, folder = models_folder() / "innkeeper.gguf", models_folder() / "keeper"
    file.touch()
    folder.mkdir()
    (folder / "config.json").touch()
    assert resolve("innkeeper.gguf") == file
    assert resolve("keeper") == folder
    with pytest.raises(ModelNotFoundError, match="neither a directory"):
        resolve("../models/other.gguf")


def test_without_the_extra_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(ModelNotFoundError, match=r"pip install 'townsfolk\[hub\]'"):
        resolve("someone/innkeeper")


def test_a_hub_id_is_downloaded_without_pickles(hub):
    directory = resolve("someone/innkeeper")
    assert sorted(path.name for path in directory.iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert (directory / "model.safetensors").read_bytes() == b"weights"
    assert not any(".bin" in path for path in hub.asked)


def test_a_model_that_the_hub_does_not_have(hub):
    with pytest.raises(ModelNotFoundError, match="no model someone/nobody"):
        resolve("someone/nobody")


def test_offline_it_says_so_and_where_a_file_goes(hub, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        ModelNotFoundError, match="not in the local cache and cannot be downloaded"
    ) as refused:
        resolve("someone/innkeeper")
    assert str(models_folder()) in str(refused.value)


def test_what_is_here_is_taken_without_asking_anybody(hub):
    directory = resolve("someone/innkeeper")
    hub.asked.clear()
    assert resolve("someone/innkeeper") == directory
    assert not hub.asked


def test_a_directory_that_lacks_a_shard_is_fetched_whole(hub):
    files = hub.repositories["someone/innkeeper"].files
    del files["model.safetensors"]
    shards = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    files |= {name: name.encode() for name in shards}
    files["model.safetensors.index.json"] = b'{"weight_map": {"a": "%s", "b": "%s"}}' % tuple(
        name.encode() for name in shards
    )
    directory = resolve("someone/innkeeper")
    (directory / shards[1]).unlink()
    assert (resolve("someone/innkeeper") / shards[1]).read_bytes() == shards[1].encode()
