## The bytes that wait to be sent to the server: frames, one behind the other.
@tool
extends RefCounted

const Http2Frame := preload("http2_frame.gd")
const Type := Http2Frame.Type
const Flag := Http2Frame.Flag

const PREFACE := "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
## A peer that makes us answer faster than it reads the answers is cut off.
const MAX_SIZE := 16 << 20

var _bytes := PackedByteArray()


## Takes the bytes.
func take() -> PackedByteArray:
	var bytes := _bytes
	_bytes = PackedByteArray()
	return bytes


## Whether more waits than a peer may leave unread.
func is_over_limit() -> bool:
	return _bytes.size() > MAX_SIZE


## Begins the connection, with this side's settings.
func put_preface(settings: Dictionary[Http2Frame.Setting, int]) -> void:
	_bytes.append_array(PREFACE.to_ascii_buffer())
	var payload := PackedByteArray()
	for identifier in settings:
		payload.append(identifier >> 8)
		payload.append(identifier & 0xFF)
		payload.append_array(Http2Frame.u32(settings[identifier]))
	Http2Frame.put(_bytes, Type.SETTINGS, 0, 0, payload)


## Says that the server's settings hold.
func put_settings_ack() -> void:
	Http2Frame.put(_bytes, Type.SETTINGS, Flag.ACK, 0, PackedByteArray())


## Puts a header block, in as many frames as it takes.
func put_headers(stream_id: int, block: PackedByteArray, max_frame: int) -> void:
	var type := Type.HEADERS
	var start := 0
	while start == 0 or start < block.size():
		var end := mini(start + max_frame, block.size())
		var flags := Flag.END_HEADERS if end == block.size() else Flag.NONE
		Http2Frame.put(_bytes, type, flags, stream_id, block.slice(start, end))
		type = Type.CONTINUATION
		start = maxi(end, 1)


## Puts a piece of a stream's body.
func put_data(stream_id: int, body: PackedByteArray, is_last: bool) -> void:
	var flags := Flag.END_STREAM if is_last else Flag.NONE
	Http2Frame.put(_bytes, Type.DATA, flags, stream_id, body)


## Ends a stream.
func put_reset(stream_id: int, code: int) -> void:
	Http2Frame.put(_bytes, Type.RST_STREAM, 0, stream_id, Http2Frame.u32(code))


## Lets the server send so much more on a stream, or on all together when the id is 0.
func put_window_update(stream_id: int, increment: int) -> void:
	Http2Frame.put(_bytes, Type.WINDOW_UPDATE, 0, stream_id, Http2Frame.u32(increment))


## Asks for a sign of life.
func put_ping() -> void:
	var payload := PackedByteArray()
	payload.resize(8)
	Http2Frame.put(_bytes, Type.PING, 0, 0, payload)


## Gives the sign of life that the server asked for with this payload.
func put_ping_ack(payload: PackedByteArray) -> void:
	Http2Frame.put(_bytes, Type.PING, Flag.ACK, 0, payload)


## Ends the connection.
func put_goaway(code: int, message: String) -> void:
	var payload := Http2Frame.u32(0)
	payload.append_array(Http2Frame.u32(code))
	payload.append_array(message.to_utf8_buffer())
	Http2Frame.put(_bytes, Type.GOAWAY, 0, 0, payload)
