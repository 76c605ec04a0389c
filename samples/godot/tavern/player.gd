## The player: walks with WASD, the arrows, a gamepad's stick or a click.
extends Node2D

const SPEED := 230.0

## Where the player may walk.
var room := Rect2(80, 170, 1120, 460)
## While the player writes, keys are letters.
var is_writing := false

var _goal := Vector2.INF


func _ready() -> void:
	add_to_group(&"townsfolk_listener")


func _process(delta: float) -> void:
	var direction := Vector2.ZERO if is_writing else _direction()
	if direction != Vector2.ZERO:
		_goal = Vector2.INF
	elif _goal != Vector2.INF:
		direction = position.direction_to(_goal)
		if position.distance_to(_goal) < 6.0:
			_goal = Vector2.INF
	position = (position + direction * SPEED * delta).clamp(room.position, room.end)
	queue_redraw()


func walk_to(goal: Vector2) -> void:
	_goal = goal


func _direction() -> Vector2:
	var keys := Vector2(
		int(Input.is_physical_key_pressed(KEY_D)) - int(Input.is_physical_key_pressed(KEY_A)),
		int(Input.is_physical_key_pressed(KEY_S)) - int(Input.is_physical_key_pressed(KEY_W))
	)
	return (keys + Input.get_vector(&"ui_left", &"ui_right", &"ui_up", &"ui_down")).limit_length()


func _draw() -> void:
	draw_circle(Vector2(0, 4), 20.0, Color(0, 0, 0, 0.25))
	draw_colored_polygon(
		PackedVector2Array([Vector2(-16, 4), Vector2(-10, -36), Vector2(10, -36), Vector2(16, 4)]),
		Color("f4efe4")
	)
	draw_circle(Vector2(0, -48), 13.0, Color("e2b48f"))
	draw_arc(Vector2(0, -51), 12.0, PI, TAU, 20, Color("3a2a1c"), 8.0)
	draw_string(ThemeDB.fallback_font, Vector2(-13, 24), "You", HORIZONTAL_ALIGNMENT_LEFT, -1, 14)
