## gRPC-Web: gRPC over HTTP/1.1, for web exports, which have no sockets.
##
## Each call has a connection of its own. Requests can't be streamed. Browsers allow six connections
## to one server at once, so more calls wait, and the last one is kept for short calls: an
## interruption need not wait until somebody has finished.
@tool
extends "grpc_channel.gd"

const GrpcWebStream := preload("grpc_web_stream.gd")

const DEFAULT_PORT := 50152
const BROWSER_CONNECTIONS := 6
const NATIVE_CONNECTIONS := 64

## Whether this runs in a browser.
var is_web := OS.has_feature("web")
## The most calls that are under way at once.
var max_connections := BROWSER_CONNECTIONS if is_web else NATIVE_CONNECTIONS

var _streams: Dictionary[GrpcCall, GrpcWebStream] = {}
var _first := 0  # whose turn it is to be polled first


func _init(address: String, tls_options: TLSOptions = null) -> void:
	super(address, tls_options, DEFAULT_PORT)
	if is_web and ":" in _host:
		_host = "[%s]" % _host
	elif not is_web and tls_options == null and _host == "localhost":
		# The system's resolver may take seconds on a machine without network.
		_host = "127.0.0.1"


func can_stream_requests() -> bool:
	return false


func _poll_network(_now: int, deadline_usec: int) -> void:
	if state == State.CONNECTING:
		# There is nothing to connect beforehand; whether the server is there, the first call finds.
		_set_state(State.READY)
		_start_waiting_calls()
	var calls := _streams.keys()
	for offset in calls.size():
		var call: GrpcCall = calls[(_first + offset) % calls.size()]
		# A signal handler may have closed the channel, or ended the call.
		if _streams.has(call):
			_poll_stream(call, deadline_usec)
		if Time.get_ticks_usec() >= deadline_usec:
			_first += offset + 1
			break
	_start_waiting_calls()


func _poll_stream(call: GrpcCall, deadline_usec: int) -> void:
	var stream := _streams[call]
	stream.poll(deadline_usec)
	if not stream.is_closed:
		return
	_streams.erase(call)
	if stream.error == "" or call.status != null:
		return
	if stream.has_answer:
		call.end(GrpcStatus.new(GrpcStatus.Code.UNAVAILABLE, stream.error))
	elif state == State.READY:
		_fail(stream.error)


func _start_waiting_calls() -> void:
	if state != State.READY or _waiting.is_empty():
		return
	var streaming := 0
	for stream: GrpcWebStream in _streams.values():
		streaming += int(stream.streams_answers)
	for call: GrpcCall in _waiting.duplicate():
		if _streams.size() >= max_connections:
			return
		if call.streams_answers and streaming >= max_connections - 1:
			continue
		streaming += int(call.streams_answers)
		_waiting.erase(call)
		_start(call)


func _start(call: GrpcCall) -> void:
	var stream := GrpcWebStream.new(call.path, _request_headers(call))
	stream.is_web = is_web
	stream.streams_answers = call.streams_answers
	stream.open(_host, _port, _tls_options, connect_timeout_seconds)
	_streams[call] = stream
	call.attach(stream)


func _request_headers(call: GrpcCall) -> PackedStringArray:
	var headers := PackedStringArray(
		[
			"content-type: application/grpc-web+proto",
			"x-grpc-web: 1",
			"x-user-agent: " + USER_AGENT,
		]
	)
	var fields := _call_headers(call)
	for place in range(0, fields.size(), 2):
		headers.append("%s: %s" % [fields[place], fields[place + 1]])
	return headers


func _finish_due_calls(now: int) -> void:
	super(now)
	for call: GrpcCall in _streams.keys():
		if call.status != null:
			_streams.erase(call)


func _shut(_reason: String, _is_orderly: bool) -> void:
	var streams := _streams
	_streams = {}
	for stream: GrpcWebStream in streams.values():
		stream.reset()
