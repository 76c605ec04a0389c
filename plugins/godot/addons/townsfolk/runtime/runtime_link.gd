## One connection to a runtime: the runtime is greeted, and later asked now and then whether it is
## still there where nothing else would tell.
@tool
extends RefCounted

## The runtime can be spoken to; this is what runs there.
signal opened(info: Townsfolk.GetRuntimeInfoResponse)
## The runtime refuses to be spoken to, and would again.
signal refused(reason: String)
## The connection failed; it is closed.
signal lost(reason: String)

const Contract := preload("contract.gd")
const GrpcChannel := preload("../transport/grpc_channel.gd")
const GrpcStatus := preload("../transport/grpc_status.gd")
const GrpcWebChannel := preload("../transport/grpc_web_channel.gd")
const Http2Channel := preload("../transport/http2_channel.gd")
const Townsfolk := preload("../generated/townsfolk.gd")
const TownsfolkSettings := preload("townsfolk_settings.gd")

const INFO_TIMEOUT_SECONDS := 10.0
## How a runtime ends the first call that would end so again: the token, the contract's version.
const REFUSALS := [
	GrpcStatus.Code.UNAUTHENTICATED,
	GrpcStatus.Code.FAILED_PRECONDITION,
	GrpcStatus.Code.UNIMPLEMENTED,
]
## gRPC-Web has no connection whose end would be noticed: when it is silent for so long, the runtime
## is asked whether it is there.
const WEB_CHECK_SECONDS := 5.0

## The calls of the service; null once the connection is closed.
var client: Townsfolk.TownsfolkServiceClient
## Whether a call can send more than one request.
var can_stream_requests: bool

var _channel: GrpcChannel  # null once the connection is closed
var _is_open := false
var _checked_at_usec := 0


## The one to [param address], encrypted if the settings say so; [param is_own] is a runtime that
## this game started, which listens on this machine only, without TLS.
func _init(address: String, token: String, is_own: bool) -> void:
	var is_encrypted: bool = TownsfolkSettings.read(TownsfolkSettings.USE_TLS)
	var tls_options := _tls_options() if is_encrypted and not is_own else null
	if TownsfolkSettings.uses_grpc_web():
		_channel = GrpcWebChannel.new(address, tls_options)
	else:
		_channel = Http2Channel.new(address, tls_options)
	_channel.token = token.strip_edges()
	_channel.metadata = Contract.metadata()
	_channel.state_changed.connect(_on_channel_state_changed)
	can_stream_requests = _channel.can_stream_requests()
	client = Townsfolk.TownsfolkServiceClient.new(_channel)


## Begins; the signals say how it goes on.
func open() -> void:
	_channel.connect_to_server()


## Ends the connection, and the calls with that reason; no signal comes any more.
func close(reason := "") -> void:
	if _channel == null:
		return
	var channel := _channel
	_channel = null
	_is_open = false
	channel.state_changed.disconnect(_on_channel_state_changed)
	channel.close(reason)
	client = null


## Moves everything on, for about so long. Call it every frame.
func poll(budget_usec: int) -> void:
	_channel.poll(budget_usec)
	if _is_open and not can_stream_requests:
		_check_web_connection()


func _tls_options() -> TLSOptions:
	var path: String = TownsfolkSettings.read(TownsfolkSettings.CA_CERTIFICATE)
	if path == "":
		return TLSOptions.client()
	var certificate := X509Certificate.new()
	certificate.load(path)
	return TLSOptions.client(certificate)


func _on_channel_state_changed(channel_state: GrpcChannel.State) -> void:
	match channel_state:
		GrpcChannel.State.READY:
			_greet()
		GrpcChannel.State.FAILED:
			_lose(_channel.error)


func _greet() -> void:
	var call := client.get_runtime_info(Townsfolk.GetRuntimeInfoRequest.new(), INFO_TIMEOUT_SECONDS)
	var answer := await call.response()
	if _channel == null:
		return
	var advice := "" if answer == null else Contract.advice(answer)
	if answer != null and Contract.works(Contract.OWN, Contract.of_runtime(answer)):
		if advice != "":
			push_warning("Townsfolk: %s" % advice)
		_is_open = true
		opened.emit(answer)
	elif answer != null or call.status.code in REFUSALS:
		var refusal := call.status.message
		if call.status.code == GrpcStatus.Code.UNAUTHENTICATED:
			refusal = "the runtime refuses the token: %s" % refusal
		refused.emit(refusal if advice == "" else advice)
	else:
		_lose(call.status.message)


func _check_web_connection() -> void:
	var now := Time.get_ticks_usec()
	if _channel.call_count() > 0:
		_checked_at_usec = now
	elif now - _checked_at_usec > WEB_CHECK_SECONDS * 1e6:
		_checked_at_usec = now
		var call := client.get_runtime_info(
			Townsfolk.GetRuntimeInfoRequest.new(), INFO_TIMEOUT_SECONDS
		)
		var status := await call.wait()
		# When nobody was there the channel has failed already.
		if not status.is_ok() and _is_open:
			_lose(status.message, status.message)


func _lose(reason: String, told_calls := "") -> void:
	close(told_calls)
	lost.emit(reason)
