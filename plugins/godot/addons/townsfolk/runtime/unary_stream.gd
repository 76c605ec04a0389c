## A session over single calls, for gRPC-Web, which can't stream requests: OpenSession, then Say for
## each turn, and short calls beside it.
##
## Calls go over connections of their own and can overtake each other, so here they wait for each
## other where their order counts: a turn for the turn before it and for all short calls, a short
## call for the one before it, an interruption for the begin of the turn that it cuts off.
@tool
extends "session_stream.gd"

const EventCase := Dialogue.SessionEvent.EventCase
const RequestCase := Townsfolk.ConverseRequest.RequestCase
const Code := GrpcStatus.Code

## What a short call may take.
const TIMEOUT_SECONDS := 10.0
## With these a request was refused; the session lives on.
const REFUSALS: Array[Code] = [
	Code.INVALID_ARGUMENT,
	Code.ALREADY_EXISTS,
	Code.RESOURCE_EXHAUSTED,
	Code.FAILED_PRECONDITION,
	Code.OUT_OF_RANGE,
	Code.DEADLINE_EXCEEDED,
	Code.INTERNAL,
	Code.UNKNOWN,
]

var _session_id := ""
var _turns: Array[Dialogue.Utterance] = []  # wait to be said
var _requests: Array[Townsfolk.ConverseRequest] = []  # wait to be made as short calls
var _say: GrpcCall  # the turn that is being answered
var _say_turn_id := ""
var _has_begun := false  # of that turn something has come
var _has_ended := false  # of that turn the last event has come
var _short_call: GrpcCall
var _is_over := false


func send(request: Townsfolk.ConverseRequest) -> void:
	match request.request_case:
		RequestCase.OPEN:
			var opening := Townsfolk.OpenSessionRequest.new()
			opening.open = request.open
			_make_short_call(_client.open_session(opening, TIMEOUT_SECONDS), _on_opened)
		RequestCase.SAY:
			_turns.append(request.say)
			_go_on()
		RequestCase.INTERRUPT:
			_interrupt(request)
		_:
			_requests.append(request)
			_go_on()


func close() -> void:
	_is_over = true
	_turns.clear()
	_requests.clear()
	if _say != null:
		_say.cancel()
	if _session_id != "":
		_close_session()


func is_busy() -> bool:
	return _short_call != null or not _requests.is_empty()


func _go_on() -> void:
	if _is_over or _short_call != null or _session_id == "":
		return
	if not _requests.is_empty() and (_say == null or _has_begun or not _is_interrupt(0)):
		_make_request(_requests.pop_front() as Townsfolk.ConverseRequest)
	elif _say == null and not _turns.is_empty():
		_say_next()


func _is_interrupt(place: int) -> bool:
	return _requests[place].request_case == RequestCase.INTERRUPT


func _make_short_call(call: GrpcCall, on_answer: Callable) -> void:
	_short_call = call
	# A lambda, unlike a method, keeps this object until the answer comes. It must not keep the call.
	call.finished.connect(
		func(status: GrpcStatus) -> void:
			var answer := _short_call.last_message
			_short_call = null
			on_answer.call(status, answer)
			_go_on()
	)


func _make_request(request: Townsfolk.ConverseRequest) -> void:
	var on_answer := _on_answered.bind(request)
	match request.request_case:
		RequestCase.NOTIFY:
			var notifying := Townsfolk.NotifySessionRequest.new()
			notifying.session_id = _session_id
			notifying.text = request.notify
			_make_short_call(_client.notify_session(notifying, TIMEOUT_SECONDS), on_answer)
		RequestCase.RECORD:
			var recording := Townsfolk.RecordLinesRequest.new()
			recording.session_id = _session_id
			recording.recorded = request.record
			_make_short_call(_client.record_lines(recording, TIMEOUT_SECONDS), on_answer)
		RequestCase.UPDATE_PRIORITY:
			var updating := Townsfolk.UpdateSessionRequest.new()
			updating.session_id = _session_id
			updating.priority = request.update_priority
			_make_short_call(_client.update_session(updating, TIMEOUT_SECONDS), on_answer)
		RequestCase.INTERRUPT:
			var interrupting := Townsfolk.InterruptSessionRequest.new()
			interrupting.session_id = _session_id
			interrupting.interrupt = request.interrupt
			_make_short_call(_client.interrupt_session(interrupting, TIMEOUT_SECONDS), on_answer)


func _interrupt(request: Townsfolk.ConverseRequest) -> void:
	var turn_id := request.interrupt.turn_id
	# With no turn under way the newest answer may be heard only in part.
	var is_late := _say == null and _turns.is_empty() and request.interrupt.has_heard_characters
	for waiting: Dialogue.Utterance in _turns.duplicate():
		if turn_id == "" or turn_id == waiting.turn_id:
			_turns.erase(waiting)
			# Later, as from the runtime: nothing ends inside the call that interrupts.
			_emit_interrupted.call_deferred(waiting.turn_id)
			if turn_id != "":
				return
	var is_saying := _say != null and (turn_id == "" or turn_id == _say_turn_id)
	if is_saying and not _say.is_attached():
		# It waits for a connection: the runtime does not know of it.
		_has_ended = true
		_say.cancel()
		_emit_interrupted.call_deferred(_say_turn_id)
	elif turn_id != "" or _say != null or is_late:
		_requests.append(request)
		_go_on()


func _say_next() -> void:
	var request := Townsfolk.SayRequest.new()
	request.session_id = _session_id
	request.utterance = _turns.pop_front()
	_say_turn_id = request.utterance.turn_id
	_has_begun = false
	_has_ended = false
	_say = _client.say(request)
	_say.take_answer = _take_answer
	_say.message_received.connect(_on_said)
	_say.finished.connect(func(status: GrpcStatus) -> void: _on_say_finished(status))


func _take_answer(buffer: PackedByteArray, start: int, stop: int) -> bool:
	return not _is_over and take_answer.is_valid() and take_answer.call(buffer, start, stop)


func _on_opened(status: GrpcStatus, response: Townsfolk.OpenSessionResponse) -> void:
	if status.is_ok() and response != null and response.opened != null:
		_session_id = response.opened.session_id
		if _is_over:
			_close_session()
			return
		var event := Dialogue.SessionEvent.new()
		event.opened = response.opened
		_emit_event(event)
	else:
		_finish(status)


func _on_answered(
	status: GrpcStatus, response: RefCounted, request: Townsfolk.ConverseRequest
) -> void:
	if status.is_ok():
		var answer := response as Townsfolk.InterruptSessionResponse
		if answer != null and request.interrupt.has_heard_characters and not _is_over:
			cut_answered.emit(answer.turn_ids, request.interrupt.heard_characters)
		if request.request_case == RequestCase.NOTIFY:
			var event := Dialogue.SessionEvent.new()
			event.notified = Dialogue.Notified.new()
			event.notified.text = request.notify
			_emit_event(event)
		var recorded := response as Townsfolk.RecordLinesResponse
		if recorded != null:
			var event := Dialogue.SessionEvent.new()
			event.recorded = recorded.recorded
			_emit_event(event)
	elif status.code in REFUSALS:
		_emit_error("", status.message)
	else:
		_finish(status)


func _on_said(response: Townsfolk.SayResponse) -> void:
	if response.event == null or _is_over:
		return
	_has_begun = true
	match response.event.event_case:
		EventCase.TURN_FINISHED, EventCase.TURN_INTERRUPTED, EventCase.ERROR:
			_has_ended = true
	_emit_event(response.event)
	_go_on()


func _on_say_finished(status: GrpcStatus) -> void:
	_say = null
	if status.is_ok() and not _has_ended:
		_emit_error(_say_turn_id, "the answer has no end")
	elif status.code in REFUSALS and not _has_ended:
		_emit_error(_say_turn_id, status.message)
	elif not status.is_ok() and not _has_ended:
		_finish(status)
	_go_on()


func _close_session() -> void:
	var request := Townsfolk.CloseSessionRequest.new()
	request.session_id = _session_id
	_client.close_session(request, TIMEOUT_SECONDS)


func _emit_interrupted(turn_id: String) -> void:
	var event := Dialogue.SessionEvent.new()
	event.turn_interrupted = Dialogue.TurnInterrupted.new()
	event.turn_interrupted.turn_id = turn_id
	_emit_event(event)


func _emit_error(turn_id: String, message: String) -> void:
	var event := Dialogue.SessionEvent.new()
	event.error = Dialogue.SessionError.new()
	event.error.turn_id = turn_id
	event.error.message = message
	_emit_event(event)


func _emit_event(event: Dialogue.SessionEvent) -> void:
	if not _is_over:
		event_received.emit(event)


func _finish(status: GrpcStatus) -> void:
	if _is_over:
		return
	_is_over = true
	if _say != null:
		_say.cancel()
	finished.emit(status)
