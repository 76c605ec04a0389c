## The player: walks with WASD, the arrows, a gamepad's stick or a click.
extends TavernBody

const SPEED := 230.0

## Where the player may walk.
@export var room := Rect2(60, 262, 1160, 410)
## What stands in the way: places, and how wide around them.
@export var obstacles: Dictionary[Vector2, float] = {}

## While the player talks, keys are letters and clicks are choices.
var is_talking := false

var _goal := Vector2.INF


func _ready() -> void:
	add_to_group(&"townsfolk_listener")


func _process(delta: float) -> void:
	super(delta)
	if is_talking:
		_goal = Vector2.INF
		return
	var direction := _direction()
	if direction != Vector2.ZERO:
		_goal = Vector2.INF
	elif _goal != Vector2.INF:
		direction = position.direction_to(_goal)
		if position.distance_to(_goal) < 6.0:
			_goal = Vector2.INF
	if direction == Vector2.ZERO:
		return
	var place := position + direction * SPEED * delta
	for obstacle in obstacles:
		# As they are seen from above: half as high as wide.
		var away := (place - obstacle) * Vector2(1.0, 2.0)
		if away.length() < obstacles[obstacle]:
			place = obstacle + away.normalized() * obstacles[obstacle] * Vector2(1.0, 0.5)
	position = place.clamp(room.position, room.end)
	if absf(direction.x) > 0.1 and signf(direction.x) != facing:
		facing = signf(direction.x)
		queue_redraw()


## Walks there.
func walk_to(goal: Vector2) -> void:
	_goal = goal


func _direction() -> Vector2:
	var keys := Vector2(
		int(Input.is_physical_key_pressed(KEY_D)) - int(Input.is_physical_key_pressed(KEY_A)),
		int(Input.is_physical_key_pressed(KEY_S)) - int(Input.is_physical_key_pressed(KEY_W))
	)
	return (keys + Input.get_vector(&"ui_left", &"ui_right", &"ui_up", &"ui_down")).limit_length()
