## A session's turns that are not over, in their order: the first one is being answered.
@tool
extends RefCounted

const Dialogue := preload("../generated/dialogue.gd")
const PendingTurn := preload("pending_turn.gd")

## The one whose answer has begun; null when there is none.
var speaking: PendingTurn
## The one that ended last.
var last: NpcTurn

var _turns: Array[PendingTurn] = []
var _count := 0
var _prefix := ""


func _init() -> void:
	# Turn ids must differ from those in a transcript that comes from a saved game.
	_prefix = "%08x" % randi()


## Takes a turn that is asked for.
func add(turn: NpcTurn, utterance: Dialogue.Utterance) -> PendingTurn:
	var pending := PendingTurn.new(turn, utterance)
	_turns.append(pending)
	return pending


## All of them; the list stays as it is when some end.
func all() -> Array[PendingTurn]:
	return _turns.duplicate()


## Those that were not sent yet.
func unsent() -> Array[PendingTurn]:
	return _turns.filter(func(pending: PendingTurn) -> bool: return not pending.is_sent)


func is_empty() -> bool:
	return _turns.is_empty()


## Whether one was sent.
func is_answering() -> bool:
	return _turns.any(func(pending: PendingTurn) -> bool: return pending.is_sent)


## Whether one has a deadline.
func has_deadlines() -> bool:
	return _turns.any(func(pending: PendingTurn) -> bool: return pending.has_deadline())


## An id that no other turn has.
func next_id() -> String:
	_count += 1
	return "%s-%d" % [_prefix, _count]


## The turn of this id; null when there is none.
func find(turn_id: String) -> PendingTurn:
	for pending in _turns:
		if pending.turn.id == turn_id and turn_id != "":
			return pending
	return null


## What is kept of a turn; null when it is over.
func find_turn(turn: NpcTurn) -> PendingTurn:
	for pending in _turns:
		if pending.turn == turn:
			return pending
	return null


## Lets go of a turn; returns whether it was not over before.
func end(pending: PendingTurn) -> bool:
	if pending not in _turns:
		return false
	_turns.erase(pending)
	if speaking == pending:
		speaking = null
	last = pending.turn
	return true
