"""What a bundle is made from, without making one."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import townsfolk
from townsfolk.bundle import licences
from townsfolk.bundle.adapter import copy_adapter, find_adapter
from townsfolk.bundle.errors import BundleError
from townsfolk.bundle.make import Order, make_bundle, sizes
from townsfolk.bundle.manifest import FileFacts, differences, look_at_files, write_manifest
from townsfolk.bundle.model import ModelFiles
from townsfolk.bundle.prune import can_be_mapped
from townsfolk.library.places import adapter_folder

# Imports all that a bundle has of Townsfolk; prints what it must not have, and is loaded all the
# same.
LOADS = """
import importlib, pkgutil, sys, tomllib
from importlib import resources

import townsfolk, townsfolk_kernels

left_out = tomllib.loads((resources.files("townsfolk.bundle") / "contents.toml").read_text())

def within(name, modules):
    return any(name == module or name.startswith(module + ".") for module in modules)

skipped = [*left_out["rooms"], "townsfolk.__main__"]

def load(package):
    for found in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        if not within(found.name, skipped):
            module = importlib.import_module(found.name)
            if found.ispkg:
                load(module)

for package in (townsfolk, townsfolk_kernels):
    load(package)
# These are asked for in vain, and nobody minds.
for name in ("grpc_tools", "yaml"):
    left_out["modules"].remove(name)
print(*(name for name in sys.modules if within(name, left_out["modules"])))
"""


def test_nothing_that_is_left_out_is_ever_loaded():
    done = subprocess.run(
        [sys.executable, "-c", LOADS], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_a_manifest_tells_what_has_changed(tmp_path):
    for name in ("one", "two/three", "four"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    write_manifest(tmp_path, look_at_files(tmp_path), {"model": {"path": "model"}})
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert list(manifest["files"]) == ["four", "one", "two/three"]
    assert differences(tmp_path, manifest) == []
    (tmp_path / "one").write_text("six")
    (tmp_path / "two/three").write_text("longer than it was")
    (tmp_path / "four").unlink()
    assert differences(tmp_path, manifest) == [
        "four is missing",
        "one has other contents",
        "two/three has 18 bytes instead of 9",
    ]
    assert differences(tmp_path, manifest, deep=False) == [
        "four is missing",
        "two/three has 18 bytes instead of 9",
    ]


def test_the_newest_c_library_that_is_needed_is_told(tmp_path):
    (tmp_path / "old.so").write_bytes(b"\x7fELF" + b"GLIBC_2.17\0GLIBC_2.4\0")
    # Across the border of two pieces that are read.
    padding = b"." * ((1 << 20) - 10)
    (tmp_path / "new.so").write_bytes(b"\x7fELF" + padding + b"GLIBC_2.34\0")
    (tmp_path / "text").write_bytes(b"GLIBC_2.99\0")
    write_manifest(tmp_path, look_at_files(tmp_path), {})
    assert json.loads((tmp_path / "manifest.json").read_text())["needs"] == {"glibc": "2.34"}


def test_sizes_are_told_by_what_takes_them():
    facts = [
        FileFacts("townsfolk", 5, "", 0),
        FileFacts("model/a", 7, "", 0),
        FileFacts("model/b", 8, "", 0),
        FileFacts("lib/grpc/x", 20, "", 0),
        FileFacts("lib/grpc/y/z", 1, "", 0),
        FileFacts("lib/libtorch_cpu.so", 90, "", 0),
    ]
    assert list(sizes(facts).items()) == [
        ("lib/libtorch_cpu.so", 90),
        ("lib/grpc", 21),
        ("the model", 15),
        ("townsfolk", 5),
    ]


def elf(*segments: tuple[int, int]) -> bytes:
    """The beginning of a library whose segments lie so: offset in the file, address."""
    head = b"\x7fELF\x02\x01" + bytes(26) + struct.pack("<Q12xHHH", 64, 0, 56, len(segments))
    body = b"".join(
        struct.pack("<IIQQQQQQ", 1, 5, offset, address, address, 1, 1, 0x1000)
        for offset, address in segments
    )
    return head.ljust(64, b"\0") + body


def test_a_library_whose_segments_have_moved_is_noticed(tmp_path):
    library = tmp_path / "lib.so"
    library.write_bytes(elf((0, 0), (0x1000, 0x3000)))
    assert can_be_mapped(library)
    library.write_bytes(elf((0, 0), (0x1008, 0x3000)))
    assert not can_be_mapped(library)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such files")
def test_the_libraries_of_this_interpreter_can_be_mapped():
    import _ctypes

    assert can_be_mapped(Path(_ctypes.__file__))


def test_a_model_without_its_licence_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(BundleError, match=r"name it with --model-licence"):
        licences.model_texts(tmp_path, ())
    with pytest.raises(BundleError, match="is no file"):
        licences.model_texts(tmp_path, [tmp_path / "none"])
    (tmp_path / "LICENSE.txt").write_text("Do as you like.")
    assert licences.model_texts(tmp_path, ()) == (tmp_path / "LICENSE.txt",)


def test_a_package_without_a_licence_text_is_refused(monkeypatch):
    class Bare(metadata.PathDistribution):
        @property
        def files(self):
            return []

    real = metadata.distribution
    bare = Bare(real("jinja2")._path)
    found = {"Jinja2": bare}
    monkeypatch.setattr(metadata, "distribution", lambda name: found.get(name) or real(name))
    with pytest.raises(BundleError, match="no licence text was found for Jinja2"):
        licences.parts_of(["jinja2.parser"], [])


def test_a_licence_that_a_package_only_names_gets_its_text():
    [part] = [part for part in licences.parts_of(["tokenizers"], []) if part.name == "tokenizers"]
    assert "Apache License" in part.texts[0].read_text()


def test_all_parts_of_a_model_come_along_and_nothing_else(tmp_path):
    for name in ("config.json", "model.safetensors", "chat_template.jinja", "LICENSE"):
        (tmp_path / name).touch()
    for name in ("pytorch_model.bin", "training.log", ".git/config.json", "sub/index.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = ModelFiles.find(str(tmp_path))
    assert {place.as_posix() for place in found.files.values()} == {
        "config.json",
        "model.safetensors",
        "chat_template.jinja",
        "sub/index.json",
    }
    assert found.path == "model"


def test_a_gguf_model_in_parts_is_whole(tmp_path):
    parts = [tmp_path / f"tavern-0000{i}-of-00003.gguf" for i in (1, 2, 3)]
    for part in parts:
        part.touch()
    found = ModelFiles.find(str(parts[1]))
    assert list(found.files) == parts
    assert found.path == f"model/{parts[1].name}"
    parts[2].unlink()
    with pytest.raises(BundleError, match=r"missing: tavern-00003-of-00003\.gguf"):
        ModelFiles.find(str(parts[0]))


def test_a_model_that_is_not_there_is_said(tmp_path):
    with pytest.raises(BundleError, match=r"--model: .*neither a directory"):
        ModelFiles.find(str(tmp_path / "taven"))


def refused(**order) -> str:
    with pytest.raises(BundleError) as caught:
        make_bundle(Order(model="starter", **order), print)
    return str(caught.value)


def test_a_folder_with_something_else_in_it_is_kept(tmp_path):
    (tmp_path / "save.dat").touch()
    assert "holds something else" in refused(out=tmp_path)
    assert (tmp_path / "save.dat").exists()
    assert "holds something else" in refused(out=tmp_path / "save.dat")
    assert "there is no folder" in refused(out=tmp_path / "no/such/place")


def test_unity_is_kept_from_importing_it(tmp_path):
    (tmp_path / "Assets/Runtime~").mkdir(parents=True)
    assert "Unity would import" in refused(out=tmp_path / "Assets/Runtime", engine="unity")
    # Only what comes after the place is wrong there.
    message = refused(
        out=tmp_path / "Assets/Runtime~/bundle", engine="unity", kernels=tmp_path / "none"
    )
    assert "--kernels" in message


def test_a_bundle_is_for_what_this_pytorch_is(tmp_path):
    import torch

    other = "cpu" if torch.version.cuda else "cuda"
    assert f"--{other}: this environment's PyTorch" in refused(out=tmp_path / "b", device=other)
    assert list(tmp_path.iterdir()) == []


def test_without_the_freezer_it_is_said_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'townsfolk[bundle]'" in refused(out=tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(shutil.which("strip") is None, reason="needs strip: install binutils")
def test_stripping_keeps_what_it_can_not_strip(tmp_path):
    from townsfolk.bundle.prune import strip_symbols

    (tmp_path / "broken.so").write_bytes(b"\x7fELF" + bytes(300_000))
    assert strip_symbols(tmp_path) == 0
    assert (tmp_path / "broken.so").stat().st_size == 300_004
    assert [path.name for path in tmp_path.iterdir()] == ["broken.so"]


def test_an_adapter_comes_along_without_its_training(tmp_path):
    source = tmp_path / "runs" / "guard"
    shutil.copytree(adapter_folder(Path("townsfolk-npc")), source)
    (source / "LICENSE").touch()
    (source / "checkpoint").mkdir()
    (source / "loss.png").touch()
    copy_adapter(find_adapter(source), tmp_path / "bundle")
    there = {file.name for file in (tmp_path / "bundle" / "adapters" / "guard").iterdir()}
    told = {"README.md", "LICENSE"}
    files = {"adapter_config.json", "adapter_model.safetensors", "generation_config.json"}
    assert there == told | files


def test_an_adapter_that_is_not_there_is_said(tmp_path):
    with pytest.raises(BundleError, match=r"--adapter: .*taven"):
        find_adapter(tmp_path / "taven")


def test_imports_are_proven_without_what_a_small_bundle_leaves_out():
    """A bundle that was made would have to be small to show it, which takes minutes."""
    package = Path(townsfolk.__file__).parent
    left_out = tomllib.loads((package / "bundle" / "contents.toml").read_text("utf-8"))["small"]
    excused = (package / "frozen.py").read_text("utf-8")
    assert not [each for each in left_out if each != "llvmlite" and f'"{each}"' not in excused]
