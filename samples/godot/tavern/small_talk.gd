## Lets villagers talk to each other: one opens, the other answers, and so on for some turns. Every
## pair goes on at the same time as all others.
extends Node

const OPENERS: Array[String] = [
	"What is your trade?",
	"Where do you come from?",
	"How is business these days?",
	"Have you heard of the lights at the watchtower?",
	"What are you afraid of?",
	"Who do you trust in this village?",
	"What do you like best here?",
	"Is the bridge to the coast still closed?",
]
const ANSWERS := 4
const PAUSE_SECONDS := 2.5
const BETWEEN_LINES_SECONDS := 1.2
const READING_CHARACTERS_PER_SECOND := 40.0

var _pairs: Array[Pair] = []


## Two villagers, and where their talk is.
class Pair:
	var speaker: Villager
	var listener: Villager
	var line := ""
	var answers_left := 0
	var seconds_to_wait := 0.0
	var turn: NpcTurn

	func swap() -> void:
		var first := speaker
		speaker = listener
		listener = first

	func is_disturbed() -> bool:
		return speaker.is_with_player or listener.is_with_player


## Lets two villagers talk from now on.
func add_pair(first: Villager, second: Villager) -> void:
	var pair := Pair.new()
	pair.speaker = first
	pair.listener = second
	pair.seconds_to_wait = randf() * 0.8
	_pairs.append(pair)


func _process(delta: float) -> void:
	for pair in _pairs:
		pair.seconds_to_wait -= delta
		if pair.turn != null:
			_take_answer(pair)
		elif pair.seconds_to_wait <= 0.0:
			_go_on(pair)


func _go_on(pair: Pair) -> void:
	if pair.is_disturbed() or pair.speaker.agent.is_busy() or pair.listener.agent.is_busy():
		pair.answers_left = 0
		pair.seconds_to_wait = PAUSE_SECONDS * randf_range(0.5, 1.0)
	elif pair.answers_left == 0:
		pair.line = OPENERS.pick_random()
		pair.speaker.say_line(pair.line)
		pair.answers_left = ANSWERS
		pair.seconds_to_wait = BETWEEN_LINES_SECONDS
	else:
		pair.answers_left -= 1
		pair.turn = pair.listener.agent.say(pair.line, pair.speaker.persona.name)


func _take_answer(pair: Pair) -> void:
	if not pair.turn.is_done():
		return
	var turn := pair.turn
	pair.turn = null
	pair.line = turn.text
	pair.swap()
	# What is shown takes time to read.
	pair.seconds_to_wait = BETWEEN_LINES_SECONDS
	pair.seconds_to_wait += turn.text.length() / READING_CHARACTERS_PER_SECOND
	if turn.error != "" or turn.was_interrupted or turn.text == "":
		pair.answers_left = 0
	if pair.answers_left == 0:
		pair.seconds_to_wait += PAUSE_SECONDS
