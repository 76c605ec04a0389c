## Knowledge of the world that several characters share. Those who list the same packs in the same
## order share its memory in the runtime, so that each pack is read only once.
@tool
@icon("../icons/lore_pack.svg")
class_name LorePack
extends Resource

const Dialogue := preload("../generated/dialogue.gd")

## A name for the pack, unique in the game. 1 to 128 characters.
@export var lore_id := ""
## What those who know it know.
@export_multiline var text := ""


## What is wrong with the pack; empty when nothing is.
func problem() -> String:
	if lore_id == "" or lore_id.length() > 128:
		return "A lore pack needs a lore_id of 1 to 128 characters."
	if text.strip_edges() == "":
		return 'The lore pack "%s" has no text.' % lore_id
	return ""


## The lore as the runtime takes it.
func to_message() -> Dialogue.Lore:
	var message := Dialogue.Lore.new()
	message.lore_id = lore_id
	message.text = text
	return message
