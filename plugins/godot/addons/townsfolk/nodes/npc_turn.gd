## One turn of a character: what was said to it or happened, if anything, and its answer.
##
## [codeblock]
## var turn := npc.say("Good evening!")
## print(await turn.wait())
## [/codeblock]
@tool
@icon("../icons/npc_turn.svg")
class_name NpcTurn
extends RefCounted

## More of the answer.
signal text_streamed(text: String)
## A sentence of the answer is whole: it can be spoken aloud. Stage directions are not in it.
signal sentence_ready(sentence: String)
## The character does something that is not said: "slams the tankard".
signal direction_given(direction: String)
## The turn is over: the answer is whole, was cut off, or failed. Comes exactly once, and never
## before [method NpcAgent.say] has returned.
signal finished

## WAITING: for the runtime or for earlier turns. SPEAKING: the answer has begun. DONE: it is over.
enum State { WAITING, SPEAKING, DONE }

const Sampling := preload("../generated/sampling.gd")
const FinishReason := Sampling.FinishReason

## The turn's name in transcripts; empty until it was sent to the runtime.
var id := ""
## Who spoke to the character; empty where nobody did.
var speaker: String
## What was said to the character, or happened; empty where it speaks of its own accord.
var prompt: String
## The answer so far; when the turn is over, the whole answer or what was heard of it.
var text := "":
	get:
		if not _pieces.is_empty():
			text += "".join(_pieces)
			_pieces.clear()
		return text
	set(value):
		_pieces.clear()
		text = value
## The answer's sentences so far.
var sentences: Array[String] = []
## Where each of the sentences ends in [member text]: what [method interrupt] takes once it was
## heard.
var sentence_ends := PackedInt32Array()
## Where each of the sentences begins in [member text], and how many characters it takes there.
var sentence_places: Array[Vector2i] = []
## The answer's stage directions so far; see [member NpcAgent.stage_directions].
var directions: Array[String] = []
## Where each of the directions stands in [member text], and how many characters it takes there.
var direction_places: Array[Vector2i] = []
## How far the turn is.
var state := State.WAITING
## The answer was cut off.
var was_interrupted := false
## Why the answer ended, such as END, LENGTH, DEADLINE or INTERRUPTED; UNSPECIFIED until it is over,
## and where there was none: it failed, or is a fallback line.
var finish_reason := FinishReason.UNSPECIFIED
## The answer went round in circles and was ended; see [member NpcSampling.stop_repetition].
var was_repetition := false
## How often what went round in circles was said anew; see [member NpcSampling.retry_repetition].
var retries := 0
## The runtime had no answer and one of the agent's fallback lines was taken.
var is_fallback := false
## Why there is no answer, or only a fallback; empty when all is well.
var error := ""
## Tokens that were generated.
var generated_tokens := 0
## From the runtime's receipt of the turn to the first token, in milliseconds.
var time_to_first_token_ms := 0.0
## Speed of the answer after its first token.
var tokens_per_second := 0.0

var _interrupt: Callable
# What has come since the text was asked for: to add each piece would copy the whole text each time.
var _pieces := PackedStringArray()


func _init(turn_speaker: String, turn_prompt: String, interrupter := Callable()) -> void:
	speaker = turn_speaker
	prompt = turn_prompt
	_interrupt = interrupter


## Whether the turn is over.
func is_done() -> bool:
	return state == State.DONE


## Waits for the end of the turn; returns the answer's text. Also right when it is over already.
func wait() -> String:
	if not is_done():
		await finished
	return text


## The answer as data, when it was asked for with [method NpcGrammar.json_schema]; null when it is
## no JSON, as with a fallback line or an answer that was cut off.
func json() -> Variant:
	var parser := JSON.new()
	return parser.data if parser.parse(text) == OK else null


## For sessions: more of the answer has come.
func add_text(piece: String) -> void:
	_pieces.append(piece)
	text_streamed.emit(piece)


## For sessions: a sentence is whole, so many characters from a place on.
func add_sentence(sentence: String, offset: int, length: int) -> void:
	sentences.append(sentence)
	sentence_ends.append(offset + length)
	sentence_places.append(Vector2i(offset, length))
	sentence_ready.emit(sentence)


## Whether the answer is not what the character would have said in full: it was cut off, or its
## time or its tokens were up.
func is_cut() -> bool:
	return was_interrupted or finish_reason in [FinishReason.DEADLINE, FinishReason.LENGTH]


## For sessions: only so much of an answer that was whole was heard.
func shorten(heard_characters: int) -> void:
	if heard_characters < text.length():
		text = text.left(heard_characters)
		was_interrupted = true
		finish_reason = FinishReason.INTERRUPTED


## For agents: there is no answer, and this line is said instead.
func fall_back(line: String) -> void:
	is_fallback = true
	text = line
	text_streamed.emit(line)
	add_sentence(line, 0, line.length())


## For agents: ends a turn whose agent leaves the scene tree. Whoever waits goes on after this
## frame, or, when the game ends, is gone by then.
static func abandon(turn: NpcTurn) -> void:
	turn.was_interrupted = true
	turn.finish_reason = FinishReason.INTERRUPTED
	turn.state = State.DONE
	_emit_finished.call_deferred(turn)


static func _emit_finished(turn: NpcTurn) -> void:
	turn.finished.emit()


## Cuts the answer off; the character remembers only the first [param heard_characters] of it, or
## all that was generated when it is negative. Also right when the answer is whole, but not heard.
func interrupt(heard_characters := -1) -> void:
	if _interrupt.is_valid():
		_interrupt.call(self, heard_characters)


## Cuts the answer off behind its first [param count] sentences, those that were heard: for a voice
## that somebody speaks into. The character remembers just these.
func interrupt_after(count: int) -> void:
	count = clampi(count, 0, sentence_ends.size())
	interrupt(0 if count == 0 else sentence_ends[count - 1])
