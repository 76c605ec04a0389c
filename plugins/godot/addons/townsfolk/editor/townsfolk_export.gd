## Puts the runtime's launch settings into an exported game, and warns when the game would miss the
## runtime or the model.
@tool
extends EditorExportPlugin

const TownsfolkSettings := preload("../runtime/townsfolk_settings.gd")

const DESKTOPS: Array[String] = ["linux", "windows", "macos"]


func _get_name() -> String:
	return "Townsfolk"


func _export_begin(features: PackedStringArray, _is_debug: bool, path: String, _flags: int) -> void:
	var transport: int = TownsfolkSettings.read(TownsfolkSettings.TRANSPORT)
	if "web" in features and transport == TownsfolkSettings.Transport.HTTP2:
		_warn(
			(
				"web pages have no sockets for HTTP/2: set Project Settings > Townsfolk > Connection > "
				+ "Transport to Automatic"
			)
		)
	if TownsfolkSettings.read(TownsfolkSettings.MODE) != TownsfolkSettings.Mode.LAUNCH:
		return
	var settings := TownsfolkSettings.exported_launch_settings()
	var text := JSON.stringify(settings, "\t")
	add_file(TownsfolkSettings.LAUNCH_FILE, text.to_utf8_buffer(), false)
	for problem in problems(settings, features, path):
		_warn(problem)


func _warn(problem: String) -> void:
	get_export_platform().add_message(
		EditorExportPlatform.EXPORT_MESSAGE_WARNING, "Townsfolk", problem
	)


## What an exported game with these settings would miss on a player's machine.
static func problems(
	settings: Dictionary, features: PackedStringArray, export_path: String
) -> PackedStringArray:
	var found := PackedStringArray()
	var is_desktop := DESKTOPS.any(func(system: String) -> bool: return system in features)
	if not is_desktop:
		found.append(
			(
				"this platform can't start a runtime beside the game: set Project Settings > "
				+ "Townsfolk > Runtime > Mode to connect to one, for this platform"
			)
		)
		return found
	var folder := ProjectSettings.globalize_path(export_path).get_base_dir()
	var executable: String = settings["executable"]
	if "windows" in features and executable.get_extension() == "":
		executable += ".exe"
	found.append_array(_path_problems("runtime", executable, folder))
	var model: String = settings["model"]
	if model == "starter":
		return found
	if TownsfolkSettings.is_model_name(model, folder):
		found.append('the model "%s" is not beside the game, so it is downloaded' % model)
		return found
	found.append_array(_path_problems("model", model, folder))
	return found


static func _path_problems(what: String, given: String, folder: String) -> PackedStringArray:
	var found := PackedStringArray()
	var path := given.trim_prefix("res://")
	if path.is_absolute_path():
		found.append(
			"the %s is at %s, a path of this machine: use one beside the game" % [what, path]
		)
	else:
		var full := folder.path_join(path)
		if not FileAccess.file_exists(full) and not DirAccess.dir_exists_absolute(full):
			found.append("the %s is missing: put it at %s" % [what, full])
	return found
