## A folder that `townsfolk bundle` has made: a runtime and its model, for players' machines.
@tool
extends RefCounted

## Where an export puts it, beside the game.
const FOLDER := "townsfolk"
const MANIFEST := "manifest.json"

## Its folder, a full path.
var folder: String

var _manifest: Dictionary


func _init(bundle_folder: String, manifest: Dictionary) -> void:
	folder = bundle_folder
	_manifest = manifest


## The bundle in a folder; null where there is none.
static func open(bundle_folder: String) -> RefCounted:
	var path := bundle_folder.path_join(MANIFEST)
	if bundle_folder == "" or not FileAccess.file_exists(path):
		return null
	var manifest: Variant = JSON.parse_string(FileAccess.get_file_as_string(path))
	if not manifest is Dictionary or not manifest.has_all(["program", "platform", "files"]):
		return null
	return new(bundle_folder, manifest)


## The full path of its program.
func program() -> String:
	return folder.path_join(str(_manifest["program"]))


## The system that it runs on, as Godot's export features name it.
func system() -> String:
	var platform: String = _manifest["platform"]
	if platform.begins_with("win"):
		return "windows"
	return "macos" if platform.begins_with("macos") else platform.get_slice("-", 0)


## The version of Townsfolk in it.
func version() -> String:
	return str(_manifest.get("townsfolk", ""))


## The paths of its files, from its folder, but for the manifest's own.
func files() -> PackedStringArray:
	return PackedStringArray(_manifest["files"].keys())


## The size of one of them, in bytes.
func size_of(file: String) -> int:
	return int(_manifest["files"][file]["size"])


## What of it is missing, or has another size than it had when it was made.
func problems() -> PackedStringArray:
	var found := PackedStringArray()
	for file in files():
		var opened := FileAccess.open(folder.path_join(file), FileAccess.READ)
		if opened == null:
			found.append("%s is missing" % file)
		elif opened.get_length() != size_of(file):
			found.append("%s has %d bytes" % [file, opened.get_length()])
	return found


## Copies all of it, but for files that are there already; returns what went wrong, or nothing.
func copy_to(target: String) -> String:
	var all := files()
	all.append(MANIFEST)
	for file in all:
		var from := folder.path_join(file)
		var to := target.path_join(file)
		if _is_same(from, to):
			continue
		DirAccess.make_dir_recursive_absolute(to.get_base_dir())
		var error := DirAccess.copy_absolute(from, to)
		if error != OK:
			return "%s can't be copied to %s: %s" % [from, to, error_string(error)]
		if OS.get_name() != "Windows":
			FileAccess.set_unix_permissions(to, FileAccess.get_unix_permissions(from))
	return ""


static func _is_same(from: String, to: String) -> bool:
	if not FileAccess.file_exists(to):
		return false
	var old := FileAccess.open(to, FileAccess.READ)
	var new_file := FileAccess.open(from, FileAccess.READ)
	var is_as_long := old != null and old.get_length() == new_file.get_length()
	return is_as_long and FileAccess.get_modified_time(to) >= FileAccess.get_modified_time(from)
