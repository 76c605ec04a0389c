## A session over one Converse call: a stream both ways.
@tool
extends "session_stream.gd"

var _call: GrpcCall


func send(request: Townsfolk.ConverseRequest) -> void:
	if _call == null:
		_call = _client.converse()
		_call.take_answer = take_answer
		_call.message_received.connect(_on_message_received)
		_call.finished.connect(_on_call_finished)
	_call.send(request)


func close() -> void:
	_call.message_received.disconnect(_on_message_received)
	_call.finished.disconnect(_on_call_finished)
	_call.take_answer = Callable()
	var request := Townsfolk.ConverseRequest.new()
	request.close = true
	_call.send(request)
	_call.close_send()


func _on_message_received(response: Townsfolk.ConverseResponse) -> void:
	if response.event != null:
		event_received.emit(response.event)


func _on_call_finished(status: GrpcStatus) -> void:
	finished.emit(status)
