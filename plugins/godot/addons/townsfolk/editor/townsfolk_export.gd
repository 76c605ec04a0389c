## Puts the launch settings into an exported game and the runtime's bundle beside it; warns when the
## game would miss the runtime or the model.
@tool
extends EditorExportPlugin

const TownsfolkBundle := preload("../runtime/townsfolk_bundle.gd")
const TownsfolkSettings := preload("../runtime/townsfolk_settings.gd")

const DESKTOPS: Array[String] = ["linux", "windows", "macos"]
const PLUGIN := "res://addons/townsfolk/plugin.cfg"
const FILES_SHOWN := 3
## What an export can be packed into, so that nothing can be laid beside the game.
const PACKED: Array[String] = ["zip", "dmg", "app", "pck"]

var _bundle_target := ""


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
	_bundle_target = bundle_target(features, path)
	var settings := TownsfolkSettings.exported_launch_settings()
	var text := JSON.stringify(settings, "\t")
	add_file(TownsfolkSettings.LAUNCH_FILE, text.to_utf8_buffer(), false)
	for problem in problems(settings, features, path):
		_warn(problem)


func _export_end() -> void:
	if _bundle_target == "":
		return
	var bundle: TownsfolkBundle = TownsfolkBundle.open(TownsfolkSettings.export_bundle())
	var error := "" if bundle == null else bundle.copy_to(_bundle_target)
	_bundle_target = ""
	if error != "":
		get_export_platform().add_message(
			EditorExportPlatform.EXPORT_MESSAGE_ERROR, "Townsfolk", error
		)


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
	var bundle_folder := TownsfolkSettings.export_bundle()
	if bundle_folder != "":
		found.append_array(bundle_problems(bundle_folder, features, export_path))
		found.append_array(_model_problems(settings, folder, bundle_folder))
		return found
	var executable: String = settings["executable"]
	if "windows" in features and executable.get_extension() == "":
		executable += ".exe"
	found.append_array(_path_problems("runtime", executable, folder))
	found.append_array(_model_problems(settings, folder, ""))
	return found


## Where an export lays the bundle; empty where it lays none.
static func bundle_target(features: PackedStringArray, export_path: String) -> String:
	var bundle: TownsfolkBundle = TownsfolkBundle.open(TownsfolkSettings.export_bundle())
	if bundle == null or not bundle.system() in features:
		return ""
	if export_path.get_extension().to_lower() in PACKED:
		return ""
	var folder := ProjectSettings.globalize_path(export_path).get_base_dir()
	return folder.path_join(TownsfolkBundle.FOLDER)


## What is wrong with the bundle that a game is to take along.
static func bundle_problems(
	folder: String, features: PackedStringArray, export_path: String
) -> PackedStringArray:
	var found := PackedStringArray()
	var bundle: TownsfolkBundle = TownsfolkBundle.open(folder)
	if bundle == null:
		found.append(
			"%s holds no bundle: make one with `townsfolk bundle --out %s`" % [folder, folder]
		)
		return found
	if not bundle.system() in features:
		found.append(
			(
				"the bundle %s is for %s: make one on the system that you export for"
				% [folder, bundle.system()]
			)
		)
	var plugin := ConfigFile.new()
	plugin.load(PLUGIN)
	var version: String = plugin.get_value("plugin", "version", "")
	if bundle.version() != version:
		found.append(
			(
				"the bundle is of Townsfolk %s, this add-on is %s: make the bundle anew"
				% [bundle.version(), version]
			)
		)
	var broken := bundle.problems()
	if not broken.is_empty():
		found.append(
			(
				"the bundle %s is damaged, make it anew: %s"
				% [folder, ", ".join(broken.slice(0, FILES_SHOWN))]
			)
		)
	if export_path.get_extension().to_lower() in PACKED:
		found.append(
			(
				"nothing can be laid beside what is exported as %s: put the folder %s there, as %s"
				% [export_path.get_file(), folder, TownsfolkBundle.FOLDER]
			)
		)
	return found


# What is wrong with the model; a bundle brings its own, and can have others in its folder.
static func _model_problems(
	settings: Dictionary, folder: String, bundle_folder: String
) -> PackedStringArray:
	var found := PackedStringArray()
	var model: String = settings["model"]
	if model == "starter" or (bundle_folder != "" and model == ""):
		return found
	if bundle_folder != "" and not model.is_absolute_path():
		var inside := bundle_folder.path_join(model)
		if FileAccess.file_exists(inside) or DirAccess.dir_exists_absolute(inside):
			return found
	if TownsfolkSettings.is_model_name(model, folder):
		var what := "it is downloaded" if bundle_folder == "" else "a bundle can't have it"
		found.append('the model "%s" is not beside the game, so %s' % [model, what])
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
