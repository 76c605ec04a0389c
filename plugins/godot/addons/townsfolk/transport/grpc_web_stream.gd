## One call of a GrpcWebChannel: a POST over HTTP/1.1 whose answer comes in pieces.
##
## On the web HTTPClient is the browser's fetch(). There an answer that is given up is not cut off:
## the engine has no way to abort a fetch, so the server goes on until it has said all.
@tool
extends RefCounted

## The answer's headers have come; the second list is the trailers. Flat: name, value, name, value.
signal headers_received(headers: PackedStringArray)
## The answer is whole. For a broken one see [member error].
signal closed(error_code: int, message: String)

const GrpcWebBody := preload("grpc_web_body.gd")
const Http2Frame := preload("http2_frame.gd")

## What is read at once; also the largest piece that one message of the browser can bring.
const READ_SIZE := 65536

## Takes a piece of the body: func(buffer: PackedByteArray, start: int, stop: int).
var take_data := Callable()
## Why the call has broken; empty as long as it has not.
var error := ""
## The server has answered, so it is there.
var has_answer := false
var is_closed := false
## Whether the answer streams: see GrpcWebChannel.MAX_CONNECTIONS.
var streams_answers := true
## Whether HTTPClient is the browser's fetch().
var is_web := OS.has_feature("web")

var _client := HTTPClient.new()
var _path: String
var _headers: PackedStringArray
var _name: String  # of the server, for messages
var _request := PackedByteArray()
var _is_request_whole := false
var _is_sent := false
var _connect_deadline_usec: int
var _body := GrpcWebBody.new()
var _has_status := false  # in the headers: an answer without messages may have it there


func _init(path: String, headers: PackedStringArray) -> void:
	_path = path
	_headers = headers
	_client.read_chunk_size = READ_SIZE


## Begins to connect.
func open(host: String, port: int, tls_options: TLSOptions, timeout_seconds: float) -> void:
	_name = "%s:%d" % [host, port]
	_connect_deadline_usec = Time.get_ticks_usec() + int(timeout_seconds * 1e6)
	if _client.connect_to_host(host, port, tls_options) != OK:
		_fail("can't connect to %s" % _name)


## Adds to the request; it goes out when it is whole.
func send(bytes: PackedByteArray, end_stream: bool) -> void:
	_request.append_array(bytes)
	_is_request_whole = _is_request_whole or end_stream


## Gives the call up.
func reset() -> void:
	is_closed = true
	_client.close()


## Moves the call on, until the clock passes the deadline; reads at least one piece.
func poll(deadline_usec: int) -> void:
	var status := _client.get_status()
	if status != HTTPClient.STATUS_BODY:
		status = _poll_request(status)
	while not is_closed and status == HTTPClient.STATUS_BODY:
		# This alone also notices the end: polling the client would cost as much again.
		var piece := _client.read_response_body_chunk()
		status = _client.get_status()
		if not piece.is_empty():
			_take_piece(piece)
		elif status == HTTPClient.STATUS_BODY:
			return
		if not is_closed and status != HTTPClient.STATUS_BODY:
			_check(status)
		if Time.get_ticks_usec() >= deadline_usec:
			return


# Until the answer's body begins. On the web this gets on only from frame to frame.
func _poll_request(status: HTTPClient.Status) -> HTTPClient.Status:
	var before := -1
	while not is_closed and status != before:
		before = status
		_client.poll()
		status = _client.get_status()
		if _is_sent and not has_answer and _client.has_response():
			_take_headers()
		elif status == HTTPClient.STATUS_CONNECTED and not _is_sent and _is_request_whole:
			_send_request()
		_check(status)
		if is_web or status == HTTPClient.STATUS_BODY:
			break
	return status


func _send_request() -> void:
	_is_sent = true
	if _client.request_raw(HTTPClient.METHOD_POST, _path, _headers, _request) != OK:
		_fail("the request to %s can't be sent" % _name)
	_request = PackedByteArray()


func _check(status: HTTPClient.Status) -> void:
	match status:
		HTTPClient.STATUS_CANT_RESOLVE:
			_fail("no address is known for the host of %s" % _name)
		HTTPClient.STATUS_CANT_CONNECT:
			_fail("can't connect to %s: is the Townsfolk runtime there, with --web-port?" % _name)
		HTTPClient.STATUS_TLS_HANDSHAKE_ERROR:
			_fail("the TLS handshake with %s failed: is its certificate trusted?" % _name)
		HTTPClient.STATUS_CONNECTION_ERROR:
			_fail_answer()
		HTTPClient.STATUS_DISCONNECTED:
			# On the web every answer ends so.
			if is_web and has_answer:
				_finish()
			elif _is_sent:
				_fail_answer()
		HTTPClient.STATUS_CONNECTED:
			if has_answer:
				_finish()
		HTTPClient.STATUS_RESOLVING, HTTPClient.STATUS_CONNECTING:
			if Time.get_ticks_usec() > _connect_deadline_usec:
				_fail("no answer from %s: is the Townsfolk runtime there?" % _name)


func _fail_answer() -> void:
	if has_answer:
		_fail("the connection to %s was closed" % _name)
	elif is_web:
		_fail(
			(
				(
					"no answer from %s: is the Townsfolk runtime there, and does its --web-origins "
					+ "allow this page?"
				)
				% _name
			)
		)
	else:
		_fail("%s gave no HTTP answer: is the Townsfolk runtime there, with --web-port?" % _name)


func _take_headers() -> void:
	has_answer = true
	var headers := PackedStringArray([":status", str(_client.get_response_code())])
	for line in _client.get_response_headers():
		var colon := line.find(":")
		if colon > 0:
			headers.append(line.left(colon).strip_edges().to_lower())
			headers.append(line.substr(colon + 1).strip_edges())
	_has_status = "grpc-status" in headers
	headers_received.emit(headers)


func _take_piece(piece: PackedByteArray) -> void:
	var messages := _body.push(piece)
	if not messages.is_empty() and take_data.is_valid():
		take_data.call(messages, 0, messages.size())
	if is_closed:
		return
	if _body.error != "":
		_fail("%s sent %s" % [_name, _body.error])
	elif _body.is_whole:
		_finish()


func _finish() -> void:
	if not _has_status:
		_body.finish()
	if _body.error != "":
		_fail("%s: %s" % [_name, _body.error])
		return
	is_closed = true
	_client.close()
	if not _has_status:
		headers_received.emit(_body.trailers)
	closed.emit(Http2Frame.ErrorCode.NO_ERROR, "")


func _fail(reason: String) -> void:
	if not is_closed:
		error = reason
		reset()
