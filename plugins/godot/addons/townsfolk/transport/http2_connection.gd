## The client side of one HTTP/2 connection (RFC 9113), without a socket: bytes go in with
## [method receive] and [method process], bytes for the other side come out of [method take_output].
##
## Any breach of the protocol ends the connection: GOAWAY is sent, every stream is closed with the
## reason, and [signal closed] is emitted.
@tool
extends RefCounted

## The connection is over.
signal closed(message: String)
## Room for another stream may be there: the server's settings came or a stream ended.
signal room_changed

const HpackDecoder := preload("hpack_decoder.gd")
const HpackEncoder := preload("hpack_encoder.gd")
const Http2Frame := preload("http2_frame.gd")
const Http2HeaderBlock := preload("http2_header_block.gd")
const Http2Input := preload("http2_input.gd")
const Http2Limits := preload("http2_limits.gd")
const Http2Output := preload("http2_output.gd")
const Http2Stream := preload("http2_stream.gd")
const Type := Http2Frame.Type
const Flag := Http2Frame.Flag
const Setting := Http2Frame.Setting
const ErrorCode := Http2Frame.ErrorCode

## What the server may send ahead, for each stream and for all together.
const STREAM_WINDOW := 1 << 20
const CONNECTION_WINDOW := 4 << 20

## Why the connection ended; empty as long as it lives.
var error := ""
## The server asked for no further streams.
var is_going_away := false
## The server's settings have come: it does speak HTTP/2, and its limits are known.
var has_settings := false

var _encoder := HpackEncoder.new()
var _streams: Dictionary[int, Http2Stream] = {}
var _next_stream_id := 1
var _input := Http2Input.new()
var _output := Http2Output.new()
var _headers := Http2HeaderBlock.new()
var _receive_window := CONNECTION_WINDOW
var _send_window := Http2Frame.DEFAULT_WINDOW
var _limits := Http2Limits.new(_encoder)


func _init() -> void:
	_limits.window_moved.connect(_move_windows)
	_limits.refused.connect(fail)
	var settings: Dictionary[Setting, int] = {
		Setting.ENABLE_PUSH: 0,
		Setting.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
		Setting.MAX_HEADER_LIST_SIZE: HpackDecoder.MAX_LIST_SIZE,
	}
	_output.put_preface(settings)
	_output.put_window_update(0, CONNECTION_WINDOW - Http2Frame.DEFAULT_WINDOW)


## Whether a stream can be opened now.
func has_room() -> bool:
	return (
		error == ""
		and not is_going_away
		and _streams.size() < _limits.max_streams
		and _next_stream_id < Http2Frame.MAX_WINDOW
	)


## The number of open streams.
func stream_count() -> int:
	return _streams.size()


## Opens a stream with its request headers.
func open_stream(headers: PackedStringArray) -> Http2Stream:
	assert(has_room(), "ask has_room() first")
	var stream := Http2Stream.new(_next_stream_id, send_pending, reset_stream)
	_next_stream_id += 2
	stream.receive_window = STREAM_WINDOW
	stream.send_window = _limits.initial_window
	_streams[stream.id] = stream
	_output.put_headers(stream.id, _encoder.encode(headers), _limits.max_frame)
	return stream


## Sends what a stream has unsent, as far as the windows allow.
func send_pending(stream: Http2Stream) -> void:
	var start := 0
	while start < stream.unsent.size():
		var room := mini(mini(_send_window, stream.send_window), _limits.max_frame)
		if room <= 0:
			break
		var end := mini(start + room, stream.unsent.size())
		var is_last := stream.ends_after_unsent and end == stream.unsent.size()
		_output.put_data(stream.id, stream.unsent.slice(start, end), is_last)
		_send_window -= end - start
		stream.send_window -= end - start
		stream.is_local_closed = is_last
		start = end
	stream.unsent = stream.unsent.slice(start)
	if stream.ends_after_unsent and stream.unsent.is_empty() and not stream.is_local_closed:
		_output.put_data(stream.id, PackedByteArray(), true)
		stream.is_local_closed = true


## Ends a stream with RST_STREAM.
func reset_stream(stream: Http2Stream, code: ErrorCode, message: String) -> void:
	_output.put_reset(stream.id, code)
	_end_stream(stream, code, message)


## Takes bytes from the server; they are looked at in process().
func receive(bytes: PackedByteArray) -> void:
	_input.add(bytes)


## Handles the frames that have come whole, until the clock (Time.get_ticks_usec) passes the
## deadline; at least one. Returns whether more may be waiting.
func process(deadline_usec: int) -> bool:
	var is_out_of_time := false
	while error == "" and not is_out_of_time:
		if not has_settings and _input.starts_like_http1():
			fail(ErrorCode.PROTOCOL_ERROR, "the server speaks HTTP/1, not gRPC over HTTP/2")
			break
		if not _input.next():
			if _input.is_over_limit():
				fail(
					ErrorCode.FRAME_SIZE_ERROR,
					"frame of %d bytes is over the limit" % _input.length
				)
			break
		_handle_frame(_input.type, _input.flags, _input.stream_id)
		is_out_of_time = Time.get_ticks_usec() >= deadline_usec
	_input.drop_found(is_out_of_time)
	return is_out_of_time and not _input.is_empty()


## Asks the server for a sign of life.
func ping() -> void:
	_output.put_ping()


## Takes the bytes that are to be sent to the server.
func take_output() -> PackedByteArray:
	return _output.take()


## Ends the connection because of an error that this side found.
func fail(code: ErrorCode, message: String) -> void:
	if error == "":
		_output.put_goaway(code, message)
		abort("HTTP/2 %s: %s" % [Http2Frame.error_name(code), message])


## Ends the connection as planned.
func close() -> void:
	if error == "":
		_output.put_goaway(ErrorCode.NO_ERROR, "")
		abort("connection closed by this side")


## Ends the connection without a word to the server: it is gone already.
func abort(message: String) -> void:
	if error != "":
		return
	error = message
	for stream: Http2Stream in _streams.values():
		_end_stream(stream, ErrorCode.INTERNAL_ERROR, message)
	closed.emit(message)


# The frame's payload is in the input.
func _handle_frame(type: int, flags: int, stream_id: int) -> void:
	var block_stream := _headers.stream_id
	if not has_settings and type != Type.SETTINGS:
		fail(ErrorCode.PROTOCOL_ERROR, "the server's first frame is not SETTINGS")
	elif block_stream != 0 and (type != Type.CONTINUATION or stream_id != block_stream):
		fail(ErrorCode.PROTOCOL_ERROR, "a header block is interrupted by another frame")
	elif _output.is_over_limit():
		fail(ErrorCode.ENHANCE_YOUR_CALM, "the server does not read what it asked for")
	elif type == Type.DATA:
		_handle_data(flags, stream_id, _input.start, _input.end)
	else:
		_handle_rare_frame(type, flags, stream_id, _input.payload())


func _handle_rare_frame(type: int, flags: int, stream_id: int, payload: PackedByteArray) -> void:
	match type:
		Type.HEADERS:
			_handle_headers(flags, stream_id, payload)
		Type.CONTINUATION:
			_handle_continuation(flags, payload)
		Type.RST_STREAM:
			_handle_reset(stream_id, payload)
		Type.SETTINGS:
			_handle_settings(flags, stream_id, payload)
		Type.PING:
			_handle_ping(flags, stream_id, payload)
		Type.GOAWAY:
			_handle_goaway(stream_id, payload)
		Type.WINDOW_UPDATE:
			_handle_window_update(stream_id, payload)
		Type.PRIORITY:
			if payload.size() != 5:
				fail(ErrorCode.FRAME_SIZE_ERROR, "PRIORITY is not 5 bytes")
		Type.PUSH_PROMISE:
			fail(ErrorCode.PROTOCOL_ERROR, "PUSH_PROMISE although push is off")


# Nearly all frames are these, a piece of text each: nothing is copied on their way to the call.
func _handle_data(flags: int, stream_id: int, start: int, end: int) -> void:
	var stream: Http2Stream = _streams.get(stream_id)
	if stream == null and not _check_stream_known(stream_id, "DATA"):
		return
	var size := end - start
	_receive_window -= size
	if _receive_window < 0:
		fail(ErrorCode.FLOW_CONTROL_ERROR, "more data than the connection's window allows")
		return
	if _receive_window < CONNECTION_WINDOW >> 1:
		_output.put_window_update(0, CONNECTION_WINDOW - _receive_window)
		_receive_window = CONNECTION_WINDOW
	if flags & Flag.PADDED:
		if size == 0 or _input.bytes[start] >= size:
			fail(ErrorCode.PROTOCOL_ERROR, "padding as long as the frame or longer")
			return
		end -= _input.bytes[start]
		start += 1
	if stream == null:
		return
	stream.receive_window -= size
	if stream.receive_window < 0:
		reset_stream(stream, ErrorCode.FLOW_CONTROL_ERROR, "more data than its window allows")
		return
	var is_end := flags & Flag.END_STREAM != 0
	if stream.receive_window < STREAM_WINDOW >> 1 and not is_end:
		_output.put_window_update(stream_id, STREAM_WINDOW - stream.receive_window)
		stream.receive_window = STREAM_WINDOW
	if end > start and stream.take_data.is_valid():
		stream.take_data.call(_input.bytes, start, end)
	if is_end:
		_end_by_server(stream)


func _handle_headers(flags: int, stream_id: int, payload: PackedByteArray) -> void:
	if not _check_stream_known(stream_id, "HEADERS"):
		return
	if not _headers.begin(stream_id, flags, payload):
		fail(ErrorCode.PROTOCOL_ERROR, "padding as long as the frame or longer")
	elif flags & Flag.END_HEADERS:
		_finish_headers()


func _handle_continuation(flags: int, payload: PackedByteArray) -> void:
	if _headers.stream_id == 0:
		fail(ErrorCode.PROTOCOL_ERROR, "CONTINUATION without HEADERS")
	elif not _headers.add(payload):
		var most := Http2HeaderBlock.MAX_SIZE
		fail(ErrorCode.ENHANCE_YOUR_CALM, "header block over %d bytes" % most)
	elif flags & Flag.END_HEADERS:
		_finish_headers()


func _finish_headers() -> void:
	var stream: Http2Stream = _streams.get(_headers.stream_id)
	var headers := _headers.finish()
	if _headers.error != "":
		fail(ErrorCode.COMPRESSION_ERROR, _headers.error)
	elif stream != null:
		var is_end := _headers.ends_stream
		stream.headers_received.emit(headers)
		if is_end:
			_end_by_server(stream)


func _handle_reset(stream_id: int, payload: PackedByteArray) -> void:
	if payload.size() != 4:
		fail(ErrorCode.FRAME_SIZE_ERROR, "RST_STREAM is not 4 bytes")
	elif _check_stream_known(stream_id, "RST_STREAM") and _streams.has(stream_id):
		_end_stream(_streams[stream_id], Http2Frame.get_u32(payload, 0), "reset by the server")


func _handle_settings(flags: int, stream_id: int, payload: PackedByteArray) -> void:
	var is_ack := flags & Flag.ACK != 0
	if stream_id != 0:
		fail(ErrorCode.PROTOCOL_ERROR, "SETTINGS on a stream")
	elif payload.size() % 6 != 0 or (is_ack and not payload.is_empty()):
		fail(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS of %d bytes" % payload.size())
	elif not has_settings and is_ack:
		fail(ErrorCode.PROTOCOL_ERROR, "the server's first frame is not SETTINGS")
	elif not is_ack:
		_limits.take(payload)
		if error == "":
			has_settings = true
			_output.put_settings_ack()
			_send_all_pending()
			room_changed.emit()


func _move_windows(by: int) -> void:
	for stream: Http2Stream in _streams.values():
		stream.send_window += by
		if stream.send_window > Http2Frame.MAX_WINDOW:
			fail(ErrorCode.FLOW_CONTROL_ERROR, "a stream's window is too large")
			return


func _handle_ping(flags: int, stream_id: int, payload: PackedByteArray) -> void:
	if stream_id != 0:
		fail(ErrorCode.PROTOCOL_ERROR, "PING on a stream")
	elif payload.size() != 8:
		fail(ErrorCode.FRAME_SIZE_ERROR, "PING is not 8 bytes")
	elif not flags & Flag.ACK:
		_output.put_ping_ack(payload)


func _handle_goaway(stream_id: int, payload: PackedByteArray) -> void:
	if stream_id != 0:
		fail(ErrorCode.PROTOCOL_ERROR, "GOAWAY on a stream")
		return
	if payload.size() < 8:
		fail(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY is shorter than 8 bytes")
		return
	is_going_away = true
	var last_stream := Http2Frame.get_u32(payload, 0) & 0x7FFFFFFF
	var code := Http2Frame.get_u32(payload, 4)
	var message := "the server is going away (%s)" % Http2Frame.error_name(code)
	for stream: Http2Stream in _streams.values():
		if stream.id > last_stream:
			# The server has done nothing for these: the call can be made again elsewhere.
			_end_stream(stream, ErrorCode.REFUSED_STREAM, message)
	room_changed.emit()


func _handle_window_update(stream_id: int, payload: PackedByteArray) -> void:
	if payload.size() != 4:
		fail(ErrorCode.FRAME_SIZE_ERROR, "WINDOW_UPDATE is not 4 bytes")
		return
	var increment := Http2Frame.get_u32(payload, 0) & 0x7FFFFFFF
	if stream_id == 0:
		_send_window += increment
		if increment == 0:
			fail(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE by 0")
		elif _send_window > Http2Frame.MAX_WINDOW:
			fail(ErrorCode.FLOW_CONTROL_ERROR, "the connection's window is too large")
		else:
			_send_all_pending()
	elif _check_stream_known(stream_id, "WINDOW_UPDATE") and _streams.has(stream_id):
		var stream := _streams[stream_id]
		stream.send_window += increment
		if increment == 0:
			reset_stream(stream, ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE by 0")
		elif stream.send_window > Http2Frame.MAX_WINDOW:
			reset_stream(stream, ErrorCode.FLOW_CONTROL_ERROR, "its window is too large")
		else:
			send_pending(stream)


# Frames for streams that were closed a moment ago are normal; for others they are not.
func _check_stream_known(stream_id: int, frame: String) -> bool:
	if stream_id == 0 or stream_id >= _next_stream_id or stream_id % 2 == 0:
		fail(ErrorCode.PROTOCOL_ERROR, "%s on stream %d, which never was" % [frame, stream_id])
		return false
	return true


func _send_all_pending() -> void:
	for stream: Http2Stream in _streams.values():
		if not stream.unsent.is_empty():
			send_pending(stream)


func _end_by_server(stream: Http2Stream) -> void:
	if stream.is_closed:
		return
	if not stream.is_local_closed:
		# The answer is complete and nobody reads the rest of the request (RFC 9113, section 8.1).
		_output.put_reset(stream.id, ErrorCode.NO_ERROR)
	_end_stream(stream, ErrorCode.NO_ERROR, "")


func _end_stream(stream: Http2Stream, code: int, message: String) -> void:
	if stream.is_closed:
		return
	stream.is_closed = true
	stream.unsent = PackedByteArray()
	_streams.erase(stream.id)
	stream.closed.emit(code, message)
	if error == "":
		room_changed.emit()
