## Frame types, flags, settings and error codes of HTTP/2 (RFC 9113, sections 6 and 7).
@tool
extends RefCounted

enum Type {
	DATA = 0,
	HEADERS = 1,
	PRIORITY = 2,
	RST_STREAM = 3,
	SETTINGS = 4,
	PUSH_PROMISE = 5,
	PING = 6,
	GOAWAY = 7,
	WINDOW_UPDATE = 8,
	CONTINUATION = 9,
}
enum Flag {NONE = 0, ACK = 0x1, END_STREAM = 0x1, END_HEADERS = 0x4, PADDED = 0x8, PRIORITY = 0x20}
enum Setting {
	HEADER_TABLE_SIZE = 1,
	ENABLE_PUSH = 2,
	MAX_CONCURRENT_STREAMS = 3,
	INITIAL_WINDOW_SIZE = 4,
	MAX_FRAME_SIZE = 5,
	MAX_HEADER_LIST_SIZE = 6,
}
enum ErrorCode {
	NO_ERROR = 0,
	PROTOCOL_ERROR = 1,
	INTERNAL_ERROR = 2,
	FLOW_CONTROL_ERROR = 3,
	SETTINGS_TIMEOUT = 4,
	STREAM_CLOSED = 5,
	FRAME_SIZE_ERROR = 6,
	REFUSED_STREAM = 7,
	CANCEL = 8,
	COMPRESSION_ERROR = 9,
	CONNECT_ERROR = 10,
	ENHANCE_YOUR_CALM = 11,
	INADEQUATE_SECURITY = 12,
	HTTP_1_1_REQUIRED = 13,
}

const HEADER_SIZE := 9
const DEFAULT_WINDOW := 65535
const MAX_WINDOW := 0x7FFFFFFF
const DEFAULT_FRAME_SIZE := 16384


## Appends one frame to bytes that wait to be sent.
static func put(
	output: PackedByteArray, type: Type, flags: int, stream_id: int, payload: PackedByteArray
) -> void:
	var length := payload.size()
	var start := output.size()
	output.resize(start + HEADER_SIZE)
	output[start] = length >> 16
	output[start + 1] = (length >> 8) & 0xFF
	output[start + 2] = length & 0xFF
	output[start + 3] = type
	output[start + 4] = flags
	put_u32(output, start + 5, stream_id)
	output.append_array(payload)


## Writes a number in network byte order over four bytes.
static func put_u32(bytes: PackedByteArray, at: int, value: int) -> void:
	bytes[at] = (value >> 24) & 0xFF
	bytes[at + 1] = (value >> 16) & 0xFF
	bytes[at + 2] = (value >> 8) & 0xFF
	bytes[at + 3] = value & 0xFF


## Reads a number in network byte order.
static func get_u32(bytes: PackedByteArray, at: int) -> int:
	return (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]


## Four bytes in network byte order.
static func u32(value: int) -> PackedByteArray:
	var bytes := PackedByteArray([0, 0, 0, 0])
	put_u32(bytes, 0, value)
	return bytes


## The name of an error code, for messages.
static func error_name(code: int) -> String:
	var name: Variant = ErrorCode.find_key(code)
	return "error %d" % code if name == null else name
