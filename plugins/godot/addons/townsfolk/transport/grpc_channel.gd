## gRPC over HTTP/2 to one server: any number of calls at once over one connection.
##
## Nothing blocks and nothing runs by itself: call [method poll] once a frame. Calls made before the
## connection stands wait for it; when it can't be made or breaks they finish with UNAVAILABLE.
## The channel then stays FAILED until [method connect_to_server] is called again.
@tool
extends RefCounted

signal state_changed(state: State)

enum State { IDLE, CONNECTING, READY, FAILED, CLOSED }

const ClientSocket := preload("client_socket.gd")
const GrpcCall := preload("grpc_call.gd")
const GrpcStatus := preload("grpc_status.gd")
const Http2Connection := preload("http2_connection.gd")

const DEFAULT_PORT := 50151
const USER_AGENT := "townsfolk-godot/0.1.0"

var state := State.IDLE
## Why the channel is FAILED.
var error := ""
## Goes with every call as "authorization: Bearer TOKEN", when not empty.
var token := ""
## How long a connection attempt may take.
var connect_timeout_seconds := 5.0

var _host: String
var _port: int
var _tls_options: TLSOptions
var _socket: ClientSocket
var _connection: Http2Connection
var _calls: Array[GrpcCall] = []  # all that are not over
var _waiting: Array[GrpcCall] = []  # of these, the ones that have no stream yet
var _has_input := false
var _connect_deadline_usec: int


## The address is "host:port", "[IPv6]:port" or a host alone. With TLS options the connection is
## encrypted; Godot can't offer ALPN, so the server must do without (see the add-on's README).
func _init(address: String, tls_options: TLSOptions = null) -> void:
	var colon := address.rfind(":")
	var is_bare_ipv6 := address.count(":") > 1 and not address.begins_with("[")
	if colon > address.rfind("]") and not is_bare_ipv6:
		_host = address.left(colon)
		_port = address.substr(colon + 1).to_int()
	else:
		_host = address
		_port = DEFAULT_PORT
	_host = _host.trim_prefix("[").trim_suffix("]")
	_tls_options = tls_options


## Begins to connect, unless that is done or under way.
func connect_to_server() -> void:
	if state == State.IDLE or state == State.FAILED:
		if _port < 1 or _port > 65535:
			_fail("the port of the runtime's address must be 1 to 65535, not %d" % _port)
			return
		_connection = Http2Connection.new()
		_connection.room_changed.connect(_start_waiting_calls)
		_socket = ClientSocket.new(_host, _port, _tls_options)
		_connect_deadline_usec = Time.get_ticks_usec() + int(connect_timeout_seconds * 1e6)
		_set_state(State.CONNECTING)


## Makes a call; see GrpcCall. The response type is a generated message class. Metadata values are
## ASCII; a name that ends in "-bin" has a value in base64.
func start_call(
	path: String,
	response_type: GDScript,
	timeout_seconds := 0.0,
	metadata: Dictionary[String, String] = {}
) -> GrpcCall:
	var call := GrpcCall.new(path, response_type)
	call.metadata = metadata
	if timeout_seconds > 0.0:
		call.deadline_usec = Time.get_ticks_usec() + int(timeout_seconds * 1e6)
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
	if _socket != null:
		_poll_connection(now + budget_usec)
	for call in _calls.filter(func(some: GrpcCall) -> bool: return some.is_due(now)):
		if call.finish_if_due(now):
			_calls.erase(call)
			_waiting.erase(call)
	if _socket != null and _socket.state == ClientSocket.State.OPEN:
		_socket.write(_connection.take_output())


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
	for call in _calls.duplicate():
		call.end(GrpcStatus.new(code, error))
		call.finish_if_due(0)
	_calls.clear()
	_waiting.clear()
	if _connection != null:
		_connection.close()
		_socket.write(_connection.take_output())
		_socket.close(error)
	_connection = null
	_socket = null
	_set_state(State.CLOSED)


func _poll_connection(deadline_usec: int) -> void:
	var connection := _connection
	_socket.poll()
	while _socket.state == ClientSocket.State.OPEN or _has_input:
		# While frames wait, nothing is read: the server is held back by TCP's own flow control.
		if not _has_input:
			var bytes := _socket.read()
			if bytes.is_empty():
				break
			connection.receive(bytes)
		_has_input = connection.process(deadline_usec)
		if _connection != connection:  # a signal handler has closed the channel
			return
		if connection.error != "" or Time.get_ticks_usec() >= deadline_usec:
			break
	if state == State.CONNECTING and connection.has_settings and connection.error == "":
		_set_state(State.READY)
		_start_waiting_calls()
		if _connection != connection:
			return
	if connection.error != "":
		_socket.write(connection.take_output())
		_fail(connection.error)
	elif _socket.state == ClientSocket.State.CLOSED and not _has_input:
		_fail(_socket.error)
	elif connection.is_going_away and connection.stream_count() == 0:
		_fail("the runtime is shutting down")
	elif state == State.CONNECTING and Time.get_ticks_usec() > _connect_deadline_usec:
		_fail("no gRPC answer from %s:%d: is the Townsfolk runtime there?" % [_host, _port])


func _start_waiting_calls() -> void:
	while state == State.READY and not _waiting.is_empty() and _connection.has_room():
		var call: GrpcCall = _waiting.pop_front()
		call.attach(_connection.open_stream(_request_headers(call)))


func _request_headers(call: GrpcCall) -> PackedStringArray:
	var authority := "[%s]:%d" % [_host, _port] if ":" in _host else "%s:%d" % [_host, _port]
	var headers := PackedStringArray(
		[
			":method",
			"POST",
			":scheme",
			"http" if _tls_options == null else "https",
			":path",
			call.path,
			":authority",
			authority,
			"te",
			"trailers",
			"content-type",
			"application/grpc",
			"user-agent",
			USER_AGENT,
		]
	)
	if token != "":
		headers.append_array(["authorization", "Bearer " + token])
	if call.deadline_usec > 0:
		var left := maxi(1, (call.deadline_usec - Time.get_ticks_usec()) / 1000)
		headers.append_array(["grpc-timeout", "%dm" % mini(left, 99999999)])
	for name in call.metadata:
		headers.append_array([name.to_lower(), call.metadata[name]])
	return headers


func _fail(reason: String) -> void:
	error = reason
	if _socket != null:
		_socket.close(reason)
	for call in _calls:
		call.end(GrpcStatus.new(GrpcStatus.Code.UNAVAILABLE, reason))
	var connection := _connection
	_connection = null
	_socket = null
	_has_input = false
	if connection != null:
		connection.abort(reason)
	_set_state(State.FAILED)


func _set_state(new_state: State) -> void:
	if state != new_state:
		state = new_state
		state_changed.emit(state)
