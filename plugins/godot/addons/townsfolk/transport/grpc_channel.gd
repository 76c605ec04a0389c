## gRPC to one server, any number of calls at once: what Http2Channel and GrpcWebChannel share.
##
## Nothing blocks and nothing runs by itself: call [method poll] once a frame. Calls made before the
## server is reached wait for it; when it can't be reached or is lost they finish with UNAVAILABLE.
## The channel then stays FAILED until [method connect_to_server] is called again.
@tool
extends RefCounted

signal state_changed(state: State)

enum State { IDLE, CONNECTING, READY, FAILED, CLOSED }

const GrpcCall := preload("grpc_call.gd")
const GrpcStatus := preload("grpc_status.gd")

const USER_AGENT := "townsfolk-godot/0.1.0"

var state := State.IDLE
## Why the channel is FAILED.
var error := ""
## Goes with every call as "authorization: Bearer TOKEN", when not empty.
var token := ""
## Goes with every call besides.
var metadata: Dictionary[String, String] = {}
## How long a connection attempt may take.
var connect_timeout_seconds := 5.0

var _host: String
var _port: int
var _tls_options: TLSOptions
var _calls: Array[GrpcCall] = []  # all that are not over
var _waiting: Array[GrpcCall] = []  # of these, the ones that are not on their way yet
var _next_due_usec := 0  # no call has a deadline before; 0 when none has one
var _has_ended_calls := false


## The address is "host:port", "[IPv6]:port" or a host alone.
func _init(address: String, tls_options: TLSOptions, default_port: int) -> void:
	var colon := address.rfind(":")
	var is_bare_ipv6 := address.count(":") > 1 and not address.begins_with("[")
	if colon > address.rfind("]") and not is_bare_ipv6:
		_host = address.left(colon)
		_port = address.substr(colon + 1).to_int()
	else:
		_host = address
		_port = default_port
	_host = _host.trim_prefix("[").trim_suffix("]")
	_tls_options = tls_options


## Whether calls with a stream of requests can be made.
func can_stream_requests() -> bool:
	return true


## Begins to connect, unless that is done or under way.
func connect_to_server() -> void:
	if state == State.IDLE or state == State.FAILED:
		if _port < 1 or _port > 65535:
			_fail("the port of the runtime's address must be 1 to 65535, not %d" % _port)
		else:
			error = ""
			_open()
			_set_state(State.CONNECTING)


## Makes a call; see GrpcCall. The response type is a generated message class. Metadata values are
## ASCII; a name that ends in "-bin" has a value in base64.
func start_call(
	path: String,
	response_type: GDScript,
	timeout_seconds := 0.0,
	call_metadata: Dictionary[String, String] = {},
	streams_answers := true
) -> GrpcCall:
	var call := GrpcCall.new(path, response_type)
	call.metadata = metadata.merged(call_metadata, true)
	call.streams_answers = streams_answers
	call.due.connect(_on_call_due)
	if timeout_seconds > 0.0:
		call.deadline_usec = Time.get_ticks_usec() + int(timeout_seconds * 1e6)
		if _next_due_usec == 0 or call.deadline_usec < _next_due_usec:
			_next_due_usec = call.deadline_usec
	_calls.append(call)
	if state == State.FAILED or state == State.CLOSED:
		call.end(GrpcStatus.new(GrpcStatus.Code.UNAVAILABLE, error))
	else:
		_waiting.append(call)
		connect_to_server()
		_start_waiting_calls()
	return call


## Moves everything on: at most about budget_usec microseconds, besides what signal handlers take.
## What does not fit into the budget waits for the next poll.
func poll(budget_usec := 1000) -> void:
	var now := Time.get_ticks_usec()
	_poll_network(now, now + budget_usec)
	if _has_ended_calls or (_next_due_usec > 0 and now >= _next_due_usec):
		_finish_due_calls(now)
	_flush()


## The number of calls that are not over.
func call_count() -> int:
	return _calls.size()


## Ends the connection; the channel can't be used again. All calls end with CANCELLED, or when a
## reason is given with UNAVAILABLE and the reason.
func close(reason := "") -> void:
	if state == State.CLOSED:
		return
	error = "the channel is closed" if reason == "" else reason
	var code := GrpcStatus.Code.CANCELLED if reason == "" else GrpcStatus.Code.UNAVAILABLE
	for call: GrpcCall in _calls.duplicate():
		call.end(GrpcStatus.new(code, error))
		call.finish_if_due(0)
	_calls.clear()
	_waiting.clear()
	_shut(error, true)
	_set_state(State.CLOSED)


# What the two kinds of channels do in their own ways.


func _open() -> void:
	pass


func _start_waiting_calls() -> void:
	pass


func _poll_network(_now_usec: int, _deadline_usec: int) -> void:
	pass


func _flush() -> void:
	pass


func _shut(_reason: String, _is_orderly: bool) -> void:
	pass


# The request headers that both kinds have: flat, name, value, name, value.
func _call_headers(call: GrpcCall) -> PackedStringArray:
	var headers := PackedStringArray()
	if token != "":
		headers.append_array(["authorization", "Bearer " + token])
	if call.deadline_usec > 0:
		var left := maxi(1, (call.deadline_usec - Time.get_ticks_usec()) / 1000)
		headers.append_array(["grpc-timeout", "%dm" % mini(left, 99999999)])
	for name in call.metadata:
		headers.append_array([name.to_lower(), call.metadata[name]])
	return headers


func _on_call_due() -> void:
	_has_ended_calls = true


func _finish_due_calls(now: int) -> void:
	_has_ended_calls = false
	_next_due_usec = 0
	for call: GrpcCall in _calls.duplicate():
		if call.is_due(now) and call.finish_if_due(now):
			_calls.erase(call)
			_waiting.erase(call)
		elif call.deadline_usec > 0:
			var is_first := _next_due_usec == 0 or call.deadline_usec < _next_due_usec
			_next_due_usec = call.deadline_usec if is_first else _next_due_usec


func _fail(reason: String) -> void:
	error = reason
	for call in _calls:
		call.end(GrpcStatus.new(GrpcStatus.Code.UNAVAILABLE, reason))
	_shut(reason, false)
	_set_state(State.FAILED)


func _set_state(new_state: State) -> void:
	if state != new_state:
		state = new_state
		state_changed.emit(state)
