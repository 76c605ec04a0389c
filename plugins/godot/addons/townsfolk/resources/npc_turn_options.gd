## What one turn of a character may be asked for; see [method NpcAgent.say_with].
##
## [codeblock]
## var options := NpcTurnOptions.new()
## options.deadline_seconds = 2.0
## var turn := $NpcAgent.greet(options)
## [/codeblock]
@tool
class_name NpcTurnOptions
extends Resource

const Dialogue := preload("../generated/dialogue.gd")

## How the character chooses its words in this turn; empty takes the agent's own.
@export var sampling: NpcSampling
## The answer must end within this time; 0 means no limit, less than 0 takes the agent's own.
@export_range(-1.0, 120.0, 0.5, "or_greater", "suffix:s") var deadline_seconds := -1.0
## The character takes an action, whatever it says.
@export var must_act := false

## What the answer must be: JSON, one of a few texts; null means speech.
var grammar: NpcGrammar
## The names of those actions that the character may take now; null means all.
var actions: Variant


## For agents: sets what of this an utterance takes. [param agent_deadline] is the agent's own.
func fill(utterance: Dialogue.Utterance, agent_deadline: float) -> void:
	var seconds := agent_deadline if deadline_seconds < 0.0 else deadline_seconds
	utterance.deadline_ms = int(seconds * 1000.0)
	if sampling != null:
		utterance.sampling = sampling.to_message()
	if grammar != null:
		utterance.grammar = grammar.to_message()
