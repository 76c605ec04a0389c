# Calls the Python transport server; see tests/godot/transport_server.py.
extends "res://drivers/driver.gd"

const Dialogue := preload("res://addons/townsfolk/generated/dialogue.gd")
const GrpcCall := preload("res://addons/townsfolk/transport/grpc_call.gd")
const GrpcChannel := preload("res://addons/townsfolk/transport/grpc_channel.gd")
const GrpcWebChannel := preload("res://addons/townsfolk/transport/grpc_web_channel.gd")
const Http2Channel := preload("res://addons/townsfolk/transport/http2_channel.gd")
const Townsfolk := preload("res://addons/townsfolk/generated/townsfolk.gd")

var _channel: GrpcChannel
var _client: Townsfolk.TownsfolkServiceClient
var _budget_usec := 1000


func _ready() -> void:
	var address := arguments[0]
	if address.begins_with("web:"):
		_channel = GrpcWebChannel.new(address.trim_prefix("web:"))
	else:
		_channel = Http2Channel.new(address)
	_client = Townsfolk.TownsfolkServiceClient.new(_channel)


func _process(_delta: float) -> void:
	_channel.poll(_budget_usec)


func _exit_tree() -> void:
	_channel.close()


func unary() -> void:
	var info: Townsfolk.GetRuntimeInfoResponse = await _info().response()
	report("answer", {"model": info.model, "parameters": info.parameters})


func server_streaming() -> void:
	var call := _generate("count 100")
	var texts: Array[String] = []
	call.message_received.connect(
		func(piece: Townsfolk.GenerateResponse) -> void: texts.append(piece.text.text)
	)
	await call.wait()
	_report_status(call, {"texts": texts, "trailer": call.trailing_metadata.get("x-count")})


func client_streaming() -> void:
	var call := _channel.start_call(
		"/townsfolk.test.Transport/Collect", Townsfolk.GetSessionResponse
	)
	for number in 50:
		var request := Townsfolk.ConverseRequest.new()
		request.notify = "n%d" % number
		call.send(request)
	call.close_send()
	var answer: Townsfolk.GetSessionResponse = await call.response()
	_report_status(call, {"collected": answer.current_turn_id})


func bidirectional() -> void:
	var call := _client.converse()
	var heard: Array[String] = []
	call.message_received.connect(
		func(answer: Townsfolk.ConverseResponse) -> void:
			heard.append(answer.event.notified.text)
			if heard.size() < 5:
				_notify(call, "again %d" % heard.size())
			else:
				call.close_send()
	)
	_notify(call, "first ünï 🍺")
	await call.wait()
	_report_status(call, {"heard": heard})


func errors() -> void:
	for kind: String in arguments.slice(1):
		var call := _generate(kind)
		await call.wait()
		_report_status(call)
	var unknown := _channel.start_call(
		"/townsfolk.v1.TownsfolkService/Nothing", Townsfolk.GetSessionResponse
	)
	unknown.send(Townsfolk.GetSessionRequest.new())
	unknown.close_send()
	await unknown.wait()
	_report_status(unknown)
	# The connection lives on after all of these.
	await unary()


func deadline() -> void:
	var request := Townsfolk.GenerateRequest.new()
	request.text = "hang"
	var call := _client.generate(request, 0.3)
	await call.wait()
	_report_status(call)
	await unary()


func cancel() -> void:
	var call := _generate("hang")
	await call.message_received
	call.cancel()
	await call.wait()
	_report_status(call)
	var response: Townsfolk.GetRuntimeInfoResponse = null
	while response == null or response.device != "cancelled 1":
		response = await _info().response()
	report("server saw it")


func metadata() -> void:
	_channel.token = "sesame"
	var extra: Dictionary[String, String] = {"x-player": "Anna", "x-raw-bin": "AAEC/w"}
	var call := _client.get_runtime_info(Townsfolk.GetRuntimeInfoRequest.new(), 7.0, extra)
	var info: Townsfolk.GetRuntimeInfoResponse = await call.response()
	report(
		"answer",
		{"seen": info.model, "initial": call.initial_metadata, "trailing": call.trailing_metadata}
	)


func big_messages() -> void:
	for size: int in [100_000, 3_000_000]:
		var call := _generate("x".repeat(size))
		var sizes: Array[int] = []
		call.message_received.connect(
			func(piece: Townsfolk.GenerateResponse) -> void: sizes.append(piece.text.text.length())
		)
		await call.wait()
		_report_status(call, {"sizes": sizes})


func many_streams() -> void:
	if _channel is GrpcWebChannel:
		(_channel as GrpcWebChannel).max_connections = 20
	var calls: Array[GrpcCall] = []
	var counts: Array[int] = []
	for number in 250:
		var call := _generate("count %d" % (number % 7 + 1))
		call.message_received.connect(
			func(_piece: Townsfolk.GenerateResponse) -> void: counts[number] += 1
		)
		counts.append(0)
		calls.append(call)
	for call in calls:
		await call.wait()
	var wrong: Array[String] = []
	for number in 250:
		if counts[number] != number % 7 + 1 or not calls[number].status.is_ok():
			var status := calls[number].status
			wrong.append("%d: %d answers, %s" % [number, counts[number], status.message])
	await get_tree().process_frame
	report("all done", {"wrong": wrong, "left": _channel.call_count()})


func echo() -> void:
	var call := _generate("say it again")
	var texts: Array[String] = []
	call.message_received.connect(
		func(piece: Townsfolk.GenerateResponse) -> void: texts.append(piece.text.text)
	)
	await call.wait()
	_report_status(call, {"texts": texts})


# Every frame must come back within the budget although the server sends as fast as it can.
func time_budget() -> void:
	_budget_usec = 500
	var call := _generate("count 20000")
	var received := [0]
	var most := [0]
	var this_frame := [0]
	call.message_received.connect(
		func(_piece: Townsfolk.GenerateResponse) -> void:
			received[0] += 1
			this_frame[0] += 1
	)
	while call.status == null:
		await get_tree().process_frame
		most[0] = maxi(most[0], this_frame[0])
		this_frame[0] = 0
	_report_status(call, {"received": received[0], "frames_shared_it": most[0] < 10000})


func no_server() -> void:
	var call := _info()
	await call.wait()
	_report_status(call)
	await _info().wait()
	report("still here", {"error": _channel.error})


func server_dies() -> void:
	var call := _generate("hang")
	await call.message_received
	var die := _generate("die")
	await call.wait()
	await die.wait()
	_report_status(call)
	_report_status(die)


func drained() -> void:
	var call := _generate("drain")
	await call.wait()
	_report_status(call)
	var after := _info()
	await after.wait()
	_report_status(after)


func garbage() -> void:
	_channel.connect_timeout_seconds = arguments[1].to_float()
	var call := _info()
	await call.wait()
	_report_status(call)


func _info() -> GrpcCall:
	return _client.get_runtime_info(Townsfolk.GetRuntimeInfoRequest.new())


func _generate(text: String) -> GrpcCall:
	var request := Townsfolk.GenerateRequest.new()
	request.text = text
	return _client.generate(request)


func _notify(call: GrpcCall, text: String) -> void:
	var request := Townsfolk.ConverseRequest.new()
	request.notify = text
	call.send(request)


func _report_status(call: GrpcCall, details := {}) -> void:
	report("status", {"code": call.status.code, "message": call.status.message}.merged(details))


# A server that was heard of and then is silent is given up; one that answers pings is not. The
# second argument is how long it may take to answer.
func silence() -> void:
	var channel := _channel as Http2Channel
	channel.keepalive_seconds = 0.2
	channel.keepalive_timeout_seconds = arguments[1].to_float()
	var call := _generate("hang")
	var answered := 0
	var was_pinged := false
	while call.status == null and answered < 3:
		await get_tree().process_frame
		var is_pinged: bool = channel.get("_is_pinged")
		answered += int(was_pinged and not is_pinged and call.status == null)
		was_pinged = is_pinged
	if call.status == null:
		report("still open", {"error": channel.error})
	else:
		_report_status(call)


# As in a browser: calls get on once a frame, and those that stream leave a connection to the
# short ones.
func six_connections() -> void:
	(_channel as GrpcWebChannel).is_web = true
	(_channel as GrpcWebChannel).max_connections = GrpcWebChannel.BROWSER_CONNECTIONS
	var calls: Array[GrpcCall] = []
	var answered := [0]
	for number in 8:
		var call := _generate("hang")
		call.message_received.connect(
			func(_piece: Townsfolk.GenerateResponse) -> void: answered[0] += 1
		)
		calls.append(call)
	await unary()
	while answered[0] < 5:
		await get_tree().process_frame
	await unary()
	report("hanging", {"answered": answered[0]})
	for call in calls:
		call.cancel()
	for call in calls:
		await call.wait()
	await get_tree().process_frame
	report("over", {"left": _channel.call_count()})


func streamed_requests() -> void:
	var call := _client.converse()
	_notify(call, "hello")
	call.close_send()
	await call.wait()
	_report_status(call)


# As unary(), encrypted; the second argument is the certificate to trust.
func encrypted() -> void:
	var certificate := X509Certificate.new()
	certificate.load(arguments[1])
	_channel.close()
	var address := arguments[0].replace("127.0.0.1", "localhost")
	_channel = Http2Channel.new(address, TLSOptions.client(certificate))
	_client = Townsfolk.TownsfolkServiceClient.new(_channel)
	var call := _info()
	var info: Townsfolk.GetRuntimeInfoResponse = await call.response()
	_report_status(call, {"parameters": 0 if info == null else info.parameters})
