# In the editor: starts the runtime in the Townsfolk dock, talks to a persona, reports what the dock
# shows as lines with @@, and saves a picture to $TOWNSFOLK_SCREENSHOT when there is a screen.
@tool
extends EditorPlugin

const TownsfolkDock := preload("res://addons/townsfolk/editor/townsfolk_dock.gd")
const TownsfolkExport := preload("res://addons/townsfolk/editor/townsfolk_export.gd")
const TownsfolkPlugin := preload("res://addons/townsfolk/plugin.gd")

const SAID := ["Good evening! What is your name?", "What do you do for a living?"]


func _enter_tree() -> void:
	match OS.get_environment("TOWNSFOLK_PROBE"):
		"dock":
			_use_dock.call_deferred()
		"inspector":
			_inspect.call_deferred()
		"play":
			_play.call_deferred()
		"switch_off":
			_switch_off.call_deferred()


func _open_dock() -> TownsfolkDock:
	while _find_dock() == null or EditorInterface.get_resource_filesystem().is_scanning():
		await get_tree().process_frame
	var dock := _find_dock()
	var tabs := dock.get_parent().get_parent() as TabContainer
	if tabs != null:
		tabs.current_tab = tabs.get_tab_idx_from_control(dock.get_parent())
	return dock


# The play button is pressed while the dock's own runtime is up, and then the stop button.
func _play() -> void:
	var dock := await _open_dock()
	_show_inspector(dock)
	dock.toggle()
	while not dock.runtime.is_ready():
		await get_tree().process_frame
	EditorInterface.play_main_scene()
	var sessions: Tree = dock.inspector.get("_sessions")
	while _cells(sessions) == "[]":
		await get_tree().process_frame
	_report(
		"played",
		{
			"sessions": _cells(sessions),
			"is_the_docks": dock.inspector.runtime == dock.runtime,
			"docks_runtime": dock.get("_state_label").text,
		}
	)
	EditorInterface.stop_playing_scene()
	while dock.inspector.runtime != dock.runtime:
		await get_tree().process_frame
	_report("ended", {"is_playing": EditorInterface.is_playing_scene()})
	get_tree().quit()


# The add-on is switched off in a project out of which somebody has taken its autoload.
func _switch_off() -> void:
	await _open_dock()
	EditorInterface.set_plugin_enabled("townsfolk", false)
	await get_tree().process_frame
	_report("switched_off", {"is_there": _find_dock() != null})
	EditorInterface.set_plugin_enabled("townsfolk", true)
	await get_tree().process_frame
	remove_autoload_singleton("TownsfolkRuntime")
	EditorInterface.set_plugin_enabled("townsfolk", false)
	await get_tree().process_frame
	_report("switched_off", {"is_there": _find_dock() != null})
	get_tree().quit()


# Looks into a game's runtime, as the game tells where it is: a script plays the model.
func _inspect() -> void:
	var dock := await _open_dock()
	var link: TownsfolkPlugin.GameLink = _find_plugin().get("_game_link")
	var facts := OS.get_environment("TOWNSFOLK_PROBE_ENDPOINT").split(" ")
	link.call("_capture", "townsfolk:runtime", [facts[0], facts[1]], 0)
	var inspector := dock.inspector
	_show_inspector(dock)
	var sessions: Tree = inspector.get("_sessions")
	var prompt: RichTextLabel = inspector.get("_prompt")
	var status: Label = inspector.get("_status")
	while prompt.get_parsed_text().length() < 100 or not status.text.contains(" run, "):
		await get_tree().process_frame
	var tables := {"sessions": sessions, "turns": inspector.get("_turns")}
	tables["errors"] = inspector.get("_errors")
	for table: String in tables:
		_report("table", {"name": table, "cells": _cells(tables[table])})
	_report("prompt", {"text": prompt.get_parsed_text()})
	_report("transcript", {"text": inspector.get("_transcript").get_parsed_text()})
	_report("status", {"text": status.text})
	sessions.get_root().get_child(1).select(0)
	while not prompt.get_parsed_text().contains("You are Brann"):
		await get_tree().process_frame
	_report("prompt", {"text": prompt.get_parsed_text()})
	await _save_picture()
	var file := OS.get_environment("TOWNSFOLK_PROBE_RECORDING")
	inspector.record(file)
	var recorder: Object = inspector.get("_recorder")
	while recorder.path != "" and FileAccess.get_file_as_string(file).count("\n") < 2:
		await get_tree().process_frame
	_report("recorded", {"problem": recorder.problem})
	recorder.stop()
	link.game_ended.emit()
	_report("left", {"is_the_docks": inspector.runtime == dock.runtime, "rows": _cells(sessions)})
	get_tree().quit()


static func _show_inspector(dock: TownsfolkDock) -> void:
	var tabs: TabContainer = dock.get("_tabs")
	tabs.current_tab = tabs.get_tab_idx_from_control(dock.inspector)


static func _cells(table: Tree) -> String:
	var rows := []
	if table.get_root() != null:
		for item: TreeItem in table.get_root().get_children():
			var row := []
			for column in table.columns:
				row.append(item.get_text(column))
			rows.append(row)
	return JSON.stringify(rows)


func _save_picture() -> void:
	var picture := OS.get_environment("TOWNSFOLK_SCREENSHOT")
	if picture != "":
		# The counters come once a second.
		await get_tree().create_timer(2.0).timeout
		RenderingServer.force_draw()
		get_tree().root.get_texture().get_image().save_png(picture)


func _use_dock() -> void:
	var dock := await _open_dock()
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
	await _save_picture()
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


func _find_plugin() -> TownsfolkPlugin:
	for node: Node in get_parent().get_children():
		if node is TownsfolkPlugin:
			return node
	return null
