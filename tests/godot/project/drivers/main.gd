# Runs one scenario of a driver: godot res://drivers/main.tscn -- DRIVER SCENARIO ARGUMENTS...
extends Node

# Set to 2 (gRPC-Web), it overrides the project setting of that name.
const TRANSPORT_VARIABLE := "TOWNSFOLK_TEST_TRANSPORT"


func _ready() -> void:
	var transport := OS.get_environment(TRANSPORT_VARIABLE)
	if transport != "":
		ProjectSettings.set_setting("townsfolk/connection/transport", transport.to_int())
	var arguments := OS.get_cmdline_user_args()
	var script: GDScript = load("res://drivers/%s.gd" % arguments[0])
	var driver: Node = script.new()
	driver.set("arguments", arguments.slice(2))
	add_child(driver)
	await Callable(driver, arguments[1]).call()
	driver.queue_free()
	await get_tree().process_frame
	get_tree().quit()
