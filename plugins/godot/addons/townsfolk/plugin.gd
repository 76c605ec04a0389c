@tool
extends EditorPlugin

const TownsfolkDock := preload("editor/townsfolk_dock.gd")
const TownsfolkExport := preload("editor/townsfolk_export.gd")
const TownsfolkRuntime := preload("runtime/townsfolk_runtime.gd")
const TownsfolkSettings := preload("runtime/townsfolk_settings.gd")

var _dock: TownsfolkDock
var _editor_dock: Control  # an EditorDock, from Godot 4.6 on
var _export := TownsfolkExport.new()


func _enable_plugin() -> void:
	add_autoload_singleton(TownsfolkRuntime.AUTOLOAD, "runtime/townsfolk_runtime.gd")


func _disable_plugin() -> void:
	remove_autoload_singleton(TownsfolkRuntime.AUTOLOAD)


# The game is about to be played.
func _build() -> bool:
	_dock.make_room()
	return true


func _enter_tree() -> void:
	TownsfolkSettings.register()
	add_export_plugin(_export)
	_dock = TownsfolkDock.new()
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
	if _editor_dock != null:
		call(&"remove_dock", _editor_dock)
		_editor_dock.queue_free()
	else:
		remove_control_from_docks(_dock)
		_dock.queue_free()
