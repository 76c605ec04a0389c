## A character's priority: its own, and more for how near it is to whoever listens.
@tool
extends RefCounted

## The group of the node that listens; without one it is the current camera.
const LISTENER_GROUP := &"townsfolk_listener"
## What nearness adds to the priority at most.
const NEAREST_BONUS := 50
const INTERVAL_SECONDS := 0.25
## Changes of the priority smaller than this are not worth a message.
const STEP := 5

const NpcSession := preload("../runtime/npc_session.gd")

var _agent: NpcAgent
var _session: NpcSession
var _wait := 0.0


func _init(agent: NpcAgent, session: NpcSession) -> void:
	_agent = agent
	_session = session


## Tells the session now and then of the priority that nearness makes. Call it every frame.
func poll(delta: float) -> void:
	_wait -= delta
	if _wait <= 0.0:
		_wait = INTERVAL_SECONDS
		update()


## Tells the session of the priority.
func update() -> void:
	var wanted := priority()
	if absi(wanted - _session.priority) >= STEP or _agent.attention_anchor == null:
		_session.update_priority(wanted)


## The priority, -100 to 100.
func priority() -> int:
	var anchor := _agent.attention_anchor
	var is_there := anchor != null and anchor.is_inside_tree()
	var nearness := bonus(anchor, _agent.attention_range) if is_there else 0
	return clampi(_agent.priority + nearness, -100, 100)


## What to add to the priority of a character at this anchor: NEAREST_BONUS right beside the
## listener, 0 from the range on.
static func bonus(anchor: Node, attention_range: float) -> int:
	var distance := _distance(anchor)
	if distance < 0.0 or attention_range <= 0.0:
		return 0
	return roundi(NEAREST_BONUS * clampf(1.0 - distance / attention_range, 0.0, 1.0))


static func _distance(anchor: Node) -> float:
	var listener := anchor.get_tree().get_first_node_in_group(LISTENER_GROUP)
	if anchor is Node2D:
		var here := (anchor as Node2D).global_position
		if listener is Node2D:
			return here.distance_to((listener as Node2D).global_position)
		var camera := anchor.get_viewport().get_camera_2d()
		return -1.0 if camera == null else here.distance_to(camera.get_screen_center_position())
	if anchor is Node3D:
		var here := (anchor as Node3D).global_position
		if listener is Node3D:
			return here.distance_to((listener as Node3D).global_position)
		var camera := anchor.get_viewport().get_camera_3d()
		return -1.0 if camera == null else here.distance_to(camera.global_position)
	return -1.0
