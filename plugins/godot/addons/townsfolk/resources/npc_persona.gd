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
## The adapter (LoRA) that the character speaks with, by its name in the runtime's folder of
## adapters ([code]townsfolk serve --adapters FOLDER[/code]); empty takes the model alone.
@export var adapter := ""
@export_group("Contrast")
## How much more what is chosen below weighs in the answers than the model would have it: a villain
## stays one. 0.5 to 1.5 is noticed; an answer then costs about twice as much. 0 turns it off.
@export_range(0.0, 10.0, 0.05) var contrast_strength := 0.0
## What weighs more, as far as it is filled in above.
@export_flags("description", "goals", "speaking style", "taboos", "example lines")
var contrast_fields := 31
@export_group("Look")
## Color of the character's name in dialogue boxes and bubbles.
@export var color := Color("e8b04a")


## What is wrong with the persona; empty when nothing is.
func problem() -> String:
	if name.strip_edges() == "":
		return "The persona needs a name."
	if name.length() > 64:
		return "The persona's name has %d characters; 64 are allowed." % name.length()
	if contrast_strength > 0.0 and _contrasted().is_empty():
		return "The persona has nothing of what its contrast is about: fill it in, or choose others."
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


## What of the persona weighs more, as the runtime takes it; null for nothing.
func contrast_message() -> Dialogue.PersonaContrast:
	if contrast_strength <= 0.0:
		return null
	var message := Dialogue.PersonaContrast.new()
	message.strength = contrast_strength
	message.fields = _contrasted()
	return message


# The chosen fields that are filled in.
func _contrasted() -> Array[Dialogue.PersonaField]:
	var filled: Array[bool] = [
		description.strip_edges() != "",
		not goals.is_empty(),
		speaking_style.strip_edges() != "",
		not taboos.is_empty(),
		not example_lines.is_empty(),
	]
	var fields: Array[Dialogue.PersonaField] = []
	for index in filled.size():
		if filled[index] and contrast_fields & 1 << index:
			fields.append((index + 1) as Dialogue.PersonaField)
	return fields
