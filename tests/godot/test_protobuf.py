"""Generated GDScript against Python's protobuf, through the real engine."""

from __future__ import annotations

import importlib.util
import math
import struct
from types import ModuleType
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MESSAGES = ["Scalars", "Optionals", "Lists", "Maps", "Choice", "Branch", "Outer", "Everything"]
# Names that the generator changes.
RENAMED = {"class": "class_", "get": "get_", "self": "self_"}
quick = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="session")
def everything(godot) -> ModuleType:
    path = godot.project / "generated_for_tests/everything_pb2.py"
    spec = importlib.util.spec_from_file_location("everything_pb2", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def message_type(module: ModuleType, name: str) -> type[Message]:
    return getattr(module, name)


def float32(value: float) -> float:
    return struct.unpack("<f", struct.pack("<f", value))[0]


INTEGERS = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SINT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SFIXED32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SINT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SFIXED64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_FIXED32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.TYPE_FIXED64: (0, 2**64 - 1),
    # An enum of proto3 is open: numbers without a name must live through a round trip.
    FieldDescriptor.TYPE_ENUM: (-(2**31), 2**31 - 1),
}


def values(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    """Values of one element of a field."""
    if field.type in INTEGERS:
        low, high = INTEGERS[field.type]
        edges = [v for v in (0, 1, -1, 127, 128, low, high) if low <= v <= high]
        return st.sampled_from(edges) | st.integers(low, high)
    if field.type == FieldDescriptor.TYPE_FLOAT:
        return st.floats(width=32)
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        return st.floats()
    if field.type == FieldDescriptor.TYPE_BOOL:
        return st.booleans()
    if field.type == FieldDescriptor.TYPE_BYTES:
        return st.binary(max_size=20)
    if field.type == FieldDescriptor.TYPE_STRING:
        # Godot's strings can't hold U+0000; test_nul_in_a_string has that case.
        characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
        return st.text(characters, max_size=12)
    return messages(field.message_type, depth - 1)


def is_map(field: FieldDescriptor) -> bool:
    return bool(field.message_type and field.message_type.GetOptions().map_entry)


@st.composite
def messages(draw: st.DrawFn, descriptor: Descriptor, depth: int) -> dict[str, Any]:
    """A message as the keyword arguments of its Python constructor; some fields not set."""
    chosen: dict[str, Any] = {}
    for field in descriptor.fields:
        if field.type == FieldDescriptor.TYPE_MESSAGE and depth <= 0 and not is_map(field):
            continue
        oneof = field.containing_oneof
        if oneof is not None and any(f.name in chosen for f in oneof.fields):
            continue
        if not draw(st.booleans()):
            continue
        if is_map(field):
            key, value = field.message_type.fields
            keys = values(key, depth)
            chosen[field.name] = draw(st.dictionaries(keys, values(value, depth), max_size=3))
        elif field.is_repeated:
            chosen[field.name] = draw(st.lists(values(field, depth), max_size=4))
        else:
            chosen[field.name] = draw(values(field, depth))
    return chosen


def build(kind: type[Message], chosen: dict[str, Any]) -> Message:
    return kind(**chosen)


def dump_value(field: FieldDescriptor, value: Any, typed: bool) -> Any:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return dump(value, typed)
    if isinstance(value, bool):
        return value
    if isinstance(value, float):
        return "f:nan" if math.isnan(value) else "f:" + struct.pack("<d", value).hex()
    if isinstance(value, int):
        return f"i:{value - 2**64 if value >= 2**63 else value}"
    if isinstance(value, str):
        return "s:" + value.encode().hex()
    return "b:" + value.hex()


def dump(message: Message, typed: bool) -> dict[str, Any]:
    """Say what is in a message in the words of oracle.gd; typed for its op build."""
    fields: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        name = RENAMED.get(field.name, field.name)
        if is_map(field):
            key_field, value_field = field.message_type.fields
            fields[name] = {
                "map": [
                    [dump_value(key_field, k, typed), dump_value(value_field, value[k], typed)]
                    for k in value
                ]
            }
        elif field.is_repeated:
            fields[name] = [dump_value(field, element, typed) for element in value]
        elif not field.has_presence or message.HasField(field.name):
            fields[name] = dump_value(field, value, typed)
    if typed:
        path = message.DESCRIPTOR.full_name.removeprefix("townsfolk.test.")
        return {"type": path, "fields": fields}
    return fields


def sort_maps(dumped: Any) -> Any:
    """Bring the entries of maps into one order: it means nothing."""
    if isinstance(dumped, dict) and set(dumped) == {"map"}:
        return {"map": sorted(([k, sort_maps(v)] for k, v in dumped["map"]), key=str)}
    if isinstance(dumped, dict):
        return {key: sort_maps(value) for key, value in dumped.items()}
    if isinstance(dumped, list):
        return [sort_maps(value) for value in dumped]
    return dumped


def has_nul(dumped: Any) -> bool:
    """Whether a string holds U+0000, which Godot replaces."""
    if isinstance(dumped, dict):
        return any(has_nul(value) for value in dumped.values())
    if isinstance(dumped, list):
        return any(has_nul(value) for value in dumped)
    return isinstance(dumped, str) and dumped.startswith("s:") and 0 in bytes.fromhex(dumped[2:])


@pytest.mark.parametrize("name", MESSAGES)
@quick
@given(data=st.data())
def test_godot_reads_what_python_writes(oracle, everything, name, data):
    kind = message_type(everything, name)
    message = build(kind, data.draw(messages(kind.DESCRIPTOR, 3)))
    answer = oracle.ask("parse", type=name, bytes=message.SerializeToString().hex())
    assert sort_maps(answer.get("dump")) == sort_maps(dump(message, typed=False)), answer
    again = kind.FromString(bytes.fromhex(answer["bytes"]))
    assert sort_maps(dump(again, typed=False)) == sort_maps(dump(message, typed=False))


@pytest.mark.parametrize("name", MESSAGES)
@quick
@given(data=st.data())
def test_python_reads_what_godot_writes(oracle, everything, name, data):
    kind = message_type(everything, name)
    message = build(kind, data.draw(messages(kind.DESCRIPTOR, 3)))
    answer = oracle.ask("build", dump=dump(message, typed=True))
    again = kind.FromString(bytes.fromhex(answer["bytes"]))
    assert sort_maps(dump(again, typed=False)) == sort_maps(dump(message, typed=False))


@settings(quick, max_examples=300)
@given(data=st.data())
def test_broken_bytes_are_an_error_where_python_has_one(oracle, everything, data):
    name = data.draw(st.sampled_from(MESSAGES))
    kind = message_type(everything, name)
    valid = bytearray(build(kind, data.draw(messages(kind.DESCRIPTOR, 3))).SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        if valid:
            place = data.draw(st.integers(0, len(valid) - 1))
            if data.draw(st.booleans()):
                valid[place] = data.draw(st.integers(0, 255))
            else:
                del valid[place:]
    answer = oracle.ask("parse", type=name, bytes=valid.hex())
    try:
        message = kind.FromString(bytes(valid))
    except DecodeError:
        assert "malformed protobuf" in answer["error"]
    else:
        wanted = sort_maps(dump(message, typed=False))
        if not has_nul(wanted) and not sets_entries_aside(message):
            assert sort_maps(answer.get("dump")) == wanted, answer


def sets_entries_aside(message: Message) -> bool:
    """Whether Python kept an entry of a map as an unknown field, as it does if it holds one."""
    maps = {field.number for field in message.DESCRIPTOR.fields if is_map(field)}
    if any(unknown.field_number in maps for unknown in UnknownFieldSet(message)):
        return True
    inner: list[Message] = []
    for field, value in message.ListFields():
        if is_map(field):
            inner += [each for each in value.values() if isinstance(each, Message)]
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            inner += value if field.is_repeated else [value]
    return any(sets_entries_aside(each) for each in inner)


def test_an_entry_with_an_unknown_field_is_an_entry(oracle, everything):
    """Also where Python, the oracle of the other tests, keeps it among the unknown fields."""
    wire = bytes.fromhex("12021a00")
    assert sets_entries_aside(everything.Maps.FromString(wire))
    answer = oracle.ask("parse", type="Maps", bytes=wire.hex())
    assert answer["dump"]["strings"] == {"map": [["s:", "s:"]]}


@pytest.mark.parametrize(
    ("wire", "problem"),
    [
        ("08", "truncated varint"),
        ("08ffffffffffffffffffff01", "varint of more than 10 bytes"),
        ("0100", "field number out of range"),
        ("0900", "truncated field"),
        ("720561", "truncated field"),
        ("7201ff", "not UTF-8"),
        ("7203eda080", "not UTF-8"),
        ("0f00", "wire type 7"),
        ("0c", "wire type 4"),
        ("1b24", "group ends with another number"),
    ],
)
def test_malformed_input_says_what_is_wrong(oracle, wire, problem):
    assert problem in oracle.ask("parse", type="Scalars", bytes=wire)["error"]


def test_nested_too_deeply(oracle):
    inner = b""
    for _ in range(200):
        length = len(inner)
        size = bytes([length]) if length < 128 else bytes([length & 0x7F | 0x80, length >> 7])
        inner = b"\x1a" + size + inner
    assert "too deeply" in oracle.ask("parse", type="Branch", bytes=inner.hex())["error"]


def test_unknown_fields_are_skipped(oracle, everything):
    """Everything that Lists can hold is unknown to Branch, but for its first two numbers."""
    lists = everything.Lists(int32s=[1, 2], strings=["x"], fixed64s=[3], sfixed32s=[4])
    wire = lists.SerializeToString().replace(b"\x1a", b"\x22", 1)
    unknown_group = bytes.fromhex("9b0608017201619c06")
    wire = everything.Branch(name="oak").SerializeToString() + unknown_group + wire[4:]
    assert oracle.ask("parse", type="Branch", bytes=wire.hex())["dump"] == {
        "name": "s:" + b"oak".hex(),
        "children": [],
    }


def test_nul_in_a_string(oracle):
    answer = oracle.ask("parse", type="Scalars", bytes="7203610062")
    assert bytes.fromhex(answer["dump"]["a_string"][2:]).decode() == "a\ufffdb"


def test_later_values_win_and_messages_merge(oracle, everything):
    first = everything.Choice(scalars=everything.Scalars(an_int32=1, a_bool=True))
    second = everything.Choice(scalars=everything.Scalars(an_int32=2))
    wire = first.SerializeToString() + second.SerializeToString()
    answer = oracle.ask("parse", type="Choice", bytes=wire.hex())
    merged = everything.Choice.FromString(wire)
    assert answer["dump"] == dump(merged, typed=False)
