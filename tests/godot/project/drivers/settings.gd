# What the settings mean, without a runtime.
extends "driver.gd"

const TownsfolkExport := preload("res://addons/townsfolk/editor/townsfolk_export.gd")
const TownsfolkSettings := preload("res://addons/townsfolk/runtime/townsfolk_settings.gd")


func models() -> void:
	for model in arguments:
		report("model", {"name": model, "path": TownsfolkSettings.find_model(model)})


func launch_in_vain() -> void:
	var runtime: Node = get_node("/root/TownsfolkRuntime")
	runtime.call("launch", "", arguments[0])
	report("launch", {"message": runtime.get("message")})


func exports() -> void:
	for model in arguments.slice(1):
		var settings := {"executable": "townsfolk", "model": model}
		var found := TownsfolkExport.problems(settings, ["linux"], arguments[0])
		report("export", {"name": model, "problems": found})


func packs() -> void:
	var runtime: Node = get_node("/root/TownsfolkRuntime")
	for text: String in ["It floods.", "It floods.", "It falls dry."]:
		var pack := LorePack.new()
		pack.lore_id = "ford"
		pack.text = text
		runtime.call("check_pack", pack)
		pack.text += " Often."
		runtime.call("check_pack", pack)
