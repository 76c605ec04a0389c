## Writes the protobuf wire format (https://protobuf.dev/programming-guides/encoding/).
@tool
extends RefCounted

## What was written.
var bytes := PackedByteArray()


## Whether a float differs from proto3's default; minus zero does.
static func is_float_set(value: float) -> bool:
	return value != 0.0 or 1.0 / value < 0.0


## Writes any varint; a negative int is written as the uint64 of the same bits.
func put_varint(value: int) -> void:
	if value < 0:
		bytes.append((value & 0x7F) | 0x80)
		# A shift of a negative int is an error in GDScript, so the top bit is moved by hand.
		value = ((value & 0x7FFFFFFFFFFFFFFF) >> 7) | (1 << 56)
	while value > 0x7F:
		bytes.append((value & 0x7F) | 0x80)
		value >>= 7
	bytes.append(value)


func put_int32(value: int) -> void:
	put_varint(((value & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000)


func put_uint32(value: int) -> void:
	put_varint(value & 0xFFFFFFFF)


func put_sint32(value: int) -> void:
	put_varint(((~value << 1) | 1 if value < 0 else value << 1) & 0xFFFFFFFF)


func put_sint64(value: int) -> void:
	put_varint((~value << 1) | 1 if value < 0 else value << 1)


func put_bool(value: bool) -> void:
	bytes.append(1 if value else 0)


func put_fixed32(value: int) -> void:
	bytes.resize(bytes.size() + 4)
	bytes.encode_u32(bytes.size() - 4, value & 0xFFFFFFFF)


func put_sfixed32(value: int) -> void:
	put_fixed32(value)


func put_fixed64(value: int) -> void:
	bytes.resize(bytes.size() + 8)
	bytes.encode_s64(bytes.size() - 8, value)


func put_float(value: float) -> void:
	bytes.resize(bytes.size() + 4)
	bytes.encode_float(bytes.size() - 4, value)


func put_double(value: float) -> void:
	bytes.resize(bytes.size() + 8)
	bytes.encode_double(bytes.size() - 8, value)


func put_bytes(value: PackedByteArray) -> void:
	put_varint(value.size())
	bytes.append_array(value)


func put_string(value: String) -> void:
	put_bytes(value.to_utf8_buffer())


## Writes a message that stands inside this one.
func put_message(message: RefCounted) -> void:
	put_bytes(message.to_bytes())
