## A turn that is not over: what was asked, and how far its answer has come.
@tool
extends RefCounted

const Dialogue := preload("../generated/dialogue.gd")
const Sampling := preload("../generated/sampling.gd")

## After the deadline, what the runtime gets to say so itself before the turn is given up here.
const DEADLINE_GRACE_SECONDS := 2.0

var turn: NpcTurn
var utterance: Dialogue.Utterance
var is_sent := false
var is_started := false

var _deadline_usec := 0


func _init(pending: NpcTurn, asked: Dialogue.Utterance) -> void:
	turn = pending
	utterance = asked
	start_clock()


## Its deadline counts from now on, if it has one.
func start_clock() -> void:
	if utterance.deadline_ms > 0:
		_deadline_usec = Time.get_ticks_usec() + utterance.deadline_ms * 1000


## Whether it has a deadline.
func has_deadline() -> bool:
	return _deadline_usec > 0


## Whether its deadline has passed, and what the runtime gets beyond.
func is_overdue() -> bool:
	var grace := int(DEADLINE_GRACE_SECONDS * 1e6) if is_sent else 0
	return has_deadline() and Time.get_ticks_usec() > _deadline_usec + grace


## It is sent now, under this id, with what is left of its time.
func send_as(id: String) -> void:
	turn.id = id
	utterance.turn_id = id
	if has_deadline():
		utterance.deadline_ms = maxi(1, (_deadline_usec - Time.get_ticks_usec()) / 1000)
	is_sent = true


## The answer has begun.
func start() -> void:
	is_started = true
	turn.state = NpcTurn.State.SPEAKING


## Something was given in a stage direction.
func add_direction(direction: Dialogue.DirectionGiven) -> void:
	turn.directions.append(direction.text)
	turn.direction_places.append(Vector2i(direction.offset, direction.length))
	turn.direction_given.emit(direction.text)


## The answer is whole.
func finish(finished: Dialogue.TurnFinished) -> void:
	turn.retries = finished.retries
	turn.finish_reason = finished.finish_reason as NpcTurn.FinishReason
	turn.was_interrupted = false
	turn.was_repetition = finished.finish_reason == Sampling.FinishReason.REPETITION
	_settle(finished.text, finished.usage)


## The answer was cut off.
func cut(interrupted: Dialogue.TurnInterrupted) -> void:
	turn.was_interrupted = true
	turn.finish_reason = NpcTurn.FinishReason.INTERRUPTED
	_settle(interrupted.text, interrupted.usage)


func _settle(text: String, usage: Sampling.Usage) -> void:
	turn.text = text
	if usage != null:
		turn.generated_tokens = usage.generated_tokens
		turn.time_to_first_token_ms = usage.time_to_first_token_ms
		turn.tokens_per_second = usage.tokens_per_second
