## One character's session: its stream, its turns in order, and how it comes back after a loss.
@tool
extends RefCounted

## The session can be spoken to; for the first time or again.
signal opened(is_resumed: bool)
## Something failed that concerns no turn.
signal problem_reported(message: String)

enum State { CLOSED, WAITING_FOR_RUNTIME, OPENING, OPEN }

const Dialogue := preload("../generated/dialogue.gd")
const GrpcStatus := preload("../transport/grpc_status.gd")
const NpcTranscript := preload("npc_transcript.gd")
const PendingTurn := preload("pending_turn.gd")
const PendingTurns := preload("pending_turns.gd")
const SessionAnswers := preload("session_answers.gd")
const SessionOutbox := preload("session_outbox.gd")
const SessionStream := preload("session_stream.gd")
const TextEvent := preload("text_event.gd")
const Townsfolk := preload("../generated/townsfolk.gd")
const TownsfolkRuntime := preload("townsfolk_runtime.gd")
const EventCase := Dialogue.SessionEvent.EventCase

const CHOICE_TIMEOUT_SECONDS := 30.0

var state := State.CLOSED
## The runtime's name for the session; empty before it was opened first.
var session_id := ""
var transcript := NpcTranscript.new()
## What the character says and does, as signals.
var answers: SessionAnswers
var priority := 0
## Whether what comes from the runtime waits here, as the game is paused.
var is_held := false:
	set(value):
		is_held = value
		if not is_held:
			_let_go()

## Whether turns that are asked for wait here, as the character has something else to do. The time
## does not count that they wait.
var is_occupied := false:
	set(value):
		is_occupied = value
		if not is_occupied:
			_send_waiting()

var _runtime: TownsfolkRuntime
var _make_config: Callable  # () -> Dialogue.SessionConfig, without history
var _collect_lore: Callable  # () -> Array[Dialogue.Lore]
var _lore: Array[Dialogue.Lore] = []
var _stream: SessionStream
var _turns := PendingTurns.new()
var _outbox := SessionOutbox.new()
var _held: Array[Callable] = []  # what came meanwhile, in its order


func _init(make_config: Callable, collect_lore: Callable) -> void:
	_make_config = make_config
	_collect_lore = collect_lore
	answers = SessionAnswers.new(_turns, transcript, _answer_action)
	answers.problem_reported.connect(problem_reported.emit)


## Opens the session, as soon as the runtime is ready. The lore is registered before it.
func open(runtime: TownsfolkRuntime) -> void:
	if state != State.CLOSED:
		return
	_runtime = runtime
	state = State.WAITING_FOR_RUNTIME
	_runtime.ready_changed.connect(_on_runtime_ready_changed)
	_runtime.state_changed.connect(_on_runtime_state_changed)
	# Not now: what else is set on the character in this frame belongs to it.
	_open_stream.call_deferred()


## Whether the session is open, or will be as soon as it can.
func is_open() -> bool:
	return state != State.CLOSED


## Ends the session and forgets it in the runtime; turns under way are cut off. What was said stays
## in the transcript, and goes into the next session.
func close() -> void:
	if state == State.CLOSED:
		return
	var was_held := is_held
	is_held = false
	_drop_stream()
	is_held = was_held
	state = State.CLOSED
	session_id = ""
	_runtime.ready_changed.disconnect(_on_runtime_ready_changed)
	_runtime.state_changed.disconnect(_on_runtime_state_changed)
	_outbox.move_unsent(transcript)
	for pending in _turns.all():
		answers.break_off(pending)
		pending.turn.was_interrupted = true
		answers.end(pending)
	transcript.forget_asked()


## Speaks to the character; the answer comes in the turn.
func say(turn: NpcTurn, utterance: Dialogue.Utterance) -> void:
	var pending := _turns.add(turn, utterance)
	if is_occupied:
		return
	if state == State.OPEN:
		_send_turn(pending)
	else:
		_give_up_when_hopeless.call_deferred()


## Has the character choose among texts, once the session is open; await it.
func choose(request: Townsfolk.ChooseRequest) -> NpcChoice:
	while state != State.OPEN:
		if state == State.CLOSED or not _runtime.is_hopeful():
			return NpcChoice.failed(
				"no runtime was started" if _runtime.message == "" else _runtime.message
			)
		await _runtime.get_tree().process_frame
	request.session_id = session_id
	var call := _runtime.client().choose(request, CHOICE_TIMEOUT_SECONDS)
	var answer := await call.response()
	if answer == null:
		return NpcChoice.failed(call.status.message)
	var choice := NpcChoice.from_message(answer)
	if request.remember:
		var asked := request.utterance
		transcript.add_choice(
			answer.turn_id,
			"" if asked == null else asked.speaker,
			"" if asked == null else asked.text,
			choice.text
		)
	return choice


## Tells the character of an event in the world.
func notify_event(text: String) -> void:
	_outbox.notify_event(text)


## Has the character remember lines that a script has spoken.
func record(lines: Array[Dialogue.TranscriptEntry]) -> void:
	if session_id == "" and _stream == null:
		# The session is opened with them.
		transcript.add_lines(lines)
	else:
		_outbox.record(lines)


## Whether a turn was sent that is not over.
func is_answering() -> bool:
	return _turns.is_answering()


## Whether a turn has a deadline, so that [method poll] has to be called.
func has_deadlines() -> bool:
	return _turns.has_deadlines()


## Cuts a turn off, or all of them when it is null; see NpcTurn.interrupt().
func interrupt(turn: NpcTurn, heard_characters: int) -> void:
	var pending := _turns.find_turn(turn)
	if turn == null:
		_send_interrupt("", heard_characters)
	elif pending == null and turn.id != "" and heard_characters >= 0:
		turn.shorten(heard_characters)
		_send_interrupt(turn.id, heard_characters)
	elif pending != null and pending.is_sent:
		_send_interrupt(turn.id, heard_characters)
	for unsent in _turns.unsent():
		if turn == null or unsent == pending:
			unsent.turn.was_interrupted = true
			unsent.turn.finish_reason = NpcTurn.FinishReason.INTERRUPTED
			# From the next frame on, so that nothing ends inside interrupt().
			answers.end.call_deferred(unsent)


## Changes the priority, -100 to 100.
func update_priority(value: int) -> void:
	if value == priority:
		return
	priority = value
	if state == State.OPEN:
		_outbox.update_priority(value)


## Gives up turns whose deadline has passed. Call it every frame when there are deadlines.
func poll() -> void:
	for pending in _turns.all():
		if pending.is_overdue() and (pending.is_sent or not is_occupied):
			answers.fail(pending, "no answer before the deadline")


func _on_runtime_state_changed(_runtime_state: TownsfolkRuntime.State) -> void:
	_give_up_when_hopeless()


func _give_up_when_hopeless() -> void:
	if is_occupied or _runtime.is_hopeful():
		return
	var reason := "no runtime was started" if _runtime.message == "" else _runtime.message
	for pending in _turns.all():
		answers.fail(pending, reason)


func _on_runtime_ready_changed(is_ready: bool) -> void:
	if is_ready:
		_open_stream()


func _open_stream() -> void:
	if state != State.WAITING_FOR_RUNTIME or not _runtime.is_ready():
		return
	state = State.OPENING
	_lore = _collect_lore.call()
	var connection := _runtime.connection_count
	for lore in _lore:
		var error := await _runtime.register_lore(lore.lore_id, lore.text)
		if state != State.OPENING or connection != _runtime.connection_count:
			return
		if error != "":
			_on_open_failed(GrpcStatus.new(GrpcStatus.Code.UNAVAILABLE, error))
			return
	_send_open(session_id != "")


func _send_open(resumes: bool) -> void:
	_stream = _runtime.make_session_stream()
	if _stream == null:
		state = State.WAITING_FOR_RUNTIME
		return
	_stream.take_answer = _take_text
	_stream.event_received.connect(_on_event)
	_stream.cut_answered.connect(_on_cut)
	_stream.finished.connect(_on_stream_finished)
	var request := Townsfolk.ConverseRequest.new()
	request.open = Townsfolk.OpenSession.new()
	request.open.resume = resumes
	if resumes:
		request.open.config = Dialogue.SessionConfig.new()
		request.open.config.session_id = session_id
	else:
		request.open.config = _make_config.call()
		request.open.config.history = transcript.entries
		request.open.config.priority = priority
		for lore in _lore:
			request.open.config.lore_ids.append(lore.lore_id)
		transcript.character = request.open.config.persona.name
	_stream.send(request)


# Nearly all that comes. The turn needs no look-up: a session's answers come one after the other.
func _take_text(buffer: PackedByteArray, start: int, stop: int) -> bool:
	var text := "" if is_held else TextEvent.read(buffer, start, stop)
	if text == "":
		return false
	answers.add_text(_turns.speaking, text)
	return true


func _let_go() -> void:
	var held := _held
	_held = []
	for handle in held:
		handle.call()


func _on_event(event: Dialogue.SessionEvent) -> void:
	if is_held:
		_held.append(_on_event.bind(event))
		return
	if event.event_case == EventCase.OPENED:
		_on_opened(event.opened)
	else:
		answers.take(event)


func _answer_action(is_done: bool, text: String, action_id: String) -> void:
	if _runtime.client() == null:
		return
	var request := Townsfolk.AnswerActionRequest.new()
	request.session_id = session_id
	request.action_id = action_id
	if is_done:
		request.accept = text
	else:
		request.reject = text
	_runtime.client().answer_action(request, CHOICE_TIMEOUT_SECONDS)


func _on_opened(event: Dialogue.SessionOpened) -> void:
	session_id = event.session_id
	state = State.OPEN
	_outbox.open(_stream)
	if not is_occupied:
		for pending in _turns.all():
			_send_turn(pending)
	opened.emit(event.resumed)


# Those that were asked for while the character was occupied.
func _send_waiting() -> void:
	for pending in _turns.unsent():
		pending.start_clock()
		if state == State.OPEN:
			_send_turn(pending)
	if state != State.OPEN and not _turns.is_empty():
		_give_up_when_hopeless.call_deferred()


func _send_turn(pending: PendingTurn) -> void:
	pending.send_as(_turns.next_id())
	transcript.ask(pending.utterance)
	_outbox.say(pending.utterance)


func _send_interrupt(turn_id: String, heard_characters: int) -> void:
	if state != State.OPEN:
		# Nothing is being said; what was said can be cut, here and when the session opens again.
		if heard_characters >= 0 and _turns.is_empty():
			_on_cut([turn_id], heard_characters)
	else:
		_outbox.interrupt(turn_id, heard_characters)


func _on_cut(turn_ids: PackedStringArray, heard_characters: int) -> void:
	if is_held:
		_held.append(_on_cut.bind(turn_ids, heard_characters))
		return
	answers.cut(turn_ids, heard_characters)


func _on_stream_finished(status: GrpcStatus) -> void:
	if is_held:
		_held.append(_on_stream_finished.bind(status))
		return
	var was_open := state == State.OPEN
	_forget_stream()
	state = State.WAITING_FOR_RUNTIME
	for pending in _turns.all():
		if pending.is_started:
			answers.break_off(pending)
			answers.fail(pending, "the connection to the runtime was lost: %s" % status.message)
		else:
			pending.is_sent = false
	transcript.forget_asked()
	if status.code == GrpcStatus.Code.NOT_FOUND and session_id != "":
		# The runtime was started anew, or the session was idle for too long.
		session_id = ""
		_open_stream.call_deferred()
	elif not was_open and _runtime.is_ready() and status.code != GrpcStatus.Code.UNAVAILABLE:
		_on_open_failed(status)
	elif was_open:
		_open_stream.call_deferred()


func _drop_stream() -> void:
	if _stream != null:
		var stream := _stream
		_forget_stream()
		stream.close()


func _forget_stream() -> void:
	_stream.event_received.disconnect(_on_event)
	_stream.cut_answered.disconnect(_on_cut)
	_stream.finished.disconnect(_on_stream_finished)
	_stream = null
	_outbox.close()


func _on_open_failed(status: GrpcStatus) -> void:
	_runtime.ready_changed.disconnect(_on_runtime_ready_changed)
	_runtime.state_changed.disconnect(_on_runtime_state_changed)
	state = State.CLOSED
	if _turns.is_empty():
		problem_reported.emit(status.message)
	for pending in _turns.all():
		answers.fail(pending, status.message)
