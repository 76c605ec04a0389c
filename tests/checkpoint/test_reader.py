"""Finding and opening weight files."""

import json

import pytest
import torch
from safetensors.torch import save_file
from townsfolk.checkpoint import Checkpoint, CheckpointError


def save(directory, name, *tensors):
    save_file({tensor: torch.arange(3.0) for tensor in tensors}, directory / name)


def write_index(directory, files):
    index = {"weight_map": files}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))


def test_one_file(tmp_path):
    save(tmp_path, "model.safetensors", "a")
    save(tmp_path, "other.safetensors", "b")  # an adapter, say
    checkpoint = Checkpoint(tmp_path)
    checkpoint.check({"a": (3,)})
    assert checkpoint.tensor("a").tolist() == [0, 1, 2]


def test_several_files_with_an_index(tmp_path):
    save(tmp_path, "model-1.safetensors", "a")
    save(tmp_path, "model-2.safetensors", "b")
    write_index(tmp_path, {"a": "model-1.safetensors", "b": "model-2.safetensors"})
    Checkpoint(tmp_path).check({"a": (3,), "b": (3,)})


def test_tensors_are_views_of_the_file(tmp_path):
    save(tmp_path, "model.safetensors", "a")
    checkpoint = Checkpoint(tmp_path)
    assert checkpoint.tensor("a").data_ptr() == checkpoint.tensor("a").data_ptr()


def test_pickles_are_not_read(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"no \*.safetensors"):
        Checkpoint(tmp_path)


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"not a header")
    with pytest.raises(CheckpointError, match=r"model\.safetensors is not a readable"):
        Checkpoint(tmp_path)


def test_a_missing_shard_is_named(tmp_path):
    write_index(tmp_path, {"a": "model-1.safetensors"})
    with pytest.raises(CheckpointError, match=r"not there: model-1\.safetensors"):
        Checkpoint(tmp_path)


def test_an_index_cannot_lead_out_of_its_directory(tmp_path):
    inner = tmp_path / "model"
    inner.mkdir()
    save(tmp_path, "secret.safetensors", "a")
    write_index(inner, {"a": "../secret.safetensors"})
    with pytest.raises(CheckpointError, match=r"not there: \.\./secret"):
        Checkpoint(inner)


@pytest.mark.parametrize("contents", ["{", "{}", "[]", '{"weight_map": 3}'])
def test_a_malformed_index_is_refused(tmp_path, contents):
    (tmp_path / "model.safetensors.index.json").write_text(contents)
    with pytest.raises(CheckpointError, match="cannot be read"):
        Checkpoint(tmp_path)


def test_a_tensor_in_two_files_is_refused(tmp_path):
    save(tmp_path, "one.safetensors", "a")
    save(tmp_path, "two.safetensors", "a")
    with pytest.raises(CheckpointError, match="holds a again"):
        Checkpoint(tmp_path)


def test_only_some_names_are_listed_when_many_are_missing(tmp_path):
    save(tmp_path, "model.safetensors", "a")
    with pytest.raises(CheckpointError, match="and 12 more"):
        Checkpoint(tmp_path).check({f"t{n}": (1,) for n in range(20)} | {"a": (3,)})
