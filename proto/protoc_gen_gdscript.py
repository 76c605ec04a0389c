#!/usr/bin/env python3
"""A protoc plugin that writes typed GDScript: a .gd file for each .proto, a class a message.

proto3 only: every scalar kind, enums, nested messages, repeated (packed), map, oneof, optional;
a service becomes a client class over the add-on's GrpcChannel. `make proto` runs it.

The option `addon=PATH` (--gdscript_opt) says where the add-on's folder is, seen from the output;
".." by default.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Sequence

from gdscript_types import (
    BYTES,
    Field,
    Scope,
    UnsupportedError,
    camel,
    enum_value_names,
    member,
    module_constant,
    output_name,
    snake,
)
from gdtoolkit.formatter import format_code
from google.protobuf.compiler import plugin_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    ServiceDescriptorProto,
)

LINE_LENGTH = 100


class Writer:
    """Writes the code of one file."""

    def __init__(self, file: FileDescriptorProto, scope: Scope, addon: str) -> None:
        if file.syntax != "proto3":
            raise UnsupportedError(f"{file.name}: only proto3 is supported")
        self.file, self.scope, self.addon = file, scope, addon
        self.lines: list[str] = []
        self.indent = 0
        self.comments = {
            tuple(location.path): location.leading_comments
            for location in file.source_code_info.location
            if location.leading_comments
        }

    def line(self, text: str = "") -> None:
        """Add one line."""
        self.lines.append("\t" * self.indent + text if text else "")

    def block(self, head: str, body: Sequence[str]) -> None:
        """Add a line and the lines below it."""
        self.line(head)
        for text in body:
            self.line(f"\t{text}")

    def document(self, path: tuple[int, ...]) -> None:
        """Add the .proto file's comment as a documentation comment."""
        comment = self.comments.get(path, "")
        text = " ".join(comment.split()).replace("[", "[lb]")
        for line in textwrap.wrap(text, LINE_LENGTH - 4 * self.indent - 3):
            self.line(f"## {line}")

    def write(self) -> str:
        """Return the whole file's code."""
        self.line(
            f"# Generated from {self.file.name} by proto/protoc_gen_gdscript.py; do not edit."
        )
        self.line("# gdlint: disable=max-file-lines, max-public-methods")
        self.line("@tool")
        self.line("extends RefCounted")
        for index, enum in enumerate(self.file.enum_type):
            self.enum(enum, (5, index))
        self.line()
        for name in ("message", "reader", "writer"):
            self.line(
                f'const Proto{camel(name)} := preload("{self.addon}/protobuf/proto_{name}.gd")'
            )
        if self.file.service:
            for name in ("channel", "call"):
                self.line(
                    f'const Grpc{camel(name)} := preload("{self.addon}/transport/grpc_{name}.gd")'
                )
        for dependency in self.file.dependency:
            self.line(
                f'const {module_constant(dependency)} := preload("{output_name(dependency)}")'
            )
        for index, message in enumerate(self.file.message_type):
            self.message(message, (4, index))
        for index, service in enumerate(self.file.service):
            self.service(service, (6, index))
        code = "\n".join(self.lines) + "\n"
        return str(format_code(code, max_line_length=LINE_LENGTH))

    def enum(self, enum: EnumDescriptorProto, path: tuple[int, ...]) -> None:
        """Add an enum."""
        self.line()
        self.document(path)
        self.line(f"enum {enum.name} {{")
        self.indent += 1
        places = {value.number: index for index, value in reversed(list(enumerate(enum.value)))}
        for number, names in enum_value_names(enum).items():
            self.document((*path, 2, places[number]))
            for name in names:
                self.line(f"{name} = {number},")
        self.indent -= 1
        self.line("}")

    def message(self, message: DescriptorProto, path: tuple[int, ...]) -> None:
        """Add a message's class with everything nested in it."""
        self.line()
        self.line()
        self.document(path)
        self.line(f"class {message.name}:")
        self.indent += 1
        self.line("extends ProtoMessage")
        for index, enum in enumerate(message.enum_type):
            self.enum(enum, (*path, 4, index))
        for index, nested in enumerate(message.nested_type):
            if not nested.options.map_entry:
                self.message(nested, (*path, 3, index))
        oneofs = self.oneofs(message)
        for name, fields in oneofs.items():
            self.oneof_cases(name, fields)
        for index, field in enumerate(message.field):
            self.line()
            self.document((*path, 2, index))
            self.declare(field, message)
        for name in oneofs:
            self.line(f"var _{name}_value: Variant")
        for field in message.field:
            if field.proto3_optional:
                name = member(field.name)
                default = self.scope.kind(field, self.file.name).default
                self.line()
                self.line(f"## Makes [member {name}] not set.")
                self.block(
                    f"func clear_{field.name}() -> void:",
                    [f"{name} = {default}", *self.unset(field)],
                )
        for name in oneofs:
            self.line()
            self.line(f"## Makes no member of {name} set.")
            self.block(
                f"func clear_{name}() -> void:",
                [f"_{name}_value = null", f"{name}_case = {camel(name)}Case.NONE"],
            )
        if message.field:
            self.write_fields(message)
            self.read_fields(message)
        for field in message.field:
            if field.type_name in self.scope.map_entries:
                self.read_map_entry(field)
        self.indent -= 1

    def unset(self, field: Field) -> list[str]:
        """Return the statement that marks an optional field as not set."""
        is_message = field.type == Field.TYPE_MESSAGE
        return [] if is_message else [f"has_{field.name} = false"]

    def oneofs(self, message: DescriptorProto) -> dict[str, list[Field]]:
        """Return the message's real oneofs (not those that stand for `optional`)."""
        found: dict[str, list[Field]] = {}
        for field in message.field:
            if field.HasField("oneof_index") and not field.proto3_optional:
                found.setdefault(message.oneof_decl[field.oneof_index].name, []).append(field)
        return found

    def oneof_of(self, field: Field, message: DescriptorProto) -> str | None:
        """Return the name of the field's oneof, if it is in one."""
        if field.HasField("oneof_index") and not field.proto3_optional:
            return message.oneof_decl[field.oneof_index].name
        return None

    def oneof_cases(self, name: str, fields: Sequence[Field]) -> None:
        """Add the enum and the variable that say which member of a oneof is set."""
        cases = ", ".join(f"{field.name.upper()} = {field.number}" for field in fields)
        self.line()
        self.line(f"## Which member of {name} is set.")
        self.line(f"enum {camel(name)}Case {{ NONE = 0, {cases} }}")
        self.line()
        self.line(f"## Which member of {name} is set; changes when one is assigned.")
        self.line(f"var {name}_case := {camel(name)}Case.NONE")

    def declare(self, field: Field, message: DescriptorProto) -> None:
        """Add the variable of a field."""
        name, kind = member(field.name), self.scope.kind(field, self.file.name)
        oneof = self.oneof_of(field, message)
        entry = self.scope.map_entries.get(field.type_name)
        if entry:
            key, value = (self.scope.kind(part, self.file.name).type for part in entry.field)
            self.line(f"var {name}: Dictionary[{key}, {value}] = {{}}")
        elif field.label == Field.LABEL_REPEATED:
            self.line(f"var {name}: Array[{kind.type}] = []")
        elif oneof:
            case = f"{camel(oneof)}Case.{field.name.upper()}"
            cleared = f"{case} if value != null else {camel(oneof)}Case.NONE"
            self.line(f"var {name}: {kind.type}:")
            self.block(
                "\tget:",
                [f"\treturn _{oneof}_value if {oneof}_case == {case} else {kind.default}"],
            )
            chosen = cleared if field.type == Field.TYPE_MESSAGE else case
            self.block("\tset(value):", [f"\t_{oneof}_value = value", f"\t{oneof}_case = {chosen}"])
        elif field.proto3_optional and field.type != Field.TYPE_MESSAGE:
            self.line(f"var {name}: {kind.type} = {kind.default}:")
            self.block("\tset(value):", [f"\t{name} = value", f"\thas_{field.name} = true"])
            self.line(f"## Whether [member {name}] is set.")
            self.line(f"var has_{field.name} := false")
        else:
            self.line(f"var {name}: {kind.type} = {kind.default}")

    def write_fields(self, message: DescriptorProto) -> None:
        """Add the method that writes all fields, in the order of their numbers."""
        self.line()
        self.line("func write_fields(writer: ProtoWriter) -> void:")
        self.indent += 1
        for field in sorted(message.field, key=lambda field: field.number):
            for text in self.write_one(field, message):
                self.line(text)
        self.indent -= 1

    def write_one(self, field: Field, message: DescriptorProto) -> Iterator[str]:
        """Yield the statements that write one field."""
        name, kind = member(field.name), self.scope.kind(field, self.file.name)
        entry = self.scope.map_entries.get(field.type_name)
        tag = field.number << 3 | kind.wire_type
        put = [f"writer.put_varint({tag})", f"writer.put_{kind.codec}({name})"]
        oneof = self.oneof_of(field, message)
        if entry:
            yield f"for key in {name}:"
            yield "\tvar entry := ProtoWriter.new()"
            for part, expression in zip(entry.field, ("key", f"{name}[key]"), strict=True):
                piece = self.scope.kind(part, self.file.name)
                yield f"\tentry.put_varint({part.number << 3 | piece.wire_type})"
                yield f"\tentry.put_{piece.codec}({expression})"
            yield f"\twriter.put_varint({tag})"
            yield "\twriter.put_bytes(entry.bytes)"
        elif field.label == Field.LABEL_REPEATED and kind.wire_type == BYTES:
            yield f"for element in {name}:"
            yield f"\t{put[0]}"
            yield f"\twriter.put_{kind.codec}(element)"
        elif field.label == Field.LABEL_REPEATED:
            yield f"if not {name}.is_empty():"
            yield f"\tvar packed_{field.name} := ProtoWriter.new()"
            yield f"\tfor element in {name}:"
            yield f"\t\tpacked_{field.name}.put_{kind.codec}(element)"
            yield f"\twriter.put_varint({field.number << 3 | BYTES})"
            yield f"\twriter.put_bytes(packed_{field.name}.bytes)"
        else:
            if oneof:
                condition = f"{oneof}_case == {camel(oneof)}Case.{field.name.upper()}"
            elif field.type == Field.TYPE_MESSAGE:
                condition = f"{name} != null"
            elif field.proto3_optional:
                condition = f"has_{field.name}"
            elif kind.type == "float":
                condition = f"ProtoWriter.is_float_set({name})"
            elif kind.type == "bool":
                condition = name
            elif kind.type == "PackedByteArray":
                condition = f"not {name}.is_empty()"
            elif kind.type == "String":
                condition = f'{name} != ""'
            else:
                condition = f"{name} != 0"
            yield f"if {condition}:"
            yield from (f"\t{text}" for text in put)

    def read_fields(self, message: DescriptorProto) -> None:
        """Add the method that reads all fields."""
        self.line()
        self.line("func read_fields(reader: ProtoReader) -> void:")
        self.line("\twhile reader.position < reader.limit:")
        self.line("\t\tvar tag := reader.read_tag()")
        self.line("\t\tmatch tag:")
        self.indent += 3
        for field in sorted(message.field, key=lambda field: field.number):
            self.read_one(field, message)
        self.line("_:")
        self.line("\treader.skip(tag)")
        self.indent -= 3

    def read_one(self, field: Field, message: DescriptorProto) -> None:
        """Add the branches that read one field: a repeated scalar comes packed or not."""
        name, kind = member(field.name), self.scope.kind(field, self.file.name)
        tag = field.number << 3 | kind.wire_type
        repeated = field.label == Field.LABEL_REPEATED
        value = self.read_value(field)
        local = f"{field.name}_element"
        oneof = self.oneof_of(field, message)
        if field.type_name in self.scope.map_entries:
            self.block(f"{tag}:", [f"_read_{field.name}_entry(reader)"])
        elif field.type == Field.TYPE_MESSAGE and repeated:
            body = [f"var {local} := {kind.type}.new()", f"reader.read_message({local})"]
            self.block(f"{tag}:", [*body, f"{name}.append({local})"])
        elif field.type == Field.TYPE_MESSAGE and oneof:
            # Without the getter and the setter: this is how every streamed event comes.
            case = f"{camel(oneof)}Case.{field.name.upper()}"
            kept = f"_{oneof}_value if {oneof}_case == {case} else {kind.type}.new()"
            body = [f"var {local}: {kind.type} = {kept}", f"reader.read_message({local})"]
            chosen = [f"_{oneof}_value = {local}", f"{oneof}_case = {case}"]
            self.block(f"{tag}:", [*body, *chosen])
        elif field.type == Field.TYPE_MESSAGE:
            # A message that comes twice is merged, also inside a oneof.
            body = [f"var {local} := {name} if {name} != null else {kind.type}.new()"]
            self.block(f"{tag}:", [*body, f"reader.read_message({local})", f"{name} = {local}"])
        elif repeated:
            self.block(f"{tag}:", [f"{name}.append({value})"])
            if kind.wire_type != BYTES:
                self.block(
                    f"{field.number << 3 | BYTES}:",
                    [
                        f"var {field.name}_outer := reader.enter()",
                        "while reader.position < reader.limit:",
                        f"\t{name}.append({value})",
                        f"reader.leave({field.name}_outer)",
                    ],
                )
        else:
            self.block(f"{tag}:", [f"{name} = {value}"])

    def read_value(self, field: Field) -> str:
        """Return the expression that reads one element of a scalar field."""
        kind = self.scope.kind(field, self.file.name)
        value = f"reader.read_{kind.codec}()"
        return f"{value} as {kind.type}" if field.type == Field.TYPE_ENUM else value

    def read_map_entry(self, field: Field) -> None:
        """Add the method that reads one entry of a map."""
        entry = self.scope.map_entries[field.type_name]
        self.line()
        self.line(f"func _read_{field.name}_entry(reader: ProtoReader) -> void:")
        self.indent += 1
        for part in entry.field:
            kind = self.scope.kind(part, self.file.name)
            is_message = part.type == Field.TYPE_MESSAGE
            default = f"{kind.type}.new()" if is_message else kind.default
            self.line(f"var {part.name}: {kind.type} = {default}")
        self.line("var outer := reader.enter()")
        self.line("while reader.position < reader.limit:")
        self.line("\tvar tag := reader.read_tag()")
        self.line("\tmatch tag:")
        self.indent += 2
        for part in entry.field:
            kind = self.scope.kind(part, self.file.name)
            read = f"{part.name} = {self.read_value(part)}"
            if part.type == Field.TYPE_MESSAGE:
                read = f"reader.read_message({part.name})"
            self.block(f"{part.number << 3 | kind.wire_type}:", [read])
        self.block("_:", ["reader.skip(tag)"])
        self.indent -= 2
        self.line("reader.leave(outer)")
        self.line(f"{member(field.name)}[key] = value")
        self.indent -= 1

    def service(self, service: ServiceDescriptorProto, path: tuple[int, ...]) -> None:
        """Add the client class of a service."""
        self.line()
        self.line()
        self.document(path)
        self.line(f"class {service.name}Client:")
        self.indent += 1
        self.line("extends RefCounted")
        self.line()
        self.line("var _channel: GrpcChannel")
        self.line()
        self.block("func _init(channel: GrpcChannel) -> void:", ["_channel = channel"])
        package = f"{self.file.package}." if self.file.package else ""
        options = "timeout_seconds := 0.0, metadata: Dictionary[String, String] = {}"
        for index, method in enumerate(service.method):
            request = self.scope.name(method.input_type, self.file.name)
            response = self.scope.name(method.output_type, self.file.name)
            streams = "true" if method.server_streaming else "false"
            start = (
                f'_channel.start_call("/{package}{service.name}/{method.name}", '
                f"{response}, timeout_seconds, metadata, {streams})"
            )
            self.line()
            self.document((*path, 2, index))
            name = member(snake(method.name))
            if method.client_streaming:
                self.block(f"func {name}({options}) -> GrpcCall:", [f"return {start}"])
            else:
                self.block(
                    f"func {name}(request: {request}, {options}) -> GrpcCall:",
                    [
                        f"var call := {start}",
                        *("call.send(request)", "call.close_send()", "return call"),
                    ],
                )
        self.indent -= 1


def main() -> None:
    """Answer protoc's request on standard input."""
    request = plugin_pb2.CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
    response = plugin_pb2.CodeGeneratorResponse()
    response.supported_features = plugin_pb2.CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL
    options = dict(part.split("=", 1) for part in request.parameter.split(",") if "=" in part)
    wanted = set(request.file_to_generate)
    try:
        scope = Scope(request.proto_file)
        for file in request.proto_file:
            if file.name in wanted:
                code = Writer(file, scope, options.get("addon", "..")).write()
                response.file.add(name=output_name(file.name), content=code)
    except UnsupportedError as error:
        response.error = str(error)
    sys.stdout.buffer.write(response.SerializeToString())


if __name__ == "__main__":
    main()
