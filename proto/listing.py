"""The contract as a list, a line for each thing that clients and runtimes rely on."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

PROTO = Path(__file__).resolve().parent


def listing() -> list[str]:
    """Return what proto/ defines, sorted: fields with number and type, values, calls."""
    return sorted(line for file in descriptors().file for line in _file(file))


def descriptors() -> FileDescriptorSet:
    """Return the parsed contract.

    Raises:
        subprocess.CalledProcessError: It can't be parsed; protoc has said why.
    """
    sources = sorted(path.relative_to(PROTO).as_posix() for path in PROTO.glob("townsfolk/v*/*"))
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "set"
        options = [f"-I{PROTO}", f"--descriptor_set_out={target}"]
        command = [sys.executable, "-m", "grpc_tools.protoc", *options, *sources]
        subprocess.run(command, check=True)
        return FileDescriptorSet.FromString(target.read_bytes())


def _file(file: FileDescriptorProto) -> Iterator[str]:
    for message in file.message_type:
        yield from _message(message, file.package)
    for enum in file.enum_type:
        yield from _enum(enum, file.package)
    for service in file.service:
        for method in service.method:
            asks = "stream " * method.client_streaming + method.input_type
            answers = "stream " * method.server_streaming + method.output_type
            yield f"call {file.package}.{service.name}.{method.name} ({asks}) ({answers})"


def _message(message: DescriptorProto, scope: str) -> Iterator[str]:
    name = f"{scope}.{message.name}"
    for field in message.field:
        kind = FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
        label = FieldDescriptorProto.Label.Name(field.label).removeprefix("LABEL_").lower()
        group = ""
        if field.HasField("oneof_index"):
            group = f" in {message.oneof_decl[field.oneof_index].name}"
        yield f"field {name}.{field.name} = {field.number} {label} {field.type_name or kind}{group}"
    for nested in message.nested_type:
        yield from _message(nested, name)
    for enum in message.enum_type:
        yield from _enum(enum, name)


def _enum(enum: EnumDescriptorProto, scope: str) -> Iterator[str]:
    for value in enum.value:
        if not value.name.endswith("_CURRENT"):  # the version itself
            yield f"value {scope}.{enum.name}.{value.name} = {value.number}"
