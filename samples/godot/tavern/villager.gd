## A character in the tavern: a body, the agent that makes it talk, and a bubble above its head.
class_name Villager
extends TavernBody

const Bubble := preload("bubble.gd")

@export var persona: NpcPersona
@export var lore: Array[LorePack] = []
## What the player is offered to say.
@export var topics: PackedStringArray

var agent := NpcAgent.new()
var bubble := Bubble.new()
## It chooses what to say.
var is_choosing := false
## What it said last.
var last_turn: NpcTurn
## The player talks to this villager: the dialogue box shows what it says, and small talk lets it
## be.
var is_with_player := false:
	set(value):
		is_with_player = value
		if value:
			bubble.close()


func _ready() -> void:
	cloth = persona.color
	agent.name = "Agent"
	agent.persona = persona
	agent.lore = lore
	agent.sampling = NpcSampling.new()
	agent.sampling.max_new_tokens = 48
	agent.attention_anchor = self
	agent.attention_range = 500.0
	agent.pauses_with_tree = true
	agent.fallback_lines = ["Hm?", "Later.", "…"]
	agent.thinking_started.connect(_on_thinking_started)
	agent.reply_finished.connect(func(turn: NpcTurn) -> void: last_turn = turn)
	agent.interrupted.connect(func(turn: NpcTurn) -> void: last_turn = turn)
	add_child(agent)
	bubble.anchor = self
	bubble.color = persona.color
	bubble.character_typed.connect(speak)
	get_tree().get_first_node_in_group(&"bubbles").add_child.call_deferred(bubble)
	_add_name()


## Shows a line that the character has said already, as of its own choice.
func say_line(text: String) -> void:
	var turn := NpcTurn.new("", "")
	turn.text = text
	turn.state = NpcTurn.State.DONE
	bubble.show_turn(turn)


## Turns to somebody.
func look_at_body(other: Node2D) -> void:
	facing = signf(other.global_position.x - global_position.x)
	queue_redraw()


func _on_thinking_started(turn: NpcTurn) -> void:
	if not is_with_player:
		bubble.show_turn(turn)


func _add_name() -> void:
	var label := Label.new()
	label.text = persona.name
	label.modulate = persona.color.lightened(0.35)
	label.add_theme_font_size_override(&"font_size", 14)
	label.add_theme_constant_override(&"outline_size", 5)
	label.add_theme_color_override(&"font_outline_color", Color(0.08, 0.05, 0.04, 0.9))
	# Neither dusk nor fire light falls on it, and no table hides it.
	label.material = CanvasItemMaterial.new()
	(label.material as CanvasItemMaterial).light_mode = CanvasItemMaterial.LIGHT_MODE_UNSHADED
	label.z_index = 1
	add_child(label)
	label.reset_size()
	label.position = Vector2(-label.get_minimum_size().x / 2.0, 8.0)
