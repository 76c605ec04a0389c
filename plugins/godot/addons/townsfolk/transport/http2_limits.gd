## What the other side of a connection allows, as its SETTINGS say (RFC 9113, section 6.5.2).
@tool
extends RefCounted

## How much may be sent ahead has changed by so many bytes, for each open stream.
signal window_moved(by: int)
## A setting is wrong: the connection is over.
signal refused(code: ErrorCode, reason: String)

const HpackEncoder := preload("hpack_encoder.gd")
const Http2Frame := preload("http2_frame.gd")
const ErrorCode := Http2Frame.ErrorCode
const Setting := Http2Frame.Setting

## How much of a new stream's data may be sent ahead, in bytes.
var initial_window := Http2Frame.DEFAULT_WINDOW
## The largest payload of a frame, in bytes.
var max_frame := Http2Frame.DEFAULT_FRAME_SIZE
## The most streams at once.
var max_streams := Http2Frame.MAX_WINDOW

var _encoder: HpackEncoder


## The limits of an encoder's table are among them.
func _init(encoder: HpackEncoder) -> void:
	_encoder = encoder


## Takes the payload of a SETTINGS frame, whose size is a multiple of 6.
func take(payload: PackedByteArray) -> void:
	for at in range(0, payload.size(), 6):
		_take((payload[at] << 8) | payload[at + 1], Http2Frame.get_u32(payload, at + 2))


func _take(identifier: int, value: int) -> void:
	match identifier:
		Setting.HEADER_TABLE_SIZE:
			_encoder.limit_table(value)
		Setting.ENABLE_PUSH:
			if value != 0:
				refused.emit(ErrorCode.PROTOCOL_ERROR, "the server's ENABLE_PUSH is not 0")
		Setting.MAX_CONCURRENT_STREAMS:
			max_streams = value
		Setting.INITIAL_WINDOW_SIZE:
			if value > Http2Frame.MAX_WINDOW:
				refused.emit(ErrorCode.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE is too large")
				return
			var before := initial_window
			initial_window = value
			window_moved.emit(value - before)
		Setting.MAX_FRAME_SIZE:
			if value < Http2Frame.DEFAULT_FRAME_SIZE or value > 0xFFFFFF:
				refused.emit(ErrorCode.PROTOCOL_ERROR, "MAX_FRAME_SIZE is out of range")
			else:
				max_frame = value
