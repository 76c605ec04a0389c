## Chooses the model of the Project Settings: a GGUF file, or a name that the runtime knows.
@tool
extends VBoxContainer

## Another model was chosen.
signal chosen(model: String)

const TownsfolkSettings := preload("../runtime/townsfolk_settings.gd")

const FILTERS: PackedStringArray = ["*.gguf;GGUF models"]
const GIB := 1024.0 * 1024.0 * 1024.0

## What the runtime listed: its names, and what to say of each.
var listed: Dictionary[String, String] = {}

var _name := LineEdit.new()
var _names := MenuButton.new()
var _files := FileDialog.new()
var _problem := Label.new()
var _lister: Thread


func _init() -> void:
	var row := HBoxContainer.new()
	var label := Label.new()
	label.text = "Model"
	_name.size_flags_horizontal = Control.SIZE_EXPAND_FILL
	_name.tooltip_text = "A GGUF file, a model's folder, a name of the list, or a hub id."
	_name.text_submitted.connect(choose)
	_name.focus_exited.connect(func() -> void: choose(_name.text))
	_names.text = "List"
	_names.flat = false
	_names.tooltip_text = "The models that the runtime knows, and those on this machine."
	_names.about_to_popup.connect(list_models)
	_names.get_popup().id_pressed.connect(_on_name_pressed)
	var browse := Button.new()
	browse.text = "File…"
	browse.pressed.connect(_files.popup_centered_ratio)
	_files.access = FileDialog.ACCESS_FILESYSTEM
	_files.file_mode = FileDialog.FILE_MODE_OPEN_FILE
	_files.filters = FILTERS
	_files.use_native_dialog = true
	_files.title = "Choose a GGUF model"
	_files.file_selected.connect(choose)
	for part: Control in [label, _name, _names, browse]:
		row.add_child(part)
	_problem.autowrap_mode = TextServer.AUTOWRAP_WORD_SMART
	_problem.add_theme_color_override(&"font_color", Color.ORANGE)
	add_child(row)
	add_child(_problem)
	add_child(_files)
	show_model()


func _process(_delta: float) -> void:
	if _lister != null and not _lister.is_alive():
		var rows: Variant = _lister.wait_to_finish()
		_lister = null
		_show_names(rows)


func _exit_tree() -> void:
	if _lister != null:
		_lister.wait_to_finish()
		_lister = null


## Takes another model: a file inside of the project by its path there, as an exported game has it.
func choose(model: String) -> void:
	var taken := TownsfolkSettings.beside_game(model.strip_edges())
	if taken == "":
		taken = "starter"
	if taken == str(TownsfolkSettings.read(TownsfolkSettings.MODEL)):
		show_model()
		return
	ProjectSettings.set_setting(TownsfolkSettings.MODEL, taken)
	if ProjectSettings.save() != OK:
		push_warning("Townsfolk: the Project Settings can't be saved")
	show_model()
	chosen.emit(taken)


## Shows what the Project Settings say, and what is wrong with it.
func show_model() -> void:
	var model: String = TownsfolkSettings.read(TownsfolkSettings.MODEL)
	_name.text = model
	_problem.text = problem()
	_problem.visible = _problem.text != ""


## What is wrong with the chosen model; empty where nothing is known to be.
func problem() -> String:
	var model: String = TownsfolkSettings.read(TownsfolkSettings.MODEL)
	if model != "" and TownsfolkSettings.find_model(model) == "":
		return TownsfolkSettings.missing_model(model)
	return ""


## Has the runtime list its models, in a thread: Python takes seconds to start.
func list_models() -> void:
	_show_names([])
	if _lister != null or not listed.is_empty():
		return
	var settings := TownsfolkSettings.launch_settings()
	var path := TownsfolkSettings.find_executable(settings["executable"])
	if path != "":
		_lister = Thread.new()
		_lister.start(_list.bind(path))


static func _list(path: String) -> Variant:
	var output: Array = []
	if OS.execute(path, ["models", "--json"], output) != 0:
		return []
	return JSON.parse_string(output[0])


func _show_names(rows: Variant) -> void:
	if rows is Array:
		for row: Variant in rows:
			if row is Dictionary and row.has_all(["name", "here", "file_bytes", "misfit"]):
				listed[str(row["name"])] = _described(row)
	var popup := _names.get_popup()
	popup.clear()
	for model: String in ["auto", "starter"] + listed.keys():
		if popup.item_count > 1 and model == "starter":
			continue
		popup.add_item(model)
		popup.set_item_tooltip(popup.item_count - 1, listed.get(model, ""))
	if _lister != null:
		popup.add_item("listing…")
		popup.set_item_disabled(popup.item_count - 1, true)


static func _described(row: Dictionary) -> String:
	var size := "%.1f GiB" % (float(row["file_bytes"]) / GIB)
	var here := "here" if str(row["here"]) != "" else "to be downloaded"
	var misfit := str(row["misfit"])
	return "%s, %s, %s" % [size, here, "fits" if misfit == "" else misfit]


func _on_name_pressed(id: int) -> void:
	var popup := _names.get_popup()
	choose(popup.get_item_text(popup.get_item_index(id)))
