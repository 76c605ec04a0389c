## The tavern: brings player, villagers, small talk, the player's talk and what is on the screen
## together.
extends Node2D

const Hud := preload("hud.gd")
const Overlay := preload("overlay.gd")
const Player := preload("player.gd")
const SmallTalk := preload("small_talk.gd")
const Talk := preload("talk.gd")
const TownsfolkRuntime := preload("res://addons/townsfolk/runtime/townsfolk_runtime.gd")

const TALK_DISTANCE := 150.0

var _villagers: Array[Villager] = []
var _nearest: Villager

@onready var _runtime: TownsfolkRuntime = get_node("/root/TownsfolkRuntime")
@onready var _player: Player = $People/Player
@onready var _hud: Hud = $Hud
@onready var _talk: Talk = $Talk
@onready var _small_talk: SmallTalk = $SmallTalk
@onready var _overlay: Overlay = $Overlay


func _ready() -> void:
	for node in $People.get_children():
		if node is Villager:
			_villagers.append(node)
	_overlay.villagers = _villagers
	_runtime.state_changed.connect(func(_state: TownsfolkRuntime.State) -> void: _show_state())
	_runtime.startup_progressed.connect(_hud.show_message)
	var people := $People
	for pair: Array in [
		["Brann", "Tomas"], ["Ada", "Odo"], ["Wenna", "Pell"], ["Mira", "Brann"], ["Mira", "Pell"]
	]:
		var first: String = pair[0]
		var second: String = pair[1]
		_small_talk.add_pair(people.get_node(first), people.get_node(second))
	_show_state()


func _process(_delta: float) -> void:
	_player.is_talking = _talk.partner != null
	if not _player.is_talking:
		_find_nearest()


func _unhandled_input(event: InputEvent) -> void:
	if _player.is_talking or event.is_echo():
		return
	var click := event as InputEventMouseButton
	if click != null and click.pressed and click.button_index == MOUSE_BUTTON_LEFT:
		_player.walk_to(get_global_mouse_position())
	elif event.is_action_pressed(&"ui_cancel") and _nearest != null:
		_nearest.bubble.interrupt()
	elif event is InputEventKey and (event as InputEventKey).physical_keycode == KEY_E:
		if event.is_pressed() and _nearest != null:
			get_viewport().set_input_as_handled()
			talk_to(_nearest)


## Begins a talk with a villager.
func talk_to(villager: Villager) -> void:
	_hud.offer(null)
	villager.look_at_body(_player)
	_talk.begin(villager)


func _find_nearest() -> void:
	var nearest: Villager = null
	var smallest := TALK_DISTANCE
	for villager in _villagers:
		var distance := villager.position.distance_to(_player.position)
		if distance < smallest:
			smallest = distance
			nearest = villager
	if nearest == _nearest:
		_hud.offer(nearest)
		return
	for villager: Villager in [_nearest, nearest]:
		if villager != null:
			villager.is_highlighted = villager == nearest
	_nearest = nearest
	_hud.offer(nearest)


func _show_state() -> void:
	_hud.show_message("" if _runtime.is_ready() else _runtime.message)
