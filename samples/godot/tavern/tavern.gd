## The tavern: brings player, villagers, small talk and HUD together.
extends Node2D

const Hud := preload("hud.gd")
const Player := preload("player.gd")
const SmallTalk := preload("small_talk.gd")
const TownsfolkRuntime := preload("res://addons/townsfolk/runtime/townsfolk_runtime.gd")

const TALK_DISTANCE := 130.0

var _nearest: Villager
var _partner: Villager  # whom the player is talking to

@onready var _runtime: TownsfolkRuntime = get_node("/root/TownsfolkRuntime")
@onready var _player: Player = $Player
@onready var _hud: Hud = $Hud
@onready var _small_talk: SmallTalk = $SmallTalk


func _ready() -> void:
	_runtime.watches_stats = true
	_runtime.state_changed.connect(func(_state: TownsfolkRuntime.State) -> void: _show_status())
	_runtime.stats_updated.connect(
		func(_stats: TownsfolkRuntime.Townsfolk.WatchStatsResponse) -> void: _show_status()
	)
	_runtime.startup_progressed.connect(_hud.show_status)
	_hud.line_written.connect(_on_line_written)
	_hud.writing_ended.connect(_end_talk)
	_small_talk.add_pair($Brann, $Tomas)
	_small_talk.add_pair($Ada, $Wenna)
	_small_talk.add_pair($Wenna, $Mira)
	_small_talk.add_pair($Mira, $Brann)
	_show_status()


func _process(_delta: float) -> void:
	_player.is_writing = _hud.is_writing()
	if _partner == null:
		_find_nearest()


func _unhandled_input(event: InputEvent) -> void:
	var click := event as InputEventMouseButton
	if click != null and click.pressed and click.button_index == MOUSE_BUTTON_LEFT:
		_player.walk_to(get_global_mouse_position())
	elif event.is_action_pressed(&"ui_cancel") and _nearest != null:
		_nearest.interrupt()
	elif event is InputEventKey and (event as InputEventKey).physical_keycode == KEY_E:
		if event.is_pressed() and _nearest != null and not _hud.is_writing():
			get_viewport().set_input_as_handled()
			talk_to(_nearest)


## Begins a talk with a villager: what it is saying to others is cut off.
func talk_to(villager: Villager) -> void:
	_partner = villager
	villager.is_with_player = true
	villager.is_highlighted = true
	if villager.agent.is_busy():
		villager.interrupt()
	_hud.start_writing(villager.persona.name)


func _on_line_written(text: String) -> void:
	if _partner != null:
		_partner.agent.say(text, "Traveler")


func _end_talk() -> void:
	if _partner != null:
		_partner.is_with_player = false
	_partner = null


func _find_nearest() -> void:
	var nearest: Villager = null
	var smallest := TALK_DISTANCE
	for node in get_children():
		var villager := node as Villager
		if villager == null:
			continue
		var distance := villager.position.distance_to(_player.position)
		if distance < smallest:
			smallest = distance
			nearest = villager
	if nearest != _nearest:
		for villager: Villager in [_nearest, nearest]:
			if villager != null:
				villager.is_highlighted = villager == nearest
		_nearest = nearest
	_hud.offer("" if nearest == null else nearest.persona.name)


func _show_status() -> void:
	if not _runtime.is_ready():
		_hud.show_status("Runtime: " + _runtime.message)
		return
	var stats := _runtime.stats
	(
		_hud
		. show_status(
			(
				"%s on %s    %d speaking, %d waiting    %.0f tokens/s    first token %.0f ms (p99 %.0f)"
				% [
					_runtime.info.model,
					_runtime.info.device,
					stats.running,
					stats.waiting,
					stats.tokens_per_second,
					stats.ttft_p50_ms,
					stats.ttft_p99_ms,
				]
			)
		)
	)
