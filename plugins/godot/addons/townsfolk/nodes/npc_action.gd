## Something that a character does; see [method NpcAgent.add_action].
##
## Of an action that has a method behind it, the answer is what the method returns. Answer others
## with [method accept] or [method reject]: the character waits for that.
@tool
class_name NpcAction
extends RefCounted

## The name of the action.
var name := ""
## Its arguments, by name.
var arguments: Dictionary = {}
## The turn in which the character does it.
var turn: NpcTurn
## Whether it was answered.
var is_answered := false

var _answer: Callable


## Why something is not done: return [method refuse] from a method that is an action.
class Refusal:
	extends RefCounted
	var reason := ""


func _init(action_name := "", action_arguments := {}, answerer := Callable()) -> void:
	name = action_name
	arguments = action_arguments
	_answer = answerer


## For methods that are actions: it is not done, and this is why.
static func refuse(reason: String) -> Refusal:
	var refusal := Refusal.new()
	refusal.reason = reason
	return refusal


## It is done. The character learns the [param result], if there is one, and may speak on.
func accept(result := "") -> void:
	_tell(true, result)


## It is not done. The character learns the [param reason] and goes on from there.
func reject(reason := "") -> void:
	_tell(false, reason)


func _tell(is_done: bool, text: String) -> void:
	if not is_answered and _answer.is_valid():
		is_answered = true
		_answer.call(is_done, text)
