## What a session's character says and does: what the runtime tells of it becomes turns, lines of
## the transcript and signals.
@tool
extends RefCounted

signal text_streamed(text: String)
signal sentence_ready(turn: NpcTurn, sentence: String)
## The character was not sure of a sentence.
signal hesitated(sentence: String)
## The character does something that is not said.
signal direction_given(direction: String)
signal action_requested(action: NpcAction)
## The answer is over; see the turn for how.
signal turn_ended(turn: NpcTurn)
## The character remembers these lines no more: its context was full.
signal lines_forgotten(lines: Array[Dictionary])
## Something failed that concerns no turn.
signal problem_reported(message: String)

const Dialogue := preload("../generated/dialogue.gd")
const NpcTranscript := preload("npc_transcript.gd")
const PendingTurn := preload("pending_turn.gd")
const PendingTurns := preload("pending_turns.gd")
const Sampling := preload("../generated/sampling.gd")
const EventCase := Dialogue.SessionEvent.EventCase

var _turns: PendingTurns
var _transcript: NpcTranscript
var _answer_action: Callable  # (is_done: bool, text: String, action_id: String)


func _init(turns: PendingTurns, transcript: NpcTranscript, answer_action: Callable) -> void:
	_turns = turns
	_transcript = transcript
	_answer_action = answer_action


## Takes what the runtime tells of an answer, or of what is remembered.
func take(event: Dialogue.SessionEvent) -> void:
	match event.event_case:
		EventCase.TEXT_DELTA:
			add_text(_turns.find(event.text_delta.turn_id), event.text_delta.text)
		EventCase.SENTENCE_COMPLETED:
			var sentence := event.sentence_completed
			var speaking := _turns.find(sentence.turn_id)
			if speaking != null:
				speaking.turn.add_sentence(sentence.text, sentence.offset, sentence.length)
				sentence_ready.emit(speaking.turn, sentence.text)
				if sentence.confidence != null and sentence.confidence.hesitated:
					hesitated.emit(sentence.text)
		EventCase.DIRECTION_GIVEN:
			_on_direction(event.direction_given)
		EventCase.ACTION_REQUESTED:
			_on_action(event.action_requested)
		EventCase.ACTION_SETTLED:
			_transcript.add_event(event.action_settled.text)
		EventCase.TURN_STARTED:
			_transcript.start(event.turn_started.turn_id)
			_on_started(_turns.find(event.turn_started.turn_id))
		EventCase.TURN_FINISHED:
			var finished := event.turn_finished
			var is_late := finished.finish_reason == Sampling.FinishReason.DEADLINE
			_transcript.end(finished.turn_id, finished.text, is_late)
			var pending := _turns.find(finished.turn_id)
			if pending != null:
				pending.finish(finished)
				end(pending)
		EventCase.TURN_INTERRUPTED:
			var cut_off := event.turn_interrupted
			_transcript.end(cut_off.turn_id, cut_off.text, true)
			var pending := _turns.find(cut_off.turn_id)
			if pending != null:
				pending.cut(cut_off)
				end(pending)
		EventCase.CONTEXT_TRIMMED:
			_transcript.drop(event.context_trimmed.dropped)
			lines_forgotten.emit(NpcTranscript.as_data(event.context_trimmed.dropped))
		EventCase.NOTIFIED:
			_transcript.add_event(event.notified.text)
		EventCase.RECORDED:
			_transcript.add_lines(event.recorded.lines)
		EventCase.ERROR:
			_on_error(event.error)


## Takes more of an answer's text; nothing happens when there is no such turn.
func add_text(pending: PendingTurn, text: String) -> void:
	if pending != null and text != "":
		pending.turn.add_text(text)
		text_streamed.emit(text)


## An answer that was over is cut to what was heard of it.
func cut(turn_ids: PackedStringArray, heard_characters: int) -> void:
	_transcript.cut(turn_ids, heard_characters)
	var last := _turns.last
	if last != null and not turn_ids.is_empty() and turn_ids[0] in ["", last.id]:
		last.shorten(heard_characters)


## Part of a failed answer may have been shown: it stays said, and cut off.
func break_off(pending: PendingTurn) -> void:
	pending.turn.was_interrupted = pending.turn.text != ""
	_transcript.break_off(pending.turn.id, pending.turn.text.strip_edges())


## Ends a turn that has no answer, or no whole one.
func fail(pending: PendingTurn, message: String) -> void:
	pending.turn.error = message
	end(pending)


## Ends a turn, unless it has ended before.
func end(pending: PendingTurn) -> void:
	if _turns.end(pending):
		turn_ended.emit(pending.turn)


func _on_direction(event: Dialogue.DirectionGiven) -> void:
	var pending := _turns.find(event.turn_id)
	if pending == null:
		return
	pending.add_direction(event)
	direction_given.emit(event.text)


func _on_action(event: Dialogue.ActionRequested) -> void:
	var pending := _turns.find(event.turn_id)
	if pending == null:
		return
	var arguments: Dictionary = JSON.parse_string(event.arguments_json)
	var action := NpcAction.new(event.name, arguments, _answer_action.bind(event.action_id))
	action.turn = pending.turn
	action_requested.emit(action)


func _on_started(pending: PendingTurn) -> void:
	if pending != null:
		pending.start()
		_turns.speaking = pending


func _on_error(error: Dialogue.SessionError) -> void:
	var pending := _turns.find(error.turn_id)
	if pending != null:
		break_off(pending)
		fail(pending, error.message)
	else:
		_transcript.break_off(error.turn_id, "")
		if error.turn_id == "":
			problem_reported.emit(error.message)
