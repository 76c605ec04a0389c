## gRPC over one HTTP/2 connection (RFC 9113), over TCP or TLS.
##
## With TLS options the connection is encrypted; Godot can't offer ALPN, so the server must do
## without (see the add-on's README).
@tool
extends "grpc_channel.gd"

const ClientSocket := preload("client_socket.gd")
const Http2Connection := preload("http2_connection.gd")

const DEFAULT_PORT := 50151
## After so much silence while calls are under way, the server is pinged. Servers take more for an
## attack: grpc's own refuse pings that come often.
const KEEPALIVE_SECONDS := 15.0
## A server that has not answered a ping after this is gone, whatever its connection says.
const KEEPALIVE_TIMEOUT_SECONDS := 10.0
## A call that the server refuses unseen goes out again so many times, each after twice the wait. A
## server under load refuses what its own limit allows: it counts calls whose end it has sent.
const MAX_REFUSALS := 9
const FIRST_WAIT_USEC := 10_000
const ALPN_HINT := (
	" A server that insists on ALPN, as Townsfolk's gRPC port does, needs a proxy that takes TLS off, "
	+ "or the transport gRPC-Web."
)

## See KEEPALIVE_SECONDS and KEEPALIVE_TIMEOUT_SECONDS.
var keepalive_seconds := KEEPALIVE_SECONDS
var keepalive_timeout_seconds := KEEPALIVE_TIMEOUT_SECONDS

var _socket: ClientSocket
var _connection: Http2Connection
var _has_input := false
var _connect_deadline_usec: int
var _heard_at_usec := 0  # when something came last, or when calls began
var _is_pinged := false


func _init(address: String, tls_options: TLSOptions = null) -> void:
	super(address, tls_options, DEFAULT_PORT)


func _open() -> void:
	_connection = Http2Connection.new()
	_connection.room_changed.connect(_start_waiting_calls)
	_socket = ClientSocket.new(_host, _port, _tls_options)
	_connect_deadline_usec = Time.get_ticks_usec() + int(connect_timeout_seconds * 1e6)


func _poll_network(now: int, deadline_usec: int) -> void:
	if _socket == null:
		return
	var connection := _connection
	_socket.poll()
	while _socket.state == ClientSocket.State.OPEN or _has_input:
		# While frames wait, nothing is read: the server is held back by TCP's own flow control.
		var may_have_more := true
		if not _has_input:
			var bytes := _socket.read()
			if bytes.is_empty():
				break
			_heard_at_usec = now
			_is_pinged = false
			may_have_more = bytes.size() == ClientSocket.READ_SIZE
			connection.receive(bytes)
		_has_input = connection.process(deadline_usec)
		if _connection != connection:  # a signal handler has closed the channel
			return
		if connection.error != "" or not (may_have_more or _has_input):
			break
		if Time.get_ticks_usec() >= deadline_usec:
			break
	if state == State.CONNECTING and connection.has_settings and connection.error == "":
		_set_state(State.READY)
		_start_waiting_calls()
	elif not _waiting.is_empty():
		_start_waiting_calls()
	if _connection == connection:
		_check_connection(now)


func _check_connection(now: int) -> void:
	if _connection.error != "":
		_socket.write(_connection.take_output())
		_fail(_connection.error)
	elif _socket.state == ClientSocket.State.CLOSED and not _has_input:
		var is_tls_problem := _tls_options != null and state == State.CONNECTING
		_fail(_socket.error + (ALPN_HINT if is_tls_problem else ""))
	elif _connection.is_going_away and _connection.stream_count() == 0:
		_fail("the runtime is shutting down")
	elif state == State.CONNECTING and now > _connect_deadline_usec:
		_fail("no gRPC answer from %s:%d: is the Townsfolk runtime there?" % [_host, _port])
	elif state == State.READY:
		_keep_alive(now)


func _keep_alive(now: int) -> void:
	if _connection.stream_count() == 0 or _has_input:
		_heard_at_usec = now
	var silent_seconds := (now - _heard_at_usec) / 1e6
	if _is_pinged and silent_seconds > keepalive_seconds + keepalive_timeout_seconds:
		_fail("the runtime at %s:%d does not answer any more" % [_host, _port])
	elif not _is_pinged and silent_seconds > keepalive_seconds:
		_is_pinged = true
		_connection.ping()


func _flush() -> void:
	if _socket != null and _socket.state == ClientSocket.State.OPEN:
		_socket.write(_connection.take_output())


func _shut(reason: String, is_orderly: bool) -> void:
	var connection := _connection
	var socket := _socket
	_connection = null
	_socket = null
	_has_input = false
	_is_pinged = false
	if connection != null and is_orderly:
		connection.close()
		socket.write(connection.take_output())
	if socket != null:
		socket.close(reason)
	if connection != null:
		connection.abort(reason)


func _start_waiting_calls() -> void:
	var now := Time.get_ticks_usec()
	var at := 0
	while state == State.READY and at < _waiting.size() and _connection.has_room():
		var call := _waiting[at]
		if now < call.waits_until_usec:
			at += 1
			continue
		_waiting.remove_at(at)
		call.try_again = _wait_once_more
		call.attach(_connection.open_stream(_request_headers(call)))


# Transparent retry (gRPC's proposal A6): nothing of a refused call was done, so that it is safe.
func _wait_once_more(call: GrpcCall) -> bool:
	if _connection == null or _connection.is_going_away or call.refusals > MAX_REFUSALS:
		return false
	var wait_usec := FIRST_WAIT_USEC << (call.refusals - 1)
	call.waits_until_usec = Time.get_ticks_usec() + wait_usec
	_waiting.push_front(call)
	return true


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
	headers.append_array(_call_headers(call))
	return headers
