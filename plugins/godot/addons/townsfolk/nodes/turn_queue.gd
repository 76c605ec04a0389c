## The turns of one character, in the order in which they were asked for: which is being answered,
## and how each ends.
@tool
extends RefCounted

## A turn is first in the queue from now on.
signal began(turn: NpcTurn)
## A turn is over, and its state says so; those who await it learn of it afterwards.
signal ended(turn: NpcTurn)
## A turn without an answer has taken a fallback line.
signal fell_back(line: String)

## The turn that is being answered; null when none is.
var current: NpcTurn

var _turns: Array[NpcTurn] = []


## Adds a turn behind those that are there.
func add(turn: NpcTurn) -> void:
	_turns.append(turn)


func is_empty() -> bool:
	return _turns.is_empty()


## Whether no other turn is under way or waits beside the one that was just added.
func is_alone() -> bool:
	return _turns.size() == 1


## Goes on with the first turn, unless it is current already.
func begin_next() -> void:
	if not _turns.is_empty() and current != _turns[0]:
		_begin(_turns[0])


## Takes a turn out that is over, with a fallback line where it has no answer, and goes on.
func finish(turn: NpcTurn, fallback_lines: PackedStringArray) -> void:
	if turn not in _turns:
		return  # It was abandoned.
	if current != turn and not turn.was_interrupted:
		_begin(turn)
	_turns.erase(turn)
	current = null
	if turn.error != "" and turn.text == "" and not fallback_lines.is_empty():
		turn.fall_back(fallback_lines[randi() % fallback_lines.size()])
		fell_back.emit(turn.text)
	turn.state = NpcTurn.State.DONE
	ended.emit(turn)
	turn.finished.emit()
	begin_next()


## Ends all turns, as their character leaves the scene tree.
func abandon() -> void:
	for turn in _turns:
		NpcTurn.abandon(turn)
	_turns.clear()
	current = null


func _begin(turn: NpcTurn) -> void:
	current = turn
	began.emit(turn)
