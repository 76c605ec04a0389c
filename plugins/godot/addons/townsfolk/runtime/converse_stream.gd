## A session over one Converse call: a stream both ways.
@tool
extends "session_stream.gd"

const EventCase := Dialogue.SessionEvent.EventCase
const RequestCase := Townsfolk.ConverseRequest.RequestCase

var _call: GrpcCall
# Requests that one event each answers, in their order.
var _unanswered: Array[Townsfolk.ConverseRequest] = []


func send(request: Townsfolk.ConverseRequest) -> void:
	if _call == null:
		_call = _client.converse()
		_call.take_answer = take_answer
		_call.message_received.connect(_on_message_received)
		_call.finished.connect(_on_call_finished)
	_call.send(request)
	match request.request_case:
		RequestCase.NOTIFY, RequestCase.RECORD, RequestCase.INTERRUPT, RequestCase.UPDATE_PRIORITY:
			_unanswered.append(request)


func close() -> void:
	_call.message_received.disconnect(_on_message_received)
	_call.finished.disconnect(_on_call_finished)
	_call.take_answer = Callable()
	var request := Townsfolk.ConverseRequest.new()
	request.close = true
	_call.send(request)
	_call.close_send()


func is_busy() -> bool:
	return not _unanswered.is_empty()


func _on_message_received(response: Townsfolk.ConverseResponse) -> void:
	if response.event == null:
		return
	match response.event.event_case:
		EventCase.NOTIFIED, EventCase.RECORDED, EventCase.PRIORITY_UPDATED:
			_unanswered.pop_front()
		EventCase.ERROR:
			if response.event.error.turn_id == "":
				_unanswered.pop_front()
		EventCase.INTERRUPTED:
			var request: Townsfolk.ConverseRequest = _unanswered.pop_front()
			if request != null and request.interrupt.has_heard_characters:
				var heard := request.interrupt.heard_characters
				cut_answered.emit(response.event.interrupted.turn_ids, heard)
	event_received.emit(response.event)


func _on_call_finished(status: GrpcStatus) -> void:
	finished.emit(status)
