## Bytes that came from the server, and the frames in them. Nothing is copied for a frame: its
## payload is in [member bytes], from [member start] to [member end].
@tool
extends RefCounted

const Http2Frame := preload("http2_frame.gd")

## So much that was handled is kept before what follows is copied to the front.
const KEPT := 65536

var bytes := PackedByteArray()
## The frame that [method next] has found.
var type := 0
var flags := 0
var stream_id := 0
var start := 0
var end := 0
## The length of the frame that comes next, as far as it is known: it can be over the limit.
var length := 0

var _next := 0  # where the next frame begins


## Takes bytes from the server.
func add(more: PackedByteArray) -> void:
	if bytes.is_empty():
		bytes = more  # shared, not copied
	else:
		bytes.append_array(more)


## Whether the next frame has come whole and is within the limit; it is the present one then.
func next() -> bool:
	var available := bytes.size() - _next
	length = 0
	if available < Http2Frame.HEADER_SIZE:
		return false
	var at := _next
	length = (bytes[at] << 16) | (bytes[at + 1] << 8) | bytes[at + 2]
	if is_over_limit() or available < Http2Frame.HEADER_SIZE + length:
		return false
	type = bytes[at + 3]
	flags = bytes[at + 4]
	stream_id = (
		((bytes[at + 5] & 0x7F) << 24)
		| (bytes[at + 6] << 16)
		| (bytes[at + 7] << 8)
		| bytes[at + 8]
	)
	start = at + Http2Frame.HEADER_SIZE
	end = start + length
	_next = end
	return true


## Whether the frame that comes next is longer than any may be.
func is_over_limit() -> bool:
	return length > Http2Frame.DEFAULT_FRAME_SIZE


## The present frame's payload.
func payload() -> PackedByteArray:
	return bytes.slice(start, end)


## Whether what comes is an answer in HTTP/1.
func starts_like_http1() -> bool:
	return bytes.slice(_next, _next + 5) == "HTTP/".to_ascii_buffer()


## Lets go of the frames that were found. Copies what is left only where that is worth it, or where
## nothing more is found in it for now.
func drop_found(is_more_wanted: bool) -> void:
	if _next == bytes.size():
		bytes = PackedByteArray()
		_next = 0
	elif _next > KEPT or not is_more_wanted:
		bytes = bytes.slice(_next)
		_next = 0


## Whether nothing is left.
func is_empty() -> bool:
	return bytes.is_empty()
