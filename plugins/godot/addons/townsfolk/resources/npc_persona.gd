## Who a character is.
@tool
@icon("../icons/npc_persona.svg")
class_name NpcPersona
extends Resource

const Dialogue := preload("../generated/dialogue.gd")

## What the character is called. 1 to 64 characters.
@export var name := "":
	set(value):
		name = value
		emit_changed()
## Who the character is: trade, home, history. "You are a blacksmith from Ferrow…" or "He is…".
@export_multiline var description := ""
## What the character wants.
@export var goals: PackedStringArray
@export_group("Voice")
## How the character speaks: "gruff, in short sentences".
@export_multiline var speaking_style := ""
## Lines the character could have said; two or three are worth more than a long description.
@export var example_lines: PackedStringArray
## What the character never does or says.
@export var taboos: PackedStringArray
@export_group("Look")
## Color of the character's name in dialogue boxes and bubbles.
@export var color := Color("e8b04a")


## What is wrong with the persona; empty when nothing is.
func problem() -> String:
	if name.strip_edges() == "":
		return "The persona needs a name."
	if name.length() > 64:
		return "The persona's name has %d characters; 64 are allowed." % name.length()
	return ""


## The persona as the runtime takes it.
func to_message() -> Dialogue.Persona:
	var message := Dialogue.Persona.new()
	message.name = name
	message.description = description
	message.goals.assign(goals)
	message.speaking_style = speaking_style
	message.taboos.assign(taboos)
	message.example_lines.assign(example_lines)
	return message
