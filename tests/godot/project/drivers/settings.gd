# What the settings mean, without a runtime.
extends "driver.gd"

const TownsfolkExport := preload("res://addons/townsfolk/editor/townsfolk_export.gd")
const ModelPicker := preload("res://addons/townsfolk/editor/model_picker.gd")
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


func pick() -> void:
	var picker := ModelPicker.new()
	add_child(picker)
	var count := [0]
	picker.chosen.connect(func(_model: String) -> void: count[0] += 1)
	for model in arguments:
		picker.choose(model)
		var setting: String = TownsfolkSettings.read(TownsfolkSettings.MODEL)
		report("pick", {"model": setting, "chosen": count[0], "problem": picker.problem()})
	picker.list_models()
	while picker.listed.is_empty():
		await get_tree().process_frame
	var menu: MenuButton = picker.find_children("*", "MenuButton", true, false)[0]
	var files: FileDialog = picker.find_children("*", "FileDialog", true, false)[0]
	var names: Array[String] = []
	for index in menu.get_popup().item_count:
		names.append(menu.get_popup().get_item_text(index))
	var tooltip := menu.get_popup().get_item_tooltip(names.find("llama-3.2-1b"))
	report("listed", {"names": names, "tooltip": tooltip, "filters": Array(files.filters)})
	picker.queue_free()


# What the inspector marks as changed on a node or resource that nobody has touched.
func untouched() -> void:
	var changed: Array[String] = []
	for made: Object in [
		NpcAgent.new(), NpcDialogueBox.new(), NpcPersona.new(), LorePack.new(), NpcSampling.new()
	]:
		var script: GDScript = made.get_script()
		for property: Dictionary in script.get_script_property_list():
			if property["usage"] & PROPERTY_USAGE_STORAGE:
				var name: String = property["name"]
				var usual: Variant = script.get_property_default_value(name)
				if typeof(usual) != typeof(made.get(name)) or usual != made.get(name):
					changed.append("%s.%s" % [script.get_global_name(), name])
		if made is Node:
			(made as Node).free()
	report("untouched", {"changed": changed})
