"""How the types and names of a .proto are called in GDScript, for protoc_gen_gdscript.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

Field = FieldDescriptorProto


@dataclass(frozen=True, slots=True)
class Kind:
    """How one protobuf type is held, read and written in GDScript."""

    type: str
    default: str
    codec: str
    wire_type: int


VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
KINDS = {
    Field.TYPE_DOUBLE: Kind("float", "0.0", "double", FIXED64),
    Field.TYPE_FLOAT: Kind("float", "0.0", "float", FIXED32),
    Field.TYPE_INT64: Kind("int", "0", "varint", VARINT),
    Field.TYPE_UINT64: Kind("int", "0", "varint", VARINT),
    Field.TYPE_INT32: Kind("int", "0", "int32", VARINT),
    Field.TYPE_FIXED64: Kind("int", "0", "fixed64", FIXED64),
    Field.TYPE_FIXED32: Kind("int", "0", "fixed32", FIXED32),
    Field.TYPE_BOOL: Kind("bool", "false", "bool", VARINT),
    Field.TYPE_STRING: Kind("String", '""', "string", BYTES),
    Field.TYPE_BYTES: Kind("PackedByteArray", "PackedByteArray()", "bytes", BYTES),
    Field.TYPE_UINT32: Kind("int", "0", "uint32", VARINT),
    Field.TYPE_SFIXED32: Kind("int", "0", "sfixed32", FIXED32),
    Field.TYPE_SFIXED64: Kind("int", "0", "fixed64", FIXED64),
    Field.TYPE_SINT32: Kind("int", "0", "sint32", VARINT),
    Field.TYPE_SINT64: Kind("int", "0", "sint64", VARINT),
}

# Words that can't name a member of a RefCounted: GDScript's own and what Object already has.
RESERVED = frozenset(
    [
        "and",
        "as",
        "assert",
        "await",
        "bool",
        "break",
        "breakpoint",
        "call",
        "class",
        "class_name",
        "const",
        "continue",
        "elif",
        "else",
        "enum",
        "extends",
        "false",
        "float",
        "for",
        "func",
        "get",
        "get_class",
        "get_script",
        "if",
        "in",
        "int",
        "is",
        "match",
        "namespace",
        "not",
        "notification",
        "null",
        "or",
        "pass",
        "preload",
        "print",
        "range",
        "reference",
        "return",
        "script",
        "self",
        "set",
        "signal",
        "static",
        "str",
        "super",
        "trait",
        "true",
        "tr",
        "unreference",
        "var",
        "void",
        "when",
        "while",
        "yield",
        "parse",
        "to_bytes",
        "read_fields",
        "write_fields",
        "free",
        "connect",
        "disconnect",
        "emit_signal",
    ]
)


class UnsupportedError(Exception):
    """Something in the .proto that GDScript code can't be written for."""


def member(name: str) -> str:
    """Return name, changed where it can't be a GDScript member."""
    return f"{name}_" if name in RESERVED else name


def snake(name: str) -> str:
    """Return CamelCase as snake_case."""
    pieces = ["_" + letter.lower() if letter.isupper() else letter for letter in name]
    return "".join(pieces).lstrip("_")


def camel(name: str) -> str:
    """Return snake_case as CamelCase."""
    return "".join(word.capitalize() for word in name.split("_"))


def enum_value_names(enum: EnumDescriptorProto) -> dict[int, list[str]]:
    """Return the names of each number, without the enum's own name when all begin with it."""
    prefix = snake(enum.name).upper() + "_"
    names = [value.name for value in enum.value]
    shorten = all(n.startswith(prefix) and not n[len(prefix)].isdigit() for n in names)
    found: dict[int, list[str]] = {}
    for value in enum.value:
        name = value.name.removeprefix(prefix) if shorten else value.name
        found.setdefault(value.number, []).append(name)
    return found


class Scope:
    """Where each message and enum of all files is found from one file's code."""

    def __init__(self, files: Sequence[FileDescriptorProto]) -> None:
        self.paths: dict[str, tuple[str, str]] = {}
        self.enums: dict[str, EnumDescriptorProto] = {}
        self.map_entries: dict[str, DescriptorProto] = {}
        for file in files:
            package = f".{file.package}" if file.package else ""
            for enum in file.enum_type:
                self._add_enum(file.name, f"{package}.{enum.name}", enum.name, enum)
            for message in file.message_type:
                self._add_message(file.name, f"{package}.{message.name}", message.name, message)

    def _add_enum(self, file: str, full: str, path: str, enum: EnumDescriptorProto) -> None:
        self.paths[full] = (file, path)
        self.enums[full] = enum

    def _add_message(self, file: str, full: str, path: str, message: DescriptorProto) -> None:
        self.paths[full] = (file, path)
        if message.options.map_entry:
            self.map_entries[full] = message
        for enum in message.enum_type:
            self._add_enum(file, f"{full}.{enum.name}", f"{path}.{enum.name}", enum)
        for nested in message.nested_type:
            self._add_message(file, f"{full}.{nested.name}", f"{path}.{nested.name}", nested)

    def name(self, full: str, file: str) -> str:
        """Return how code in file names the type."""
        if full not in self.paths:
            raise UnsupportedError(f"{full} is not among the files to generate")
        home, path = self.paths[full]
        return path if home == file else f"{module_constant(home)}.{path}"

    def kind(self, field: Field, file: str) -> Kind:
        """Return how the field's type (one element of it) is held."""
        if field.type == Field.TYPE_ENUM:
            name = self.name(field.type_name, file)
            zero = enum_value_names(self.enums[field.type_name])[0][0]
            return Kind(name, f"{name}.{zero}", "int32", VARINT)
        if field.type == Field.TYPE_MESSAGE:
            return Kind(self.name(field.type_name, file), "null", "message", BYTES)
        if field.type not in KINDS:
            raise UnsupportedError(f"field {field.name}: groups are not supported")
        return KINDS[field.type]


def module_constant(proto: str) -> str:
    """Return the constant that holds another generated file."""
    return camel(PurePosixPath(proto).stem)


def output_name(proto: str) -> str:
    """Return the name of the generated file."""
    return f"{PurePosixPath(proto).stem}.gd"
