## Lets villagers talk to each other: one opens, the other answers, and so on for some turns. Every
## pair goes on at the same time as all others, and each remembers what it said and heard.
extends Node

const OPENERS: PackedStringArray = [
	"What is your trade?",
	"Where do you come from?",
	"How is business these days?",
	"Have you heard of the lights at the watchtower?",
	"What are you afraid of?",
	"Who do you trust in this village?",
	"What do you like best here?",
	"Is the bridge to the coast still closed?",
]
## What the listener does before.
const INVITATION := "(nods at you)"
const ANSWERS := 4
const PAUSE_SECONDS := 2.0
const BETWEEN_LINES_SECONDS := 0.5

var _pairs: Array[Pair] = []


## Two villagers, and where their talk is.
class Pair:
	var speaker: Villager
	var listener: Villager
	var line := ""
	var answers_left := 0
	var seconds_to_wait := 0.0
	var turn: NpcTurn
	var is_opening := false
	var openers: PackedStringArray = []

	func swap() -> void:
		var first := speaker
		speaker = listener
		listener = first

	func is_disturbed() -> bool:
		return speaker.is_with_player or listener.is_with_player

	func is_busy() -> bool:
		return not _is_free(speaker) or not _is_free(listener)

	func _is_free(villager: Villager) -> bool:
		var is_silent := not villager.agent.is_busy() and not villager.is_choosing
		return is_silent and villager.bubble.is_typed()


## Lets two villagers talk from now on.
func add_pair(first: Villager, second: Villager) -> void:
	var pair := Pair.new()
	pair.speaker = first
	pair.listener = second
	pair.seconds_to_wait = randf() * 0.6
	_pairs.append(pair)


## Whether somebody is choosing how to begin.
func is_opening() -> bool:
	return _pairs.any(func(pair: Pair) -> bool: return pair.is_opening)


func _process(delta: float) -> void:
	for pair in _pairs:
		if pair.is_opening:
			continue
		if pair.turn != null:
			_take_answer(pair)
		elif pair.speaker.bubble.is_typed():
			pair.seconds_to_wait -= delta
			if pair.seconds_to_wait <= 0.0:
				_go_on(pair)


func _go_on(pair: Pair) -> void:
	if pair.is_disturbed() or pair.is_busy():
		pair.answers_left = 0
		pair.seconds_to_wait = PAUSE_SECONDS * randf_range(0.5, 1.0)
	elif pair.answers_left == 0:
		_open(pair)
	else:
		pair.answers_left -= 1
		pair.turn = pair.listener.agent.say(pair.line, pair.speaker.persona.name)


# The speaker chooses among authored texts what it would say: so it remembers what it said.
func _open(pair: Pair) -> void:
	if pair.openers.is_empty():
		pair.openers = OPENERS.duplicate()
	pair.is_opening = true
	pair.speaker.is_choosing = true
	pair.speaker.look_at_body(pair.listener)
	pair.listener.look_at_body(pair.speaker)
	var choice := await pair.speaker.agent.choose(
		pair.openers, INVITATION, pair.listener.persona.name, true, true, true
	)
	pair.is_opening = false
	pair.speaker.is_choosing = false
	if choice.error != "" or pair.is_disturbed():
		pair.seconds_to_wait = PAUSE_SECONDS
		return
	pair.openers.remove_at(choice.index)
	pair.line = choice.text
	pair.speaker.say_line(pair.line)
	pair.answers_left = ANSWERS
	pair.seconds_to_wait = BETWEEN_LINES_SECONDS


func _take_answer(pair: Pair) -> void:
	if not pair.turn.is_done():
		return
	var turn := pair.turn
	pair.turn = null
	pair.line = turn.text
	pair.swap()
	pair.seconds_to_wait = BETWEEN_LINES_SECONDS
	if turn.error != "" or turn.was_interrupted or turn.text == "":
		pair.answers_left = 0
	elif pair.answers_left == 0:
		# Nobody answers the last line, but it was heard.
		pair.listener.agent.notify("%s says: %s" % [pair.speaker.persona.name, turn.text])
	if pair.answers_left == 0:
		pair.seconds_to_wait += PAUSE_SECONDS
