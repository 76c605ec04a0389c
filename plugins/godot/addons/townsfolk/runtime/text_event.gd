## Reads what comes 30 times a second for each character who speaks, a short piece of text, straight
## from its bytes: without a message for response, event and delta it takes a fifth of the time.
##
## The bytes are a ConverseResponse or SayResponse whose event (field 1) is a TextDelta (field 3)
## of turn_id (field 1) and text (field 2), all lengths in one byte. Anything else is not read here,
## but by the generated messages.
@tool
extends RefCounted

const _EVENT_TAG := 1 << 3 | 2
const _TEXT_DELTA_TAG := 3 << 3 | 2
const _TURN_ID_TAG := 1 << 3 | 2
const _TEXT_TAG := 2 << 3 | 2
const _SHORTEST := 7
const _LONGEST := 127
## The top bit of each of eight bytes.
const _TOP_BITS := ~0x7F7F7F7F7F7F7F7F


## The text in the message that stands in the buffer from start to stop; empty when it is not a
## short piece of ASCII text and nothing else.
static func read(buffer: PackedByteArray, start: int, stop: int) -> String:
	var size := stop - start
	if start < 1 or size < _SHORTEST or size > _LONGEST:
		return ""
	if buffer[start] != _EVENT_TAG or buffer[start + 1] != size - 2:
		return ""
	if buffer[start + 2] != _TEXT_DELTA_TAG or buffer[start + 3] != size - 4:
		return ""
	var at := start + 4
	if buffer[at] == _TURN_ID_TAG:
		at += 2 + buffer[at + 1]
	at += 2
	if at >= stop or buffer[at - 2] != _TEXT_TAG or buffer[at - 1] != stop - at:
		return ""
	# ASCII without NUL, eight bytes at a time: in both terms the top bit of a byte stays clear only
	# for 0x01 to 0x7F. The first eight may begin in the tags and lengths before the text.
	for place in range(stop - 8, at - 8, -8):
		var eight := buffer.decode_s64(place)
		if (eight | (eight - 0x0101010101010101)) & _TOP_BITS:
			return ""
	return buffer.slice(at, stop).get_string_from_ascii()
