## One gRPC call of any of the four kinds.
##
## Send with [method send] and [method close_send]; answers come with [signal message_received], the
## end with [signal finished]. For a call with one answer, [code]await call.response()[/code].
## All signals come from the channel's poll, never from inside the method that caused them.
@tool
extends RefCounted

## The server's first headers have come, in [member initial_metadata].
signal initial_metadata_received
## One answer.
signal message_received(message: ProtoMessage)
## The call is over, with this [member status]. Comes exactly once.
signal finished(status: GrpcStatus)
## For channels: finish_if_due() has something to do.
signal due

const GrpcStatus := preload("grpc_status.gd")
const Http2Frame := preload("http2_frame.gd")
const ProtoMessage := preload("../protobuf/proto_message.gd")
const Code := GrpcStatus.Code

## Answers larger than this end the call.
const MAX_MESSAGE_SIZE := 16 << 20
const FRAME_HEADER_SIZE := 5
## Requests beyond this are not kept for another try.
const MAX_KEPT_SIZE := 1 << 18

## Path of the method: "/package.Service/Method".
var path: String
## How the call ended; null as long as it lasts.
var status: GrpcStatus
## The answer that came last.
var last_message: ProtoMessage
var initial_metadata: Dictionary[String, String] = {}
var trailing_metadata: Dictionary[String, String] = {}
## When the call ends with DEADLINE_EXCEEDED, on the clock of Time.get_ticks_usec(); 0 for never.
var deadline_usec := 0
## What the channel sends besides its own headers.
var metadata: Dictionary[String, String] = {}
## Whether more than one answer is to be expected.
var streams_answers := true
## For answers that come by the dozen in a frame:
## func(buffer: PackedByteArray, start: int, stop: int) -> bool. Is called before an answer becomes
## a message, with its bytes; true says that they were read, and no message is made.
var take_answer := Callable()
## For channels: func(call: GrpcCall) -> bool. Is called when the server has refused the call unseen
## and it can be made once more; true says that it will be attached to another stream.
var try_again := Callable()
## For channels: how often the server has refused the call unseen.
var refusals := 0
## For channels: when a refused call may go out again, on the clock of Time.get_ticks_usec().
var waits_until_usec := 0

var _response_type: GDScript
var _stream: RefCounted  # an Http2Stream or anything with its signals, send() and reset()
var _unsent := PackedByteArray()
var _kept := PackedByteArray()  # what was sent, as long as all of it is there and may be needed
var _is_kept_whole := true
var _is_send_closed := false
var _received := PackedByteArray()
var _early_status: GrpcStatus


func _init(method_path: String, response_type: GDScript) -> void:
	path = method_path
	_response_type = response_type


## Sends one request.
func send(message: ProtoMessage) -> void:
	if _is_send_closed or status != null:
		return
	var bytes := message.to_bytes()
	var framed := PackedByteArray([0])
	framed.append_array(Http2Frame.u32(bytes.size()))
	framed.append_array(bytes)
	_write(framed)


## Says that no further request follows.
func close_send() -> void:
	if not _is_send_closed and status == null:
		_is_send_closed = true
		_write(PackedByteArray())


## Ends the call; it finishes with CANCELLED.
func cancel() -> void:
	end(GrpcStatus.new(Code.CANCELLED, "cancelled by this side"))


## Waits for the end of the call.
func wait() -> GrpcStatus:
	if status == null:
		await finished
	return status


## Waits for the end of a call with one answer. Returns the answer, or null: see [member status].
func response() -> ProtoMessage:
	await wait()
	if status.is_ok() and last_message == null:
		status = GrpcStatus.new(Code.INTERNAL, "the server ended the call without an answer")
	return last_message if status.is_ok() else null


## For channels: the call goes out on this stream.
func attach(stream: RefCounted) -> void:
	_stream = stream
	stream.headers_received.connect(_on_headers_received)
	stream.take_data = _take_data
	stream.closed.connect(_on_stream_closed)
	var unsent := _unsent
	_unsent = PackedByteArray()
	if not unsent.is_empty() or _is_send_closed:
		_write(unsent)


## For channels: whether the call has a stream already.
func is_attached() -> bool:
	return _stream != null


## For channels: ends the call at the next poll with a status of this side.
func end(early_status: GrpcStatus) -> void:
	if status == null and _early_status == null:
		_early_status = early_status
		due.emit()


## For channels: whether finish_if_due() has anything to do.
func is_due(now_usec: int) -> bool:
	var is_late := deadline_usec > 0 and now_usec >= deadline_usec
	return status != null or _early_status != null or is_late


## For channels: finishes a call that was ended or whose deadline has passed. Returns whether it is
## over.
func finish_if_due(now_usec: int) -> bool:
	if status == null and deadline_usec > 0 and now_usec >= deadline_usec:
		end(GrpcStatus.new(Code.DEADLINE_EXCEEDED, "the deadline of the call has passed"))
	if status == null and _early_status != null:
		var stream := _stream
		_finish(_early_status)
		if stream != null:
			stream.reset()
	return status != null


func _write(framed: PackedByteArray) -> void:
	if _stream == null:
		_unsent.append_array(framed)
		return
	_is_kept_whole = _is_kept_whole and _kept.size() + framed.size() <= MAX_KEPT_SIZE
	if _is_kept_whole:
		_kept.append_array(framed)
	else:
		_kept = PackedByteArray()
	_stream.send(framed, _is_send_closed)


# Gives the stream up and makes what was sent unsent again. Returns false when that can't be.
func _take_back() -> bool:
	if not _is_kept_whole or not try_again.is_valid():
		return false
	refusals += 1
	if not try_again.call(self):
		return false
	_stream = null
	_unsent = _kept
	_kept = PackedByteArray()
	return true


func _on_headers_received(headers: PackedStringArray) -> void:
	# The server has begun: from here on it can't say that it has seen nothing.
	_is_kept_whole = false
	_kept = PackedByteArray()
	var fields: Dictionary[String, String] = {}
	for place in range(0, headers.size(), 2):
		fields[headers[place]] = headers[place + 1]
	var http_status: String = fields.get(":status", "")
	if http_status.begins_with("1"):
		return
	if http_status != "" and http_status != "200":
		end(GrpcStatus.from_http_status(http_status) as GrpcStatus)
	elif fields.has("grpc-status"):
		trailing_metadata = fields
	elif not str(fields.get("content-type", "")).begins_with("application/grpc"):
		var type: String = fields.get("content-type", "no type")
		end(GrpcStatus.new(Code.UNKNOWN, "the server answered with %s, not with gRPC" % type))
	else:
		initial_metadata = fields
		initial_metadata_received.emit()


func _take_data(buffer: PackedByteArray, start: int, stop: int) -> void:
	if not _received.is_empty():
		_received.append_array(buffer.slice(start, stop))
		buffer = _received
		start = 0
		stop = _received.size()
	var at := start
	while stop - at >= FRAME_HEADER_SIZE and _early_status == null:
		var length := (
			(buffer[at + 1] << 24) | (buffer[at + 2] << 16) | (buffer[at + 3] << 8) | buffer[at + 4]
		)
		if buffer[at] != 0:
			end(GrpcStatus.new(Code.INTERNAL, "a compressed answer, which was not asked for"))
		elif length > MAX_MESSAGE_SIZE:
			var text := "an answer of %d bytes; %d are allowed" % [length, MAX_MESSAGE_SIZE]
			end(GrpcStatus.new(Code.RESOURCE_EXHAUSTED, text))
		if _early_status != null or stop - at - FRAME_HEADER_SIZE < length:
			break
		at += FRAME_HEADER_SIZE
		if not take_answer.is_valid() or not take_answer.call(buffer, at, at + length):
			_deliver(buffer, at, at + length)
		at += length
	if at == stop:
		_received = PackedByteArray()
	elif at > start or _received.is_empty():
		_received = buffer.slice(at, stop)


func _deliver(buffer: PackedByteArray, start: int, stop: int) -> void:
	var message: ProtoMessage = _response_type.new()
	var error := message.parse(buffer, start, stop)
	if error == "":
		last_message = message
		message_received.emit(message)
	else:
		end(GrpcStatus.new(Code.INTERNAL, "%s in an answer of %s" % [error, path]))


func _on_stream_closed(error_code: int, message: String) -> void:
	if status != null:
		return
	if _early_status != null:
		_finish(_early_status)
	elif trailing_metadata.has("grpc-status"):
		_finish(GrpcStatus.from_trailers(trailing_metadata) as GrpcStatus)
	elif error_code == Http2Frame.ErrorCode.REFUSED_STREAM and _take_back():
		pass
	elif error_code != Http2Frame.ErrorCode.NO_ERROR:
		_finish(GrpcStatus.from_http2_error(error_code, message) as GrpcStatus)
	else:
		_finish(GrpcStatus.new(Code.INTERNAL, "the server ended the call without a status"))


func _finish(final_status: GrpcStatus) -> void:
	if final_status.is_ok() and not _received.is_empty():
		final_status = GrpcStatus.new(Code.INTERNAL, "the call ended inside an answer")
	_stream = null
	_is_send_closed = true
	_received = PackedByteArray()
	_kept = PackedByteArray()
	try_again = Callable()
	status = final_status
	due.emit()
	finished.emit(status)
