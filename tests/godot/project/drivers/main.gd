# Runs one scenario of a driver: godot res://drivers/main.tscn -- DRIVER SCENARIO ARGUMENTS...
extends Node


func _ready() -> void:
	var arguments := OS.get_cmdline_user_args()
	var script: GDScript = load("res://drivers/%s.gd" % arguments[0])
	var driver: Node = script.new()
	driver.set("arguments", arguments.slice(2))
	add_child(driver)
	await Callable(driver, arguments[1]).call()
	driver.queue_free()
	await get_tree().process_frame
	get_tree().quit()
