## The header block that is under way: it comes in one frame or several, between which no other
## frame may come.
@tool
extends RefCounted

const HpackDecoder := preload("hpack_decoder.gd")
const Http2Frame := preload("http2_frame.gd")
const Flag := Http2Frame.Flag

## A longer one is an attack.
const MAX_SIZE := 1 << 17

## The stream that it belongs to; 0 while none is under way.
var stream_id := 0
## Whether the stream ends with it.
var ends_stream := false
## Why it could not be decoded; empty if it could.
var error := ""

var _decoder := HpackDecoder.new()
var _block := PackedByteArray()


## Begins with a HEADERS frame; returns whether its padding leaves room for it.
func begin(id: int, flags: int, payload: PackedByteArray) -> bool:
	var start := 5 if flags & Flag.PRIORITY else 0
	var end := payload.size()
	if flags & Flag.PADDED and not payload.is_empty():
		start += 1
		end -= payload[0]
	if start > end or (flags & Flag.PADDED and payload.is_empty()):
		return false
	stream_id = id
	ends_stream = flags & Flag.END_STREAM != 0
	_block = payload.slice(start, end)
	return true


## Takes what a CONTINUATION frame adds; returns whether it is not too long yet.
func add(content: PackedByteArray) -> bool:
	_block.append_array(content)
	return _block.size() <= MAX_SIZE


## Ends it; returns the headers. To be called for streams that are gone too: both sides' tables must
## stay the same.
func finish() -> PackedStringArray:
	var headers := _decoder.decode(_block)
	error = _decoder.error
	stream_id = 0
	_block = PackedByteArray()
	return headers
