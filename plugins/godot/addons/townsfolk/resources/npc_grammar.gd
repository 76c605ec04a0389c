## What an answer must be: JSON, a pattern, one of a few texts. Pass it to [method NpcAgent.say].
##
## [codeblock]
## var turn := $NpcAgent.say("What do you sell?", "Player", NpcGrammar.json_schema(
##     {"type": "object", "properties": {"gold": {"type": "integer"}}, "required": ["gold"]}))
## await turn.finished
## var gold: int = turn.json()["gold"]
## [/codeblock]
@tool
class_name NpcGrammar
extends RefCounted

const Sampling := preload("../generated/sampling.gd")

var _message := Sampling.Grammar.new()


## The answer is JSON that this JSON Schema describes; see [method NpcTurn.json].
static func json_schema(schema: Dictionary) -> NpcGrammar:
	var grammar := NpcGrammar.new()
	grammar._message.json_schema = JSON.stringify(schema)
	return grammar


## The answer is a text that this regular expression matches from end to end.
static func regex(pattern: String) -> NpcGrammar:
	var grammar := NpcGrammar.new()
	grammar._message.regex = pattern
	return grammar


## The answer is a text of this grammar in Lark's notation, whose rule "start" is the whole.
static func lark(text: String) -> NpcGrammar:
	var grammar := NpcGrammar.new()
	grammar._message.lark = text
	return grammar


## The answer is one of these texts.
static func choices(options: PackedStringArray) -> NpcGrammar:
	var grammar := NpcGrammar.new()
	grammar._message.choices = Sampling.Choices.new()
	grammar._message.choices.options.assign(options)
	return grammar


## The grammar as the runtime takes it.
func to_message() -> Sampling.Grammar:
	return _message
