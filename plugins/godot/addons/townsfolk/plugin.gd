@tool
extends EditorPlugin

const TownsfolkRuntime := preload("runtime/townsfolk_runtime.gd")
const TownsfolkSettings := preload("runtime/townsfolk_settings.gd")


func _enable_plugin() -> void:
	add_autoload_singleton(TownsfolkRuntime.AUTOLOAD, "runtime/townsfolk_runtime.gd")


func _disable_plugin() -> void:
	remove_autoload_singleton(TownsfolkRuntime.AUTOLOAD)


func _enter_tree() -> void:
	TownsfolkSettings.register()
