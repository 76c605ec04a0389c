## A body drawn with shapes: it breathes, blinks, and moves its mouth with what is typed.
class_name TavernBody
extends Node2D

enum Head { HAIR, BUN, BALD, HELMET, HOOD, HAT }

const SKIN := Color("e6b892")
const VOWELS := "aeiouyAEIOUY"
const HEIGHT := 78.0

## The colour of the clothes.
@export var cloth := Color.SLATE_GRAY
@export var hair := Color("4a3323")
@export var head := Head.HAIR
@export var has_beard := false
## Where it looks: -1 left, 1 right.
@export var facing := 1.0

## Whether a ring lies under the feet.
var is_highlighted := false:
	set(value):
		is_highlighted = value
		queue_redraw()

var _mouth := 0.0  # 0 closed, 1 open
var _phase := randf() * TAU
var _blink := randf_range(1.0, 4.0)
var _shape := StyleBoxFlat.new()


## The mouth for a character that is spoken now.
func speak(character: String) -> void:
	_set_mouth(1.0 if character in VOWELS else 0.45 if character != " " else 0.0)


func _process(delta: float) -> void:
	_phase += delta * 2.2
	scale.y = absf(scale.x) * (1.0 + 0.012 * sin(_phase))
	if _mouth > 0.0:
		_set_mouth(maxf(0.0, _mouth - delta * 5.0))
	var was_open := _blink > 0.0
	_blink -= delta
	if _blink < -0.12:
		_blink = randf_range(2.0, 5.0)
	if was_open != (_blink > 0.0):
		queue_redraw()


func _set_mouth(openness: float) -> void:
	if not is_equal_approx(openness, _mouth):
		_mouth = openness
		queue_redraw()


func _draw() -> void:
	draw_set_transform(Vector2.ZERO, 0.0, Vector2(1.0, 0.36))
	draw_circle(Vector2(0, 4), 25.0, Color(0, 0, 0, 0.34), true, -1.0, true)
	if is_highlighted:
		draw_arc(Vector2(0, 4), 33.0, 0.0, TAU, 48, cloth.lightened(0.35), 4.0, true)
	draw_set_transform(Vector2.ZERO)
	_draw_clothes()
	_draw_head(Vector2(0, -57))


func _draw_clothes() -> void:
	_rounded(Rect2(-11, -6, 9, 9), cloth.darkened(0.72), 4, 3)
	_rounded(Rect2(2, -6, 9, 9), cloth.darkened(0.72), 4, 3)
	_rounded(Rect2(-19, -44, 38, 42), cloth.darkened(0.34), 17, 9)
	_rounded(Rect2(-24, -39, 11, 25), cloth.darkened(0.44), 6, 6)
	_rounded(Rect2(13, -39, 11, 25), cloth.darkened(0.44), 6, 6)
	draw_circle(Vector2(-18.5, -13), 4.6, SKIN, true, -1.0, true)
	draw_circle(Vector2(18.5, -13), 4.6, SKIN, true, -1.0, true)
	_rounded(Rect2(-18, -19, 36, 5), cloth.darkened(0.66), 2, 2)
	_rounded(Rect2(-3, -20, 6, 7), Color("caa64a"), 2, 2)


func _draw_head(at: Vector2) -> void:
	var turn := Vector2(3.0 * facing, 0)
	if head == Head.HOOD:
		draw_circle(at + Vector2(0, 1), 20.0, cloth.darkened(0.5), true, -1.0, true)
	if head == Head.BUN:
		draw_circle(at + Vector2(-6.0 * facing, -17), 7.5, hair, true, -1.0, true)
	draw_circle(at, 16.0, SKIN, true, -1.0, true)
	if has_beard:
		_rounded(Rect2(at.x - 12 + turn.x, at.y + 3, 24, 15), hair, 4, 11)
	_draw_face(at + turn)
	match head:
		Head.HAIR, Head.BUN:
			_rounded(Rect2(at.x - 16.5, at.y - 17, 33, 14), hair, 15, 4)
		Head.HELMET:
			_rounded(Rect2(at.x - 17.5, at.y - 19, 35, 16), Color("9aa3ad"), 16, 2)
			_rounded(Rect2(at.x - 19, at.y - 6, 38, 4), Color("6f7882"), 2, 2)
		Head.HOOD:
			_rounded(Rect2(at.x - 18, at.y - 19, 36, 13), cloth.darkened(0.3), 16, 5)
		Head.HAT:
			_rounded(Rect2(at.x - 25, at.y - 11, 50, 6), hair, 3, 3)
			_rounded(Rect2(at.x - 14, at.y - 27, 28, 18), hair, 10, 2)
			_rounded(Rect2(at.x - 14, at.y - 14, 28, 4), cloth.lightened(0.2), 1, 1)


func _draw_face(at: Vector2) -> void:
	for side: float in [-5.5, 5.5]:
		if _blink > 0.0:
			draw_circle(at + Vector2(side, -1), 2.1, Color("241a14"), true, -1.0, true)
		else:
			draw_line(
				at + Vector2(side - 2.2, -1), at + Vector2(side + 2.2, -1), Color("241a14"), 1.6
			)
	var mouth := Vector2(5.0 - 1.5 * _mouth, 1.2 + 5.0 * _mouth)
	_rounded(Rect2(at + Vector2(0, 7) - mouth / 2.0, mouth), Color("6b2f28"), 2, 2)


func _rounded(rect: Rect2, color: Color, top: int, bottom: int) -> void:
	_shape.bg_color = color
	_shape.corner_radius_top_left = top
	_shape.corner_radius_top_right = top
	_shape.corner_radius_bottom_left = bottom
	_shape.corner_radius_bottom_right = bottom
	draw_style_box(_shape, rect)
