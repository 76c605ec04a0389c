## The add-on's entries in the Project Settings.
@tool
extends RefCounted

## What the autoload does when the game starts.
enum Mode { LAUNCH, CONNECT, MANUAL }
## How the runtime is spoken to. AUTO: gRPC-Web in web exports, which have no sockets, else HTTP/2.
enum Transport { AUTO, HTTP2, GRPC_WEB }

const TownsfolkBundle := preload("townsfolk_bundle.gd")

const MODE := "townsfolk/runtime/mode"
const EXECUTABLE := "townsfolk/runtime/executable"
const MODEL := "townsfolk/runtime/model"
const ARGUMENTS := "townsfolk/runtime/arguments"
const SHARE := "townsfolk/runtime/share"
const START_TIMEOUT := "townsfolk/runtime/start_timeout_seconds"
const ADDRESS := "townsfolk/connection/address"
const WEB_ADDRESS := "townsfolk/connection/web_address"
const TRANSPORT := "townsfolk/connection/transport"
const TOKEN := "townsfolk/connection/token"
const USE_TLS := "townsfolk/connection/use_tls"
const CA_CERTIFICATE := "townsfolk/connection/ca_certificate"
const EXPORT_BUNDLE := "townsfolk/export/bundle"
const EXPORT_EXECUTABLE := "townsfolk/export/executable"
const EXPORT_MODEL := "townsfolk/export/model"
const FRAME_BUDGET := "townsfolk/connection/frame_budget_ms"
const REPORT_FRAMES := "townsfolk/pacing/report_frames"
const PACE_POLICY := "townsfolk/pacing/policy"

## What an export writes into the game.
const LAUNCH_FILE := "res://townsfolk_launch.json"
## Overrides the executable's setting: for a developer's machine, and for CI.
const EXECUTABLE_VARIABLE := "TOWNSFOLK_EXECUTABLE"

const HINTS: Dictionary[String, Array] = {
	MODE: [PROPERTY_HINT_ENUM, "Launch with the game,Connect to a running one,Manual"],
	EXECUTABLE: [PROPERTY_HINT_GLOBAL_FILE, ""],
	MODEL: [PROPERTY_HINT_GLOBAL_FILE, "*.gguf"],
	EXPORT_BUNDLE: [PROPERTY_HINT_GLOBAL_DIR, ""],
	START_TIMEOUT: [PROPERTY_HINT_RANGE, "1,600,1,or_greater,suffix:s"],
	TRANSPORT: [PROPERTY_HINT_ENUM, "Automatic,HTTP/2,gRPC-Web"],
	TOKEN: [PROPERTY_HINT_PASSWORD, ""],
	CA_CERTIFICATE: [PROPERTY_HINT_FILE, "*.crt,*.pem"],
	FRAME_BUDGET: [PROPERTY_HINT_RANGE, "0.1,10,0.1,suffix:ms"],
	PACE_POLICY: [PROPERTY_HINT_ENUM, "Smooth:1,Balanced:2,Fast:3"],
}


## All settings with their defaults. No constant, as a PackedStringArray is none, and no static
## variable: a script that has one is reported as leaked when the game ends.
static func defaults() -> Dictionary[String, Variant]:
	return {
		MODE: Mode.LAUNCH,
		EXECUTABLE: "townsfolk",
		MODEL: "starter",
		ARGUMENTS: PackedStringArray(),
		SHARE: false,
		START_TIMEOUT: 120.0,
		ADDRESS: "127.0.0.1:50151",
		WEB_ADDRESS: "127.0.0.1:50152",
		TRANSPORT: Transport.AUTO,
		TOKEN: "",
		USE_TLS: false,
		CA_CERTIFICATE: "",
		EXPORT_BUNDLE: "",
		EXPORT_EXECUTABLE: "runtime/townsfolk",
		EXPORT_MODEL: "",
		FRAME_BUDGET: 1.0,
		REPORT_FRAMES: true,
		PACE_POLICY: 2,
	}


## The value of a setting, or its default.
static func read(setting: String) -> Variant:
	return ProjectSettings.get_setting(setting, defaults()[setting])


## Whether the runtime is spoken to by gRPC-Web.
static func uses_grpc_web() -> bool:
	match read(TRANSPORT):
		Transport.HTTP2:
			return false
		Transport.GRPC_WEB:
			return true
		_:
			return OS.has_feature("web")


## Shows all settings in the Project Settings dialog.
static func register() -> void:
	var initial_values := defaults()
	for setting in initial_values:
		if not ProjectSettings.has_setting(setting):
			ProjectSettings.set_setting(setting, initial_values[setting])
		ProjectSettings.set_initial_value(setting, initial_values[setting])
		ProjectSettings.set_as_basic(setting, true)
		var info := {"name": setting, "type": typeof(initial_values[setting])}
		if HINTS.has(setting):
			info.merge({"hint": HINTS[setting][0], "hint_string": HINTS[setting][1]})
		ProjectSettings.add_property_info(info)


## How the runtime is launched: executable, model and arguments. In an exported game that is the
## bundle beside it, or else what the export wrote down; otherwise the Project Settings, with the
## machine's override, or the bundle for exports where no runtime is installed.
static func launch_settings() -> Dictionary:
	if not OS.has_feature("editor") and FileAccess.file_exists(LAUNCH_FILE):
		var written: Variant = JSON.parse_string(FileAccess.get_file_as_string(LAUNCH_FILE))
		if written is Dictionary:
			written["arguments"] = PackedStringArray(written["arguments"])
			return _with_bundle(written, bundle_beside_game())
	var settings := {
		"executable": developers_executable(),
		"model": read(MODEL),
		"arguments": _arguments(),
	}
	var is_overridden := OS.get_environment(EXECUTABLE_VARIABLE) != ""
	if not is_overridden and find_executable(settings["executable"]) == "":
		return _with_bundle(settings, export_bundle())
	return settings


## The program that the Project Settings name, or the machine's override.
static func developers_executable() -> String:
	var override := OS.get_environment(EXECUTABLE_VARIABLE)
	return read(EXECUTABLE) if override == "" else override


## How a developer gets the runtime.
static func how_to_install() -> String:
	return (
		"get Townsfolk's repository, run `make talk` in it (Windows: `./make.ps1 talk`), and name its "
		+ ".venv/bin/townsfolk (Windows: .venv\\Scripts\\townsfolk.exe) in Project Settings > "
		+ "Townsfolk > Runtime > Executable"
	)


## What to do about a program that isn't there.
static func missing_executable(executable: String) -> String:
	if OS.has_feature("editor"):
		return 'the Townsfolk runtime "%s" is not there: %s' % [executable, how_to_install()]
	return (
		'a part of the game is missing, the Townsfolk runtime "%s": install the game again'
		% executable
	)


# More options of `townsfolk serve`.
static func _arguments() -> PackedStringArray:
	var arguments: PackedStringArray = read(ARGUMENTS)
	if read(SHARE) and not arguments.has("--share"):
		arguments.append("--share")
	return arguments


# The model that a bundle brings along is meant where none is named.
static func _with_bundle(settings: Dictionary, folder: String) -> Dictionary:
	var bundle: TownsfolkBundle = TownsfolkBundle.open(folder)
	if bundle == null:
		return settings
	var model: String = settings["model"]
	return settings.merged(
		{"executable": bundle.program(), "model": "" if model == "starter" else model}, true
	)


## Where a bundle lies beside an exported game. On macOS that is in the game's .app, or beside it.
static func bundle_beside_game() -> String:
	var folder := game_folder()
	var inside := folder.path_join(TownsfolkBundle.FOLDER)
	if folder.ends_with(".app/Contents/MacOS") and not DirAccess.dir_exists_absolute(inside):
		return folder.path_join("../../..").simplify_path().path_join(TownsfolkBundle.FOLDER)
	return inside


## The folder of the bundle that exports take along, a full path; empty where none is set.
static func export_bundle() -> String:
	var folder: String = read(EXPORT_BUNDLE)
	if folder.is_relative_path() and folder != "":
		folder = "res://" + folder
	return ProjectSettings.globalize_path(folder) if folder.begins_with("res://") else folder


## How an exported game is to launch the runtime.
static func exported_launch_settings() -> Dictionary:
	var executable: String = read(EXPORT_EXECUTABLE)
	var model: String = read(EXPORT_MODEL)
	return {
		"executable": read(EXECUTABLE) if executable == "" else executable,
		"model": read(MODEL) if model == "" else model,
		"arguments": _arguments(),
	}


## The full path of the runtime's program, or an empty string when it isn't there.
##
## A path is taken from the game's folder (in the editor: from the project's); a bare name is looked
## for there first, then on PATH.
static func find_executable(configured: String) -> String:
	var wanted := configured
	var is_windows := OS.get_name() == "Windows"
	if is_windows and wanted.get_extension() == "":
		wanted += ".exe"
	if wanted.is_absolute_path() and not wanted.begins_with("res://"):
		return wanted if FileAccess.file_exists(wanted) else ""
	wanted = wanted.trim_prefix("res://")
	var folders := PackedStringArray([game_folder()])
	if not wanted.contains("/"):
		folders.append_array(OS.get_environment("PATH").split(";" if is_windows else ":", false))
	for folder in folders:
		if FileAccess.file_exists(folder.path_join(wanted)):
			return folder.path_join(wanted)
	return ""


## The model as the runtime takes it, or an empty string when it isn't there.
##
## A path is taken from the game's folder, as the program's is, wherever the game is started from: a
## res:// path too, as a runtime can't read out of a game's pack. What is neither a path nor beside
## the game is a name, which the runtime knows or says what is wrong with.
static func find_model(configured: String) -> String:
	if configured.begins_with("user://"):
		return ProjectSettings.globalize_path(configured)
	var wanted := configured.trim_prefix("res://")
	if wanted.is_absolute_path() or wanted == "":
		return wanted
	var beside := game_folder().path_join(wanted)
	for place: String in [beside, bundle_beside_game().path_join(wanted)]:
		if DirAccess.dir_exists_absolute(place) or FileAccess.file_exists(place):
			return place
	return configured if is_model_name(configured, game_folder()) else ""


## Whether a model that is not in [param folder] is meant as a name: "starter", "auto", one that
## [code]townsfolk models[/code] lists, or one of the hub: owner/name, perhaps with a file behind a
## colon.
static func is_model_name(model: String, folder: String) -> bool:
	var repository := model.get_slice(":", 0)
	if model.begins_with(".") or model.begins_with("/") or repository in ["res", "user"]:
		return false
	if not repository.contains("/"):
		return not model.contains(":") and model.get_extension() != "gguf"
	var owner := folder.path_join(repository.get_slice("/", 0))
	return repository.count("/") == 1 and not DirAccess.dir_exists_absolute(owner)


## What to do about a model that isn't there.
static func missing_model(model: String) -> String:
	var what := "file" if model.get_extension() == "gguf" else "folder"
	return (
		(
			'the model "%s" is not there: put its %s at %s, or choose another one in '
			+ "Project Settings > Townsfolk > Runtime > Model"
		)
		% [model, what, game_folder().path_join(model.trim_prefix("res://"))]
	)


## A file of the project by its path from the game's folder; others as they are.
static func beside_game(path: String) -> String:
	var folder := game_folder().trim_suffix("/") + "/"
	return path.trim_prefix(folder) if path.begins_with(folder) else path


## Where an exported game lies, or the project while it is developed.
static func game_folder() -> String:
	if OS.has_feature("editor"):
		return ProjectSettings.globalize_path("res://")
	return OS.get_executable_path().get_base_dir()
