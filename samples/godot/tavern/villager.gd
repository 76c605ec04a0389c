## A character in the tavern: a body drawn with shapes, a bubble above the head, and the agent that
## makes it talk.
class_name Villager
extends Node2D

const Bubble := preload("bubble.gd")

const HEAD_HEIGHT := 66.0
const SKIN := Color("e2b48f")

@export var persona: NpcPersona
@export var lore: Array[LorePack] = []
## Where the villager looks: -1 left, 1 right.
@export var facing := 1.0

var agent := NpcAgent.new()
## The player is talking to this villager: small talk lets it be.
var is_with_player := false
var is_highlighted := false:
	set(value):
		is_highlighted = value
		queue_redraw()

var _bubble := Bubble.new()
var _breath := randf() * TAU


func _ready() -> void:
	agent.persona = persona
	agent.lore = lore
	agent.sampling = NpcSampling.new()
	agent.sampling.max_new_tokens = 48
	agent.attention_anchor = self
	agent.attention_range = 500.0
	agent.fallback_lines = ["Hm?", "Later.", "…"]
	agent.thinking_started.connect(func(_turn: NpcTurn) -> void: _bubble.think())
	agent.text_streamed.connect(_bubble.add_text)
	agent.reply_finished.connect(func(_turn: NpcTurn) -> void: _bubble.finish())
	agent.interrupted.connect(func(turn: NpcTurn) -> void: _bubble.cut(turn.text))
	agent.failed.connect(func(_message: String) -> void: _bubble.finish())
	add_child(agent)
	_bubble.color = persona.color
	_bubble.position = Vector2(0, -HEAD_HEIGHT - 14)
	add_child(_bubble)


func _process(delta: float) -> void:
	_breath += delta * (5.0 if agent.is_busy() else 2.0)
	queue_redraw()


func _draw() -> void:
	var bob := sin(_breath) * 1.5
	draw_circle(Vector2(0, 4), 20.0, Color(0, 0, 0, 0.25))
	if is_highlighted:
		draw_arc(Vector2(0, 2), 27.0, 0.0, TAU, 40, persona.color, 3.0)
	var cloth := persona.color.darkened(0.35)
	var robe := PackedVector2Array(
		[Vector2(-17, 4), Vector2(-11, -36 + bob), Vector2(11, -36 + bob), Vector2(17, 4)]
	)
	draw_colored_polygon(robe, cloth)
	draw_line(Vector2(-14, -12), Vector2(14, -12), cloth.darkened(0.4), 3.0)
	draw_circle(Vector2(0, -48 + bob), 14.0, SKIN)
	draw_arc(Vector2(0, -50 + bob), 13.0, PI, TAU, 20, persona.color.darkened(0.6), 7.0)
	var eye := Vector2(4 * facing, -47 + bob)
	draw_circle(eye + Vector2(-4, 0), 1.8, Color.BLACK)
	draw_circle(eye + Vector2(4, 0), 1.8, Color.BLACK)
	var font := ThemeDB.fallback_font
	var width := font.get_string_size(persona.name, HORIZONTAL_ALIGNMENT_LEFT, -1, 14).x
	draw_string(
		font,
		Vector2(-width / 2.0, 24),
		persona.name,
		HORIZONTAL_ALIGNMENT_LEFT,
		-1,
		14,
		persona.color
	)


## Shows a line that did not come from the runtime.
func say_line(text: String) -> void:
	_bubble.think()
	_bubble.add_text(text)
	_bubble.finish()


## Cuts the villager off: it remembers what its bubble has shown.
func interrupt() -> void:
	agent.interrupt(_bubble.shown_characters())
