# Measures what the add-on costs the main thread: 20 NPCs speak at once, and each frame the time
# spent in the runtime's processing is taken; agents do all their work in its signals.
# See tests/godot/measure_frame_cost.py.
extends "res://drivers/driver.gd"

const TownsfolkRuntime := preload("res://addons/townsfolk/runtime/townsfolk_runtime.gd")

const NPC_COUNT := 20

var _runtime: TownsfolkRuntime
var _npcs: Array[NpcAgent] = []
var _shown := {}
var _frame_msec: Array[float] = []
var _is_measuring := false


func _ready() -> void:
	_runtime = get_node("/root/TownsfolkRuntime")
	_runtime.set_process(false)
	Engine.max_fps = arguments[2].to_int()


# Instead of the engine, so that exactly the add-on's work is timed: socket, HTTP/2, protobuf,
# sessions, signals, and a handler for each, as a game has one.
func _process(delta: float) -> void:
	var start := Time.get_ticks_usec()
	_runtime._process(delta)
	if _is_measuring:
		_frame_msec.append((Time.get_ticks_usec() - start) / 1000.0)


func speak() -> void:
	_runtime.connect_to_runtime(arguments[0])
	while not _runtime.is_ready():
		await get_tree().process_frame
	for number in NPC_COUNT:
		var npc := NpcAgent.new()
		npc.persona = NpcPersona.new()
		npc.persona.name = "Npc %d" % number
		npc.text_streamed.connect(func(text: String) -> void: _shown[number] = text)
		add_child(npc)
		_npcs.append(npc)
	var turns: Array[NpcTurn] = []
	for npc in _npcs:
		turns.append(npc.say("Tell me a story."))
	while turns.any(func(turn: NpcTurn) -> bool: return turn.text == ""):
		await get_tree().process_frame
	_is_measuring = true
	var start := Time.get_ticks_msec()
	var characters := _length(turns)
	await get_tree().create_timer(arguments[1].to_float()).timeout
	_is_measuring = false
	var seconds := (Time.get_ticks_msec() - start) / 1000.0
	report(
		"frames",
		{
			"msec": _frame_msec,
			"seconds": seconds,
			"characters": _length(turns) - characters,
		}
	)


func _length(turns: Array[NpcTurn]) -> int:
	var total := 0
	for turn in turns:
		total += turn.text.length()
	return total
