## One stream of an HTTP/2 connection, seen from the client.
@tool
extends RefCounted

## A header list has come; the second one is the trailers. Flat: name, value, name, value.
signal headers_received(headers: PackedStringArray)
## The stream is over. NO_ERROR when the server ended it; message says more on an error.
signal closed(error_code: int, message: String)

const Http2Frame := preload("http2_frame.gd")

## Takes a piece of the body: func(buffer: PackedByteArray, start: int, stop: int). The buffer is
## only lent. No signal, as nothing else is called as often.
var take_data := Callable()
## The stream's number.
var id: int
## Bytes the server may still send on this stream.
var receive_window: int
## Bytes this side may still send on this stream; can be negative.
var send_window: int
## Body bytes that wait for the windows.
var unsent := PackedByteArray()
## This side says END_STREAM after what is unsent.
var ends_after_unsent := false
## This side said END_STREAM.
var is_local_closed := false
## Both sides are done, or the stream was reset.
var is_closed := false

# Given by the connection; they don't keep it alive.
var _send_pending: Callable
var _reset_stream: Callable


func _init(stream_id: int, send_pending: Callable, reset_stream: Callable) -> void:
	id = stream_id
	_send_pending = send_pending
	_reset_stream = reset_stream


## Sends body bytes, as far as the windows allow; the rest follows when they open.
func send(bytes: PackedByteArray, end_stream: bool) -> void:
	if is_closed or ends_after_unsent:
		return
	unsent.append_array(bytes)
	ends_after_unsent = end_stream
	if _send_pending.is_valid():
		_send_pending.call(self)


## Ends the stream at once, in both directions.
func reset(error_code: Http2Frame.ErrorCode = Http2Frame.ErrorCode.CANCEL) -> void:
	if not is_closed and _reset_stream.is_valid():
		_reset_stream.call(self, error_code, "reset by this side")
