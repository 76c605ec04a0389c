## Reads the protobuf wire format (https://protobuf.dev/programming-guides/encoding/).
##
## GDScript has no exceptions: the first malformed byte sets [member error], moves to the end so
## that every loop ends, and every later read returns a default.
@tool
extends RefCounted

enum WireType { VARINT = 0, FIXED64 = 1, BYTES = 2, GROUP_START = 3, GROUP_END = 4, FIXED32 = 5 }

## Messages inside messages beyond this depth are refused, as other protobuf libraries do.
const MAX_DEPTH := 100
## The top bit of each of eight bytes.
const TOP_BITS := ~0x7F7F7F7F7F7F7F7F

## What is wrong with the input; empty as long as nothing is.
var error := ""
## The next byte to read.
var position := 0
## The first byte that is no longer part of the current message.
var limit := 0

var _bytes: PackedByteArray
var _start: int
var _depth := 0


## Reads the message that stands in the bytes from start to stop.
func _init(bytes: PackedByteArray, start: int, stop: int) -> void:
	_bytes = bytes
	_start = start
	position = start
	limit = stop


## Records the first error and ends all reading.
func fail(message: String) -> void:
	if error == "":
		error = "%s at byte %d" % [message, position - _start]
	position = _bytes.size()


## Reads a field's tag: its number and its wire type.
func read_tag() -> int:
	if position < limit:
		# Field numbers below 16 take one byte: a call less for almost every field.
		var byte := _bytes[position]
		if byte >= 8 and byte < 0x80:
			position += 1
			return byte
	var tag := read_varint()
	if tag < 8 or tag > 0xFFFFFFFF:
		fail("malformed protobuf: field number out of range")
		return 0
	return tag


## Reads any varint; a uint64 above the largest int comes as the negative int of the same bits.
func read_varint() -> int:
	if position >= limit:
		fail("malformed protobuf: truncated varint")
		return 0
	var byte := _bytes[position]
	position += 1
	if byte < 0x80:
		return byte
	var value := byte & 0x7F
	var shift := 7
	while shift < 70:
		if position >= limit:
			fail("malformed protobuf: truncated varint")
			return 0
		byte = _bytes[position]
		position += 1
		value |= (byte & 0x7F) << shift
		if byte < 0x80:
			return value
		shift += 7
	fail("malformed protobuf: varint of more than 10 bytes")
	return 0


func read_int32() -> int:
	return ((read_varint() & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000


func read_uint32() -> int:
	return read_varint() & 0xFFFFFFFF


func read_sint32() -> int:
	var zigzag := read_varint() & 0xFFFFFFFF
	return (zigzag >> 1) ^ -(zigzag & 1)


func read_sint64() -> int:
	var zigzag := read_varint()
	# A shift of a negative int is an error in GDScript, so the top bit is moved by hand.
	var half := (zigzag & 0x7FFFFFFFFFFFFFFF) >> 1
	if zigzag < 0:
		half |= 1 << 62
	return ~half if zigzag & 1 else half


func read_bool() -> bool:
	return read_varint() != 0


func read_fixed32() -> int:
	var start := _take(4)
	return 0 if start < 0 else _bytes.decode_u32(start)


func read_sfixed32() -> int:
	var start := _take(4)
	return 0 if start < 0 else _bytes.decode_s32(start)


func read_fixed64() -> int:
	var start := _take(8)
	return 0 if start < 0 else _bytes.decode_s64(start)


func read_float() -> float:
	var start := _take(4)
	return 0.0 if start < 0 else _bytes.decode_float(start)


func read_double() -> float:
	var start := _take(8)
	return 0.0 if start < 0 else _bytes.decode_double(start)


func read_bytes() -> PackedByteArray:
	var length := read_varint()
	var start := _take(length)
	return PackedByteArray() if start < 0 else _bytes.slice(start, start + length)


## Reads a string; a U+0000 in it becomes U+FFFD because a Godot String can't hold it.
func read_string() -> String:
	var length := read_varint()
	if length < 0 or length > limit - position:
		fail("malformed protobuf: truncated field")
		return ""
	var start := position
	position += length
	var text := _bytes.slice(start, position)
	return text.get_string_from_ascii() if _is_plain(start, position) else _read_utf8(text)


## Reads a message that stands inside this one.
func read_message(message: RefCounted) -> void:
	var outer := enter()
	message.read_fields(self)
	limit = outer
	_depth -= 1


## Enters a length-delimited part; returns what leave() needs.
func enter() -> int:
	var outer := limit
	var length := read_varint()
	_depth += 1
	if length < 0 or length > outer - position:
		fail("malformed protobuf: length beyond the end of the message")
	elif _depth > MAX_DEPTH:
		fail("malformed protobuf: messages nested too deeply")
	else:
		limit = position + length
	return outer


## Leaves the part entered last.
func leave(outer: int) -> void:
	limit = outer
	_depth -= 1


## Skips the value of a field that is not known here.
func skip(tag: int) -> void:
	match tag & 7:
		WireType.VARINT:
			read_varint()
		WireType.FIXED64:
			_take(8)
		WireType.BYTES:
			_take(read_varint())
		WireType.GROUP_START:
			_skip_group(tag >> 3)
		WireType.FIXED32:
			_take(4)
		_:
			fail("malformed protobuf: wire type %d" % (tag & 7))


func _skip_group(number: int) -> void:
	_depth += 1
	if _depth > MAX_DEPTH:
		fail("malformed protobuf: messages nested too deeply")
	while error == "":
		var tag := read_tag()
		if tag & 7 == WireType.GROUP_END:
			if tag >> 3 != number:
				fail("malformed protobuf: group ends with another number")
			break
		skip(tag)
	_depth -= 1


func _take(length: int) -> int:
	if length < 0 or length > limit - position:
		fail("malformed protobuf: truncated field")
		return -1
	position += length
	return position - length


# Whether all bytes are ASCII without NUL: eight at a time, because a loop over bytes was a third of
# the time that a streamed piece of text takes.
func _is_plain(start: int, end: int) -> bool:
	while end - start >= 8:
		if not _are_eight_plain(start):
			return false
		start += 8
	# The last few with what stands before them, which mostly is a plain tag and length.
	if start < end and end >= 8 and _are_eight_plain(end - 8):
		return true
	while start < end:
		var byte := _bytes[start]
		if byte >= 0x80 or byte == 0:
			return false
		start += 1
	return true


func _are_eight_plain(at: int) -> bool:
	var eight := _bytes.decode_s64(at)
	# The top bit of a byte stays clear in both terms only if the byte is 0x01 to 0x7F.
	return (eight | (eight - 0x0101010101010101)) & TOP_BITS == 0


# Checked here because Godot's own decoder prints an error and goes on (RFC 3629, section 4).
func _read_utf8(text: PackedByteArray) -> String:
	var index := 0
	var size := text.size()
	while index < size:
		var byte := text[index]
		var following := 0
		var lowest := 0x80
		var highest := 0xBF
		if byte < 0x80:
			if byte == 0:
				text = _replace_nul(text, index)
				size = text.size()
				index += 2
		elif byte >= 0xC2 and byte <= 0xDF:
			following = 1
		elif byte >= 0xE0 and byte <= 0xEF:
			following = 2
			lowest = 0xA0 if byte == 0xE0 else 0x80
			highest = 0x9F if byte == 0xED else 0xBF
		elif byte >= 0xF0 and byte <= 0xF4:
			following = 3
			lowest = 0x90 if byte == 0xF0 else 0x80
			highest = 0x8F if byte == 0xF4 else 0xBF
		else:
			fail("malformed protobuf: a string is not UTF-8")
			return ""
		if following > 0:
			if index + following >= size:
				fail("malformed protobuf: a string is not UTF-8")
				return ""
			for offset in range(1, following + 1):
				var next := text[index + offset]
				if next < lowest or next > highest:
					fail("malformed protobuf: a string is not UTF-8")
					return ""
				lowest = 0x80
				highest = 0xBF
		index += following + 1
	return text.get_string_from_utf8()


func _replace_nul(text: PackedByteArray, index: int) -> PackedByteArray:
	var replaced := text.slice(0, index)
	replaced.append_array([0xEF, 0xBF, 0xBD])
	replaced.append_array(text.slice(index + 1))
	return replaced
