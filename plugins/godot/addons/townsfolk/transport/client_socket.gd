## A TCP or TLS connection that never blocks: name look-up, connect, handshake, reading, writing.
@tool
extends RefCounted

enum State { CONNECTING, OPEN, CLOSED }

## The most that is read from the socket at once.
const READ_SIZE := 65536
## TLS demands that an unfinished write is repeated with the same bytes, so they go in pieces.
const WRITE_SIZE := 16384

var state := State.CONNECTING
## Why the connection is closed.
var error := ""

var _host: String
var _port: int
var _tls_options: TLSOptions
var _resolver := -1
var _tcp: StreamPeerTCP
var _tls: StreamPeerTLS
var _unsent := PackedByteArray()
var _unsent_start := 0


func _init(host: String, port: int, tls_options: TLSOptions) -> void:
	_host = host
	_port = port
	_tls_options = tls_options
	if host.is_valid_ip_address():
		_connect_to(host)
	elif host == "localhost":
		# Answered here, because the system's resolver may take seconds on a machine without network.
		_connect_to("127.0.0.1")
	else:
		_resolver = IP.resolve_hostname_queue_item(host)


## Moves the connection on.
func poll() -> void:
	if state == State.CONNECTING:
		_poll_connecting()
	elif state == State.OPEN and _tls != null:
		_tls.poll()
		if _tls.get_status() != StreamPeerTLS.STATUS_CONNECTED:
			_close_lost()


## Takes what has come.
func read() -> PackedByteArray:
	if state != State.OPEN:
		return PackedByteArray()
	var peer := _peer()
	var available := mini(peer.get_available_bytes(), READ_SIZE)
	if available <= 0:
		# Only now asked, as it costs a frame with input as much again.
		if _tls == null:
			_tcp.poll()
			if _tcp.get_status() != StreamPeerTCP.STATUS_CONNECTED:
				_close_lost()
		return PackedByteArray()
	var result := peer.get_partial_data(available)
	if result[0] != OK:
		_close_lost()
		return PackedByteArray()
	return result[1]


## Sends as much as the socket takes and keeps the rest.
func write(bytes: PackedByteArray) -> void:
	if not bytes.is_empty():
		_unsent = _unsent.slice(_unsent_start)
		_unsent_start = 0
		_unsent.append_array(bytes)
	while state == State.OPEN and _unsent_start < _unsent.size():
		var piece := _unsent.slice(_unsent_start, _unsent_start + WRITE_SIZE)
		var result := _peer().put_partial_data(piece)
		if result[0] != OK:
			_close_lost()
			return
		_unsent_start += result[1]
		if result[1] < piece.size():
			return


func close(reason: String) -> void:
	if state == State.CLOSED:
		return
	state = State.CLOSED
	error = reason
	if _resolver >= 0:
		IP.erase_resolve_item(_resolver)
		_resolver = -1
	if _tls != null:
		_tls.disconnect_from_stream()
	if _tcp != null:
		_tcp.disconnect_from_host()


func _close_lost() -> void:
	close("the connection to %s was closed" % _name())


func _poll_connecting() -> void:
	if _resolver >= 0:
		_poll_resolver()
	elif _tls != null:
		_poll_tls()
	elif _tcp != null:
		_poll_tcp()


func _poll_resolver() -> void:
	match IP.get_resolve_item_status(_resolver):
		IP.RESOLVER_STATUS_DONE:
			var address := IP.get_resolve_item_address(_resolver)
			IP.erase_resolve_item(_resolver)
			_resolver = -1
			_connect_to(address)
		IP.RESOLVER_STATUS_ERROR, IP.RESOLVER_STATUS_NONE:
			close("no address is known for the host name %s" % _host)


func _poll_tcp() -> void:
	_tcp.poll()
	match _tcp.get_status():
		StreamPeerTCP.STATUS_CONNECTED:
			_tcp.set_no_delay(true)
			if _tls_options == null:
				state = State.OPEN
			else:
				_tls = StreamPeerTLS.new()
				if _tls.connect_to_stream(_tcp, _host, _tls_options) != OK:
					_fail_handshake()
		StreamPeerTCP.STATUS_ERROR, StreamPeerTCP.STATUS_NONE:
			close("can't connect to %s: is the Townsfolk runtime running there?" % _name())


func _poll_tls() -> void:
	_tls.poll()
	match _tls.get_status():
		StreamPeerTLS.STATUS_CONNECTED:
			state = State.OPEN
		StreamPeerTLS.STATUS_ERROR_HOSTNAME_MISMATCH:
			close("the TLS certificate is not for the host name %s" % _host)
		StreamPeerTLS.STATUS_ERROR, StreamPeerTLS.STATUS_DISCONNECTED:
			_fail_handshake()


func _fail_handshake() -> void:
	close("the TLS handshake with %s failed: is its certificate trusted?" % _name())


func _connect_to(address: String) -> void:
	_tcp = StreamPeerTCP.new()
	if _tcp.connect_to_host(address, _port) != OK:
		close("can't connect to %s" % _name())


func _peer() -> StreamPeer:
	return _tcp if _tls == null else _tls


func _name() -> String:
	return "%s:%d" % [_host, _port]
