@tool
extends EditorPlugin

const GameLink := preload("editor/game_link.gd")
const TownsfolkDock := preload("editor/townsfolk_dock.gd")
const TownsfolkExport := preload("editor/townsfolk_export.gd")
const TownsfolkRuntime := preload("runtime/townsfolk_runtime.gd")
const TownsfolkSettings := preload("runtime/townsfolk_settings.gd")

var _dock: TownsfolkDock
var _editor_dock: Control  # an EditorDock, from Godot 4.6 on
var _export := TownsfolkExport.new()
var _game_link := GameLink.new()


func _enable_plugin() -> void:
	add_autoload_singleton(TownsfolkRuntime.AUTOLOAD, "runtime/townsfolk_runtime.gd")


func _disable_plugin() -> void:
	# Somebody may have taken it out of the project, which Godot would call an error.
	if ProjectSettings.has_setting("autoload/%s" % TownsfolkRuntime.AUTOLOAD):
		remove_autoload_singleton(TownsfolkRuntime.AUTOLOAD)


# The game is about to be played.
func _build() -> bool:
	_dock.make_room()
	return true


func _enter_tree() -> void:
	TownsfolkSettings.register()
	add_export_plugin(_export)
	_dock = TownsfolkDock.new()
	_game_link.game_connected.connect(_dock.inspect_game)
	_game_link.game_ended.connect(_dock.leave_game)
	add_debugger_plugin(_game_link)
	if ClassDB.class_exists(&"EditorDock"):
		_editor_dock = ClassDB.instantiate(&"EditorDock")
		_editor_dock.set(&"title", "Townsfolk")
		_editor_dock.set(&"default_slot", DOCK_SLOT_RIGHT_BL)
		_editor_dock.add_child(_dock)
		call(&"add_dock", _editor_dock)
	else:
		add_control_to_dock(DOCK_SLOT_RIGHT_BL, _dock)


func _exit_tree() -> void:
	remove_export_plugin(_export)
	remove_debugger_plugin(_game_link)
	if _editor_dock != null:
		call(&"remove_dock", _editor_dock)
		_editor_dock.queue_free()
	else:
		remove_control_from_docks(_dock)
		_dock.queue_free()
