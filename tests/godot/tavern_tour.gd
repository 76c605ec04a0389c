# Visits the tavern sample: lets the villagers talk, talks to Mira, reports what was said on lines
# with @@, and saves pictures to $TOWNSFOLK_SCREENSHOT-1.png and -2.png when there is a screen.
# Run with: godot --path samples/godot/tavern -s tests/godot/tavern_tour.gd
extends SceneTree

const LINES: Array[String] = ["Good evening! What is your name?", "What is your trade?"]

var _spoken: Dictionary = {}


func _initialize() -> void:
	_tour.call_deferred()


func _tour() -> void:
	change_scene_to_file("res://tavern.tscn")
	while current_scene == null:
		await process_frame
	var tavern := current_scene
	for villager: Node in tavern.find_children("*", "Node2D"):
		if villager.get("agent") != null:
			var agent: NpcAgent = villager.get("agent")
			agent.reply_finished.connect(_on_reply_finished.bind(agent))
	while not root.get_node("TownsfolkRuntime").is_ready():
		await process_frame
	await create_timer(7.0).timeout
	_save_picture(1)
	var mira: Node2D = tavern.get_node("Mira")
	tavern.get_node("Player").position = mira.position + Vector2(60, 110)
	await create_timer(0.2).timeout
	tavern.call("talk_to", mira)
	for line in LINES:
		tavern.get_node("Hud").emit_signal("line_written", line)
		var agent: NpcAgent = mira.get("agent")
		var turn: NpcTurn = await agent.reply_finished
		print("@@", JSON.stringify({"event": "answer", "text": turn.text.uri_encode()}))
		await create_timer(2.0).timeout
	var hud := tavern.get_node("Hud")
	(hud.get("_input") as LineEdit).text = "Have you heard of the lights at the watchtower?"
	await create_timer(0.2).timeout
	_save_picture(2)
	print("@@", JSON.stringify({"event": "tour", "speakers": _spoken.keys()}))
	quit()


func _on_reply_finished(turn: NpcTurn, agent: NpcAgent) -> void:
	if not turn.is_fallback:
		_spoken[agent.persona.name] = turn.text


func _save_picture(number: int) -> void:
	var path := OS.get_environment("TOWNSFOLK_SCREENSHOT")
	if path != "":
		RenderingServer.force_draw()
		root.get_texture().get_image().save_png("%s-%d.png" % [path, number])
