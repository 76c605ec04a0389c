"""The contract explains itself, and the generated code is what it generates."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

ROOT = Path(__file__).parents[2]
PROTO = ROOT / "proto"

# Field numbers in descriptor.proto, of which the paths of source locations consist.
FILE_MESSAGE, FILE_ENUM, FILE_SERVICE = 4, 5, 6
MESSAGE_FIELD, MESSAGE_NESTED, MESSAGE_ENUM, MESSAGE_ONEOF = 2, 3, 4, 8
ENUM_VALUE, SERVICE_METHOD = 2, 2


def enum_parts(enum: EnumDescriptorProto, path: tuple[int, ...]) -> Iterator[tuple[str, tuple]]:
    yield enum.name, path
    for index, value in enumerate(enum.value):
        yield value.name, (*path, ENUM_VALUE, index)


def message_parts(message: DescriptorProto, path: tuple[int, ...]) -> Iterator[tuple[str, tuple]]:
    if message.options.map_entry:
        return
    yield message.name, path
    for index, field in enumerate(message.field):
        yield f"{message.name}.{field.name}", (*path, MESSAGE_FIELD, index)
    real = {f.oneof_index for f in message.field if f.HasField("oneof_index")} - {
        f.oneof_index for f in message.field if f.proto3_optional
    }
    for index in real:
        name = message.oneof_decl[index].name
        yield f"{message.name}.{name}", (*path, MESSAGE_ONEOF, index)
    for index, nested in enumerate(message.nested_type):
        yield from message_parts(nested, (*path, MESSAGE_NESTED, index))
    for index, enum in enumerate(message.enum_type):
        yield from enum_parts(enum, (*path, MESSAGE_ENUM, index))


def file_parts(file: FileDescriptorProto) -> Iterator[tuple[str, tuple]]:
    for index, message in enumerate(file.message_type):
        yield from message_parts(message, (FILE_MESSAGE, index))
    for index, enum in enumerate(file.enum_type):
        yield from enum_parts(enum, (FILE_ENUM, index))
    for index, service in enumerate(file.service):
        yield service.name, (FILE_SERVICE, index)
        for number, method in enumerate(service.method):
            yield f"{service.name}.{method.name}", (FILE_SERVICE, index, SERVICE_METHOD, number)


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> FileDescriptorSet:
    target = tmp_path_factory.mktemp("contract") / "set"
    sources = [path.relative_to(PROTO).as_posix() for path in PROTO.glob("townsfolk/v1/*.proto")]
    options = [f"-I{PROTO}", f"--descriptor_set_out={target}", "--include_source_info"]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *options, *sources], check=True)
    return FileDescriptorSet.FromString(target.read_bytes())


def test_every_part_has_a_comment(contract: FileDescriptorSet) -> None:
    silent, seen = [], 0
    for file in contract.file:
        comments = {
            tuple(location.path): location.leading_comments
            for location in file.source_code_info.location
        }
        for name, path in file_parts(file):
            seen += 1
            if not comments.get(path, "").strip():
                silent.append(name)
    assert seen > 150
    assert silent == []


def test_generated_code_is_current() -> None:
    check = subprocess.run(
        [sys.executable, PROTO / "generate.py", "--check"], capture_output=True, text=True
    )
    assert check.returncode == 0, check.stderr


def test_pre_commit_leaves_generated_code_as_it_is(tmp_path: Path) -> None:
    """The hooks, as they run before a commit, on a repository with nothing but generated code."""
    kept = [".pre-commit-config.yaml", "pyproject.toml", "gdlintrc"]
    kept += [path.relative_to(ROOT) for path in (ROOT / "runtime/townsfolk/v1").glob("*_pb2*")]
    kept += [path.relative_to(ROOT) for path in ROOT.glob("plugins/godot/**/generated/*.gd")]
    assert len(kept) >= 3 + 9 + 3
    for path in kept:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / ".gitignore").write_text(".venv\n.cache\n")
    for command in (["init", "--quiet"], ["add", "."]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    # These look at the whole program, which is not here, and write nothing.
    environment = os.environ | {
        "SKIP": "mypy,lint-imports,proto",
        "PRE_COMMIT_HOME": str(tmp_path / ".cache"),
    }
    hooks = subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", "--all-files"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert hooks.returncode == 0, hooks.stdout + hooks.stderr
