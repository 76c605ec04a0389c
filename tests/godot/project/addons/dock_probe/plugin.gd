# In the editor: starts the runtime in the Townsfolk dock, talks to a persona, reports what the dock
# shows as lines with @@, and saves a picture to $TOWNSFOLK_SCREENSHOT when there is a screen.
@tool
extends EditorPlugin

const TownsfolkDock := preload("res://addons/townsfolk/editor/townsfolk_dock.gd")
const TownsfolkExport := preload("res://addons/townsfolk/editor/townsfolk_export.gd")

const SAID := ["Good evening! What is your name?", "What do you do for a living?"]


func _enter_tree() -> void:
	if OS.get_environment("TOWNSFOLK_PROBE") == "dock":
		_use_dock.call_deferred()


func _use_dock() -> void:
	while _find_dock() == null or EditorInterface.get_resource_filesystem().is_scanning():
		await get_tree().process_frame
	var dock := _find_dock()
	var tabs := dock.get_parent().get_parent() as TabContainer
	if tabs != null:
		tabs.current_tab = tabs.get_tab_idx_from_control(dock.get_parent())
	EditorInterface.edit_resource(load("res://addons/townsfolk/templates/innkeeper.tres"))
	await get_tree().process_frame
	dock.toggle()
	while not dock.runtime.is_ready():
		if dock.runtime.state == TownsfolkDock.State.FAILED:
			_report("failed", {"message": dock.runtime.message})
			get_tree().quit()
			return
		await get_tree().process_frame
	for line: String in SAID:
		dock.chat.say(line)
		var agent: NpcAgent = dock.chat.get("_agent")
		await agent.reply_finished
	_report(
		"dock",
		{
			"state": dock.get("_state_label").text,
			"persona": dock.chat.persona.name,
			"chat": dock.chat.get("_history").get_parsed_text(),
			"pid": dock.runtime.process_id(),
		}
	)
	await _edit_the_persona(dock)
	var picture := OS.get_environment("TOWNSFOLK_SCREENSHOT")
	if picture != "":
		# The counters come once a second.
		await get_tree().create_timer(2.0).timeout
		RenderingServer.force_draw()
		get_tree().root.get_texture().get_image().save_png(picture)
	dock.make_room()
	_report("stopped", {"state": dock.get("_state_label").text})
	get_tree().quit()


func _edit_the_persona(dock: TownsfolkDock) -> void:
	var agent: NpcAgent = dock.chat.get("_agent")
	var scene_agent := NpcAgent.new()
	scene_agent.persona = dock.chat.persona
	scene_agent.sampling = NpcSampling.new()
	scene_agent.sampling.max_new_tokens = 1
	EditorInterface.get_inspector().edit(scene_agent)
	await get_tree().process_frame
	dock.chat.persona.name = "Brann"
	dock.chat.say("And now?")
	var turn: NpcTurn = await agent.reply_finished
	var speakers := []
	for entry: Dictionary in agent.transcript():
		speakers.append(entry["speaker"])
	dock.chat.start_over()
	_report(
		"edited",
		{
			"speakers": ",".join(speakers),
			"tokens": turn.generated_tokens,
			"left": agent.transcript().size(),
			"chat": dock.chat.get("_history").get_parsed_text(),
		}
	)
	EditorInterface.get_inspector().edit(null)
	scene_agent.free()


func _report(event: String, details: Dictionary) -> void:
	var encoded := {}
	for key: String in details:
		encoded[key] = str(details[key]).uri_encode()
	print("@@", JSON.stringify({"event": event}.merged(encoded)))


func _find_dock() -> TownsfolkDock:
	for node: Node in get_tree().root.find_children("Townsfolk", "VBoxContainer", true, false):
		if node is TownsfolkDock:
			return node
	return null
