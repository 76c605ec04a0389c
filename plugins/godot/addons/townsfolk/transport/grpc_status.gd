## How a gRPC call ended (https://grpc.github.io/grpc/core/md_doc_statuscodes.html).
@tool
extends RefCounted

enum Code {
	OK = 0,
	CANCELLED = 1,
	UNKNOWN = 2,
	INVALID_ARGUMENT = 3,
	DEADLINE_EXCEEDED = 4,
	NOT_FOUND = 5,
	ALREADY_EXISTS = 6,
	PERMISSION_DENIED = 7,
	RESOURCE_EXHAUSTED = 8,
	FAILED_PRECONDITION = 9,
	ABORTED = 10,
	OUT_OF_RANGE = 11,
	UNIMPLEMENTED = 12,
	INTERNAL = 13,
	UNAVAILABLE = 14,
	DATA_LOSS = 15,
	UNAUTHENTICATED = 16,
}

const Http2Frame := preload("http2_frame.gd")

var code: Code
var message: String


func _init(status_code: Code, status_message := "") -> void:
	code = status_code
	message = status_message


func is_ok() -> bool:
	return code == Code.OK


func _to_string() -> String:
	var name: Variant = Code.find_key(code)
	return "%s: %s" % [code if name == null else name, message]


## The status in a call's trailers.
static func from_trailers(trailers: Dictionary[String, String]) -> RefCounted:
	var number := trailers["grpc-status"]
	if not number.is_valid_int() or number.to_int() < 0:
		return new(Code.UNKNOWN, 'the server ended the call with the status "%s"' % number)
	return new(number.to_int() as Code, trailers.get("grpc-message", "").uri_decode())


## The status for an answer that is not gRPC at all, by its HTTP status.
static func from_http_status(http_status: String) -> RefCounted:
	var known := {
		"400": Code.INTERNAL,
		"401": Code.UNAUTHENTICATED,
		"403": Code.PERMISSION_DENIED,
		"404": Code.UNIMPLEMENTED,
		"429": Code.UNAVAILABLE,
		"502": Code.UNAVAILABLE,
		"503": Code.UNAVAILABLE,
		"504": Code.UNAVAILABLE,
	}
	var text := "the server answered with HTTP status %s, not with gRPC" % http_status
	return new(known.get(http_status, Code.UNKNOWN) as Code, text)


## The status for a stream that was reset without one.
static func from_http2_error(error_code: int, text: String) -> RefCounted:
	var known := {
		Http2Frame.ErrorCode.REFUSED_STREAM: Code.UNAVAILABLE,
		Http2Frame.ErrorCode.CANCEL: Code.CANCELLED,
		Http2Frame.ErrorCode.ENHANCE_YOUR_CALM: Code.RESOURCE_EXHAUSTED,
		Http2Frame.ErrorCode.INADEQUATE_SECURITY: Code.PERMISSION_DENIED,
	}
	var full := "%s (HTTP/2 %s)" % [text, Http2Frame.error_name(error_code)]
	return new(known.get(error_code, Code.INTERNAL) as Code, full)
