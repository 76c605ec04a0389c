# Visits the tavern sample: lets the villagers talk, talks to Mira, reports what was said on lines
# with @@, and saves pictures to $TOWNSFOLK_SCREENSHOT-1.png and so on when there is a screen.
# Run with: godot --path samples/godot/tavern -s tests/godot/tavern_tour.gd
extends SceneTree

const OWN_WORDS := "What is your trade?"

var _spoken: Dictionary = {}
var _most_at_once := 0


func _initialize() -> void:
	_tour.call_deferred()


func _tour() -> void:
	change_scene_to_file("res://tavern.tscn")
	while current_scene == null:
		await process_frame
	var tavern := current_scene
	var people := tavern.get_node("People")
	for villager in people.get_children():
		if villager is Node2D and villager.get("agent") != null:
			var agent: NpcAgent = villager.get("agent")
			agent.reply_finished.connect(_on_reply_finished.bind(agent))
			agent.text_streamed.connect(_count_speakers.bind(people).unbind(1))
	while not root.get_node("TownsfolkRuntime").is_ready():
		await process_frame
	while _spoken.size() < 5 or _most_at_once < 2:
		await process_frame
	await _save_picture(1)
	tavern.get_node("Overlay").show_it(true)
	await root.get_node("TownsfolkRuntime").stats_updated
	await _save_picture(2)
	tavern.get_node("Overlay").show_it(false)
	await _talk_to_mira(tavern)
	var remembered := {}
	for villager in people.get_children():
		if villager is Node2D and villager.get("agent") != null:
			remembered[villager.name] = villager.get("agent").transcript().map(
				func(entry: Dictionary) -> Array:
					return [entry["kind"], entry["speaker"], entry["text"].uri_encode()]
			)
	_report("tour", {"spoken": _spoken, "remembered": remembered})
	# What is being chosen is awaited: the engine would tell of it at the end.
	var small_talk := tavern.get_node("SmallTalk")
	small_talk.set_process(false)
	await _until(func() -> bool: return not small_talk.is_opening())
	quit()


# As a player: E, a choice by its number, then words of one's own.
func _talk_to_mira(tavern: Node) -> void:
	var mira: Node2D = tavern.get_node("People/Mira")
	var agent: NpcAgent = mira.get("agent")
	tavern.get_node("People/Player").position = Vector2(200, 372)
	await _until(func() -> bool: return tavern.get("_nearest") == mira)
	await _press(KEY_E)
	await _answer_to(agent, KEY_1)
	await _save_picture(3)
	await _until(_is_choosing)
	await _save_picture(4)
	await _press(KEY_3)
	for letter in OWN_WORDS:
		await _press(KEY_UNKNOWN, letter.unicode_at(0))
	await _save_picture(5)
	await _answer_to(agent, KEY_ENTER)
	await _until(_is_choosing)
	await _press(KEY_ESCAPE)
	_report("talk", {"ended": tavern.get_node("Talk").get("partner") == null})


func _answer_to(agent: NpcAgent, key: Key) -> void:
	if key != KEY_ENTER:
		await _until(_is_choosing)
	_press(key)
	var turn: NpcTurn = await agent.reply_finished
	_report("answer", {"prompt": turn.prompt.uri_encode(), "text": turn.text.uri_encode()})


func _is_choosing() -> bool:
	var box: NpcDialogueBox = current_scene.get_node("BoxLayer/Box")
	return box.visible and box.get("_choices").visible


func _until(condition: Callable) -> void:
	while not condition.call():
		await process_frame


func _press(key: Key, letter := 0) -> void:
	for is_pressed: bool in [true, false]:
		var event := InputEventKey.new()
		event.keycode = key
		event.physical_keycode = key
		event.unicode = letter
		event.pressed = is_pressed
		Input.parse_input_event(event)
	Input.flush_buffered_events()
	await process_frame


func _count_speakers(people: Node) -> void:
	var count := 0
	for villager in people.get_children():
		var agent: NpcAgent = villager.get("agent")
		if agent != null and agent.current_turn != null:
			count += int(agent.current_turn.state == NpcTurn.State.SPEAKING)
	_most_at_once = maxi(_most_at_once, count)


func _on_reply_finished(turn: NpcTurn, agent: NpcAgent) -> void:
	if not turn.is_fallback:
		_spoken[agent.persona.name] = turn.text.uri_encode()


func _report(event: String, details: Dictionary) -> void:
	print("@@", JSON.stringify({"event": event}.merged(details)))


func _save_picture(number: int) -> void:
	var path := OS.get_environment("TOWNSFOLK_SCREENSHOT")
	if path != "":
		await create_timer(0.6).timeout
		RenderingServer.force_draw()
		root.get_texture().get_image().save_png("%s-%d.png" % [path, number])
